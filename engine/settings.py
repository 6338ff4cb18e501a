"""The base of every typed section of a YAML file."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen, typed, and unknown keys are errors. Subclasses sit beside the code they configure."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), arbitrary_types_allowed=True)

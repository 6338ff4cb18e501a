"""The base of every typed section of a YAML file."""

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

Blend = Literal["none", "composite", "feather", "poisson", "poisson_mixed"]
BLENDS = get_args(Blend)  # how a filled hole gets into its picture, see deploy.blending


class Settings(BaseModel):
    """Frozen, typed, and unknown keys are errors. Subclasses sit beside the code they configure."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), arbitrary_types_allowed=True)

"""One complete YAML file per run: read, typed, checked, frozen, written back.

Classes are named by dotted paths under `system.` and `data_loader.`; each class brings its own `Config`, so the numbers
are described beside the code that uses them. Every mistake is one line that names file, key and what was expected.
"""

import functools
import hashlib
import importlib
import importlib.util
import json
import logging
import typing
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import to_jsonable_python

from engine.errors import ConfigError, did_you_mean
from engine.files import read_yaml
from engine.run_config import RunConfig, Unread

SYSTEMS = ("system.",)  # where systems are looked for
SettingsT = TypeVar("SettingsT", bound=BaseModel)
MOVED = {"data_loader.faces": "data_loader.drawn_faces"}  # dotted path in older YAML files, or its beginning -> today's


def set_value(content: dict, dotted: str, value: Any, label: str) -> None:
    """Put `value` at `a.b.c` of nested dicts, in place. ConfigError names `label` where the path runs into a value."""
    *parents, last = dotted.split(".")
    for depth, name in enumerate(parents):
        content = content.setdefault(name, {})
        if not isinstance(content, dict):
            raise ConfigError(f"{label}: '{'.'.join(parents[: depth + 1])}' is a value, not a section")
    content[last] = value


def current_path(dotted: Any) -> Any:
    """The dotted path that a path of an older YAML file leads to; one that did not move is returned as it is."""
    old = max((one for one in MOVED if f"{dotted}.".startswith(f"{one}.")), key=len, default=None)
    return dotted if old is None else MOVED[old] + dotted[len(old) :]


@functools.cache
def _tell_of_move(label, dotted):
    logging.getLogger("kintsugi").warning(f"{label}: '{dotted}' moved; write '{current_path(dotted)}'")


def _moved(dotted, roots, label):
    """`current_path`, with one line where it is another."""
    if current_path(str(dotted)) != dotted and str(dotted).startswith(roots):
        _tell_of_move(label, dotted)
    return current_path(dotted)


def import_class(dotted: str, roots: tuple[str, ...], label: str) -> Any:
    """The class at a dotted path below one of `roots`. ConfigError names the key and the nearest match."""
    dotted = _moved(dotted, roots, label)
    module_name, _, class_name = str(dotted).rpartition(".")
    if not module_name.startswith(roots):
        raise ConfigError(f"{label}: '{dotted}' is not allowed; expected a class below {' or '.join(roots)}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise ConfigError(f"{label}: there is no module '{module_name}'") from None
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        known = [name for name, value in vars(module).items() if isinstance(value, type) and hasattr(value, "Config")]
        raise ConfigError(f"{label}: '{module_name}' has no class '{class_name}'{did_you_mean(class_name, known)}")
    if not hasattr(found, "Config"):
        raise ConfigError(f"{label}: '{dotted}' has no Config; expected a system or a dataset")
    return found


def recipe_class(dotted: str, label: str) -> type[BaseModel]:
    """The Config of the system at a dotted path, out of MODULE_recipe.py where that is there: it needs no Paddle."""
    dotted = _moved(dotted, SYSTEMS, label)
    module_name, _, class_name = str(dotted).rpartition(".")
    with suppress(ModuleNotFoundError):  # of the packages above; `import_class` names them
        if module_name.startswith(SYSTEMS) and importlib.util.find_spec(f"{module_name}_recipe"):
            recipes = vars(importlib.import_module(f"{module_name}_recipe"))
            if found := recipes.get(f"{class_name}Recipe"):
                return found
    return import_class(dotted, SYSTEMS, label).Config


def system_of(path: str | Path, content: Mapping[str, Any]) -> tuple[str, type[BaseModel]]:
    """(class name, Config) of the system that a YAML file with this content names. ConfigError where there is none."""
    if "system" not in content:
        raise ConfigError(f"{path}: key 'system' is missing; expected a class below system.")
    recipe = recipe_class(content["system"], f"{path}.system")
    return current_path(str(content["system"])).rpartition(".")[2], recipe


def load(
    path: str | Path,
    overrides: Iterable[tuple[str, Any, str]] = (),
    content: dict[str, Any] | None = None,
    reads_data: bool = True,
) -> RunConfig:
    """Read and check a YAML file.

    Args:
        path: the file.
        overrides: (dotted key, value, label) in order; the last one wins. The label names the flag in errors.
        content: of the file, where it was read already; the overrides are put into it.
        reads_data: type and check the sections of data sets too; without, their classes are not imported.

    Returns:
        RunConfig, frozen. ConfigError in one line for anything wrong.
    """
    content = read_yaml(path) if content is None else content
    for key, value, label in overrides:
        set_value(content, key, value, label)
    labels = {key: label for key, _, label in overrides}
    return _typed(content, str(path), labels, reads_data)


def replaced(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """The configuration with further values, {dotted key: value}, checked as when it was read."""
    content = as_dict(config)
    for key, value in values.items():
        set_value(content, key, value, key)
    return _typed(content, config.system, {}, not isinstance(config.data.train, Unread))


def with_data(config: RunConfig, path: str | Path) -> RunConfig:
    """The configuration of a file with the sections of its data sets read; ConfigError as of `load`."""
    return _typed(as_dict(config), str(path), {}, reads_data=True)


def _typed(content, source, labels, reads_data):
    """Validate the system's and the datasets' own sections with their classes' Config, then the whole."""
    content = dict(content)
    if "system" in content:
        recipe = recipe_class(content["system"], f"{source}.system")
        content["system"] = current_path(content["system"])
        content["recipe"] = validate(recipe, content.get("recipe") or {}, source, "recipe", labels)
    data = content.get("data")
    if isinstance(data, dict):
        content["data"] = data = dict(data)
        for split in ("train", "validation"):
            if isinstance(data.get(split), dict):
                read = _dataset_settings if reads_data else functools.partial(validate, Unread)
                data[split] = read(data[split], source, f"data.{split}", labels)
    return validate(RunConfig, content, source, "", labels)


def _dataset_settings(section, source, key, labels):
    """The dataset's Config with the class's dotted path kept as its first field, `dataset`."""
    section = dict(section)
    if "dataset" not in section:
        raise ConfigError(f"{source}.{key}: key 'dataset' is missing; expected a class below data_loader.")
    dotted = section.pop("dataset")
    dataset = import_class(dotted, ("data_loader.",), f"{source}.{key}.dataset")
    settings = create_model("DatasetConfig", __base__=dataset.Config, dataset=(str, current_path(dotted)))
    return validate(settings, {"dataset": current_path(dotted), **section}, source, key, labels)


def validate(
    kind: type[SettingsT], content: Any, source: str, key: str, labels: Mapping[str, str] | None = None
) -> SettingsT:
    """An instance of the Settings class `kind`, or the first mistake as one line."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_describe(error.errors()[0], kind, source, key, labels or {})) from None


def _describe(problem, kind, source, key, labels):
    """One line for one pydantic problem: where, what was found, what was expected."""
    location = [str(part) for part in problem["loc"]]
    dotted = ".".join(([key] if key else []) + location)
    section = ".".join([source, *([key] if key else []), *location[:-1]])
    prefix = f"{labels[dotted]}: " if dotted in labels else ""
    known = _fields_at(kind, problem["loc"][:-1])
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(location[-1], known) or "."
        return f"{prefix}{section}: unknown key '{location[-1]}'{hint} Known: {sorted(known)}"
    if problem["type"] == "missing":
        return f"{prefix}{section}: key '{location[-1]}' is missing"
    found = problem.get("input")
    return f"{prefix}{source}.{dotted}: {problem['msg']}; found {found!r}"


def _fields_at(kind, location):
    """Field names of the Settings class found by walking `location` down from `kind`."""
    for name in location:
        field = kind.model_fields.get(str(name)) if _is_settings(kind) else None
        if field is None:
            continue
        choices = [field.annotation, *typing.get_args(field.annotation)]
        kind = next((choice for choice in choices if _is_settings(choice)), kind)
    return list(kind.model_fields) if _is_settings(kind) else []


def _is_settings(kind):
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def as_dict(config: BaseModel) -> dict[str, Any]:
    """The resolved configuration as plain values, the form that is saved and compared."""
    return json.loads(config.model_dump_json())


def completed(content: Mapping[str, Any], config: BaseModel) -> dict[str, Any]:
    """A saved form (`as_dict`) in today's words: defaults of keys that its run did not know, paths that moved.

    Args:
        content: the saved form, or a section of it.
        config: the configuration that brings the types.
    """
    full = {name: current_path(value) if name in ("system", "dataset") else value for name, value in content.items()}
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if name not in full and not field.is_required():
            full[name] = to_jsonable_python(field.get_default(call_default_factory=True))
        elif isinstance(value, BaseModel) and isinstance(full.get(name), dict):
            full[name] = completed(full[name], value)
    return full


def digest(config: RunConfig) -> str:
    """Short hash of what decides the networks: the system and its recipe."""
    decides = {"system": config.system, "recipe": as_dict(config.recipe)}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:12]


def to_yaml(config: BaseModel) -> str:
    """The resolved configuration as YAML text."""
    return yaml.safe_dump(as_dict(config), sort_keys=False, allow_unicode=True, width=120)


def differences(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted keys whose values differ between two plain dicts, in order."""
    keys = []
    for name in [*one, *(name for name in other if name not in one)]:
        a, b = one.get(name), other.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            keys += differences(a, b, f"{prefix}{name}.")
        elif a != b:
            keys.append(prefix + name)
    return keys

"""Golden cases in our own functions: CASES maps a family to f(config, inputs, weights) -> {"out:key": array}.

Here: how a recorded case is read, computed and compared; the modules beside it compute.
"""

import json
import re
import zlib
from importlib import import_module
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from engine.errors import InputError

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
MADE_OF_GRADIENTS = ("grad", "out:r1_penalty", "out:path_")
FLOAT32_LIMIT = 0.05
DRAWN = {"seed", "batch", "h", "w", "size", "n", "n1", "n2", "d", "hw", "sigma"}  # sizes of arrays, and their seed
STANDARD_DEVIATION = {"he": 2.0, "he2": 4.0, "soft": 0.6}


def functions_of(case):
    """The functions that compute a case, those of the longest matching prefix; several may share its keys."""
    tables = [import_module(f"tests.parity.{name}").CASES for name in MODULES]
    prefixes = {prefix for table in tables for prefix in table if case.startswith(prefix)}
    longest = max(prefixes, key=len, default=None)
    return [table[longest] for table in tables if longest in table]


def recipe_array(key, shape, kind, seed):
    """The deterministic weight that a recipe gives a key: splitmix64 of (crc32(key), seed, index), scaled by kind.

    Source: the format's description in the README of the reference folder; written anew.
    """
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if "mask_conv" in key:
        return np.ones(shape, np.float32)
    start = (zlib.crc32(key.encode()) << 32 | seed & 0xFFFFFFFF) & 0xFFFFFFFFFFFFFFFF
    state = np.arange(1, int(np.prod(shape, dtype=np.int64)) + 1, dtype=np.uint64)
    state = state * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    state ^= state >> np.uint64(31)
    uniform = (state >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1.0
    offset, scale = _distribution(key, shape, kind)
    return (offset + scale * uniform).reshape(shape).astype(np.float32)


def _distribution(key, shape, kind):
    """Mean and half width of the uniform distribution of a key."""
    for suffix, values in {"running_var": (1.0, 0.5), "running_mean": (0.0, 0.2), "bias": (0.0, 0.1)}.items():
        if key.endswith(suffix):
            return values
    if len(shape) <= 1:
        return 0.7, 0.3
    fan_in = float(np.prod(shape[1:]))
    variance = {"unit": 1.0, "pconv": 4.0 * fan_in}.get(kind) or STANDARD_DEVIATION[kind] / fan_in
    return 0.0, (3.0 * variance) ** 0.5


def read_case(folder, name, meta):
    """-> (inputs {in:key: array}, weights {official key: array}, expected {key: array}).

    Raises:
        InputError: the file is missing or damaged, or the recipe is unknown.
    """
    path = Path(folder) / meta.get("npz", f"{name}.npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        if meta["weights"] == "recipe":
            recipe = meta["recipe"]
            shapes = recipe.get("shapes", {}).items()  # without them the case knows its keys
            weights = {key: recipe_array(key, tuple(shape), recipe["kind"], recipe["seed"]) for key, shape in shapes}
        else:
            weights = {}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: {type(error).__name__}: {error}") from None
    weights.update({key[2:]: value for key, value in arrays.items() if key.startswith("w:")})
    inputs = {key: value for key, value in arrays.items() if key.startswith("in:")}
    return inputs, weights, {key: value for key, value in arrays.items() if key.startswith(("out:", "grad"))}


class Options(dict):
    """A case's configuration, which knows what of it was read; sections are Options too."""

    def __init__(self, values):
        """`values`: of meta.json."""
        super().__init__({key: Options(value) if isinstance(value, dict) else value for key, value in values.items()})
        self.read = set()

    def __getitem__(self, key):
        """The option, from then on read."""
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        """The option or the default."""
        self.read.add(key)
        return super().get(key, default)

    def expect(self, key, value):
        """Refuse another value of an option than the only one there is here. Raises InputError."""
        if self.get(key, value) != value:
            raise InputError(f"option '{key}': {self[key]!r}, this project has {value!r} only")

    def unread(self):
        """{option: value} that nothing read, those that say how the arrays were drawn left out."""
        found = {key: value for key, value in self.items() if key not in self.read and key not in DRAWN}
        for section in (value for key, value in self.items() if isinstance(value, Options) and key in self.read):
            found |= section.unread()
        return found


def values_of(functions, config, inputs, weights, dtype):
    """Everything the functions of a case compute, from float arrays of one type.

    Raises:
        InputError: an option of the configuration that no function read, so that another network may have been built.
    """

    def cast(arrays):
        return {key: value.astype(dtype) if value.dtype.kind == "f" else value for key, value in arrays.items()}

    values, options = {}, Options(config)
    for function in functions:
        values.update(function(options, cast(inputs), cast(weights)))
    for key, value in options.unread().items():
        raise InputError(f"option '{key}': {value!r}, which this project does not have")
    return {key: np.asarray(value) for key, value in values.items()}


def compare(key, ours, expected, meta):
    """-> {"error", "tolerance", ..., "ok"} of one key, by the rules of its meta.json entry."""
    if ours is None or ours.shape != expected.shape:
        found = "nothing" if ours is None else f"shape {list(ours.shape)}"
        return {"ok": False, "reason": f"computed {found}, expected shape {list(expected.shape)}"}
    distance = np.abs(ours.astype(np.float64) - expected.astype(np.float64))
    special = re.findall(r"(mean|max)\|d\|<=([0-9.eE+-]+)", meta.get("tol_special", {}).get(key.partition(":")[2], ""))
    if special:
        found = {"mean": float(distance.mean()), "max": float(distance.max())}
        limits = {f"{name}_tolerance": float(limit) for name, limit in special}
        ok = all(found[name] <= float(limit) for name, limit in special)
        return {"error": found["max"], "mean": found["mean"], **limits, "ok": ok}
    largest, length = np.abs(expected).max(initial=0.0), np.linalg.norm(expected)
    line = {"error": float(distance.max(initial=0.0) / (largest or 1.0)), "tolerance": meta["tol_rel"][key]}
    line["ok"] = line["error"] <= line["tolerance"]
    if key.startswith("grad"):
        line |= {"l2": float(np.linalg.norm(distance) / (length or 1.0)), "l2_tolerance": meta["tol_l2"][key]}
        line["ok"] = line["ok"] and line["l2"] <= line["l2_tolerance"]
    return line


def case_lines(folder, name, meta):
    """Lines of one case, one for every recorded key."""
    functions = functions_of(name)
    inputs, weights, expected = read_case(folder, name, meta)
    config = meta["config"]
    single = values_of(functions, config, inputs, weights, "float32")
    lines = {key: compare(key, single.get(key), value, meta) for key, value in expected.items()}
    again = [key for key, line in lines.items() if not line["ok"] and key.startswith(MADE_OF_GRADIENTS)]
    if again:
        double = values_of(functions, config, inputs, weights, "float64")
        for key in again:
            first, second = lines[key], compare(key, double.get(key), expected[key], meta)
            if first.get("error", 1.0) <= FLOAT32_LIMIT:
                lines[key] = {**second, "dtype": "float64", "float32_error": first["error"]}
    for key, line in lines.items():
        yield {"case": name, "key": key, "dtype": "float32", **line}


def read_meta(folder):
    """The cases of a folder's meta.json, {name: entry}. Raises InputError where there is none."""
    path = Path(folder) / "meta.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))["cases"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: expected a JSON file with 'cases': {error}") from None


def reason(error):
    """One line of why a case cannot be built; of settings the option that is wrong."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"option '{'.'.join(map(str, first['loc']))}': {first['input']!r}, {first['msg']}"
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[-1]}"

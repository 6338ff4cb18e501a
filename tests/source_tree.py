"""The project's Python files as syntax trees: their imports, rooms and public definitions."""

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEAVES = {"engine"} | {
    f"engine.{name}"
    for name in "errors settings runtime files images log".split()
    + "picture_files sixteen_bits colour_profiles masks".split()
}
OWN = {"engine", "model", "data_loader", "loss", "metric", "system", "deploy", "tools", "test_tipc", "tests"}
SCRIPTS = {"train", "test", "predict", "export_model", "infer", "serve"}
ROOMS = {  # room -> other rooms it may use; LEAVES are open to all, a room is a package without the rooms inside it
    "engine": set(),
    "engine.weights": {"engine"},
    "engine.training": {"engine", "engine.weights"},
    "data_loader.drawn_faces": set(),
    "data_loader": {"engine", "data_loader.drawn_faces"},
    "model": {"engine", "engine.weights"},
    "loss": {"model"},
    "metric": {"model"},
    "metric.evaluation": {"metric", "engine", "engine.weights", "deploy"},
    "system": {"model", "loss", "metric", "engine", "engine.weights"},
    "deploy": {"engine", "engine.weights"},
    "deploy.page": {"deploy", "engine", "engine.weights", "data_loader"},
    "test_tipc": {"engine", "engine.weights", "deploy"},
}


def tracked(*suffixes):
    """Files of the project with these suffixes: those git knows or would add, or all but hidden folders without git."""
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    paths = [ROOT / name for name in listing.stdout.splitlines()] if listing.returncode == 0 else ROOT.rglob("*")
    kept = {path for path in paths if path.name.endswith(suffixes) and path.is_file()}
    return sorted(path for path in kept if not path.relative_to(ROOT).parts[0].startswith(".venv"))


PYTHON = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in tracked(".py")}
PRODUCT = {name: tree for name, tree in PYTHON.items() if not name.startswith("tests/")}


def own_imports(name, tree):
    """(line, dotted module) of every import of this project's code; `from a import b` is a.b where that is a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [one if is_module(one) else node.module for one in inner]
        else:
            continue
        yield from ((node.lineno, module) for module in modules if module.split(".")[0] in OWN or is_script(module))


def is_module(dotted):
    path = ROOT.joinpath(*dotted.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def is_script(dotted):
    return (ROOT / f"{dotted}.py").is_file()


def public_definitions(tree):
    """Public module-level classes and functions."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def room(dotted):
    """The room of a module: the longest of ROOMS that holds it, or `tools`, `scripts`, `tests`."""
    inside = [name for name in ROOMS if dotted == name or dotted.startswith(f"{name}.")]
    return max(inside, key=len, default="scripts" if dotted in SCRIPTS else dotted.split(".")[0])


PROGRAMS = sorted([f"{name}.py" for name in SCRIPTS] + [name for name in PYTHON if re.match(r"tools/[a-z]", name)])
AT_ONCE = {
    "numpy",
    "cv2",
    "scipy",
    "PIL",
    "matplotlib",
    "skimage",
    "paddle",
    "visualdl",
}  # not before a command is read

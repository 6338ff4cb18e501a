"""Rules of the whole tree, read from the syntax trees: who imports whom, what is documented, what is never called."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

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
PENDING = set()  # imports that still have to turn round
ANYTHING = {"tools", "scripts"}  # these use every room, and nothing uses them
SOURCED = ("model", "loss", "metric", "system")
BANNED_CALLS = {"eval", "exec", "compile", "__import__"}
BANNED_LOADS = {  # np.load is checked for allow_pickle
    ("pickle", "load"),
    ("pickle", "loads"),
    ("paddle", "load"),
    ("torch", "load"),
    ("np", "load"),
    ("numpy", "load"),
}
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|tmp|opt|mnt)/\w")


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


def test_imports_go_one_way():
    wrong = []
    for name, tree in PRODUCT.items():
        dotted = name.removesuffix(".py").replace("/", ".")
        own = room(dotted)
        if own in ANYTHING:
            continue
        assert own in ROOMS, f"{name}: stands in no room"
        for line, module in own_imports(name, tree):
            if (dotted, module) not in PENDING and room(module) not in ROOMS[own] | {own} and module not in LEAVES:
                wrong.append(f"{name}:{line}: imports {module}")
    assert not wrong, "\n".join(wrong)


def test_nothing_imports_programs():
    """Scripts and tools are programs: what two of them need lies in a room."""
    wrong = [
        f"{name}:{line}: imports {module}"
        for name, tree in PRODUCT.items()
        for line, module in own_imports(name, tree)
        if room(module) in ANYTHING and (name.removesuffix(".py").replace("/", "."), module) not in PENDING
    ]
    assert not wrong, "\n".join(wrong)


def test_no_import_goes_in_a_circle():
    """No module needs itself, however long the way; a folder's __init__ counts as what stands in it."""
    edges = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): {
            module for _, module in own_imports(name, tree)
        }
        for name, tree in PRODUCT.items()
    }
    done, path = set(), []

    def walk(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        path.append(module)
        for needed in sorted(edges.get(module, set()) - {module}):
            walk(needed)
        done.add(path.pop())

    for module in edges:
        walk(module)


def test_leaf_modules_import_only_each_other():
    wrong = []
    for leaf in sorted(LEAVES - {"engine"}):
        name = leaf.replace(".", "/") + ".py"
        imports = own_imports(name, PYTHON[name])
        wrong += [f"{name}:{line}: imports {module}" for line, module in imports if module not in LEAVES]
    assert not wrong, "\n".join(wrong)


def test_infer_knows_no_network():
    """infer.py and what it imports of this project reach neither model/ nor system/."""
    seen, todo = set(), ["infer.py"]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for _, module in own_imports(name, PYTHON[name]):
            path = module.replace(".", "/")
            todo += [found for found in (f"{path}.py", f"{path}/__init__.py") if found in PYTHON]
    assert not [name for name in seen if name.startswith(("model/", "system/", "loss/"))]


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


@cache
def imported_at_once(name):
    """Modules that importing a file imports: not those that a function imports when it runs."""
    return set(_imports_outside_functions(list(PYTHON[name].body)))


def _imports_outside_functions(todo):
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            todo += ast.iter_child_nodes(node)


@pytest.mark.parametrize("program", [*PROGRAMS, *sorted(name for name in PRODUCT if name.endswith("_recipe.py"))])
def test_command_lines_are_read_without_paddle(program):
    """What a program, or a recipe, imports before its command line is read: nothing that takes long to import."""
    seen, todo = set(), [program]
    while todo:
        name = todo.pop()
        if name not in seen and name in PYTHON:
            seen.add(name)
            modules = {module for full in imported_at_once(name) for module in (full, full.rpartition(".")[0])}
            slow = {module for module in modules if module.split(".")[0] in AT_ONCE}
            assert not slow, f"{program}: {name} imports {', '.join(sorted(slow))}; a function should, after the flags"
            todo += [f"{one.replace('.', '/')}{end}" for one in modules for end in (".py", "/__init__.py")]


@pytest.mark.slow
def test_training_one_paper_loads_no_other():
    """`import train` and building GPEN load no module of another paper, nor of networks inside metrics."""
    code = (
        "import sys, train; from engine import config; from engine.system import build_system; "
        "build_system(config.load('configs/gpen_lite.yaml')); print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    own = [module for module in found.stdout.split() if module.split(".")[0] in {"model", "loss", "metric", "system"}]
    others = ("satnet", "sphereface", "landmark", "gfpgan", "partialconv", "lpips", "inception", "niqe")
    assert "system.gpen" in own and not [module for module in own if any(word in module for word in others)]


@pytest.mark.parametrize("name", ["train.py", "test.py", "predict.py", "export_model.py", "infer.py"])
def test_entry_points_import_engine_before_paddle(name):
    """Importing Paddle first leaves one thread and a slow path: `import engine` stands above all that could do so."""
    first = {}
    for node in ast.walk(PYTHON[name]):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
            for module in modules:
                package = module.split(".")[0]
                first[package] = min(node.lineno, first.get(package, node.lineno))
    early = [package for package, line in first.items() if package in {"paddle", *OWN} and line < first["engine"]]
    assert not early, f"{name}: imports {early} before engine"


@pytest.mark.parametrize("package", SOURCED)
def test_sources_are_named(package):
    """Every public class and function names where its mathematics is from, itself or through its module's docstring."""
    wrong = []
    for name, tree in PRODUCT.items():
        if room(name.removesuffix(".py").replace("/", ".")) != package or not public_definitions(tree):
            continue
        module_names_it = "Source:" in (ast.get_docstring(tree) or "")
        wrong += [
            f"{name}:{node.lineno}: {node.name} has no 'Source:'"
            for node in public_definitions(tree)
            if not module_names_it and "Source:" not in (ast.get_docstring(node) or "")
        ]
    assert not wrong, "\n".join(wrong)


def test_public_code_is_documented():
    wrong = []
    for name, tree in PRODUCT.items():
        if tree.body and not ast.get_docstring(tree):
            wrong.append(f"{name}: module has no docstring")
        public = public_definitions(tree)
        public += [member for node in public if isinstance(node, ast.ClassDef) for member in public_definitions(node)]
        silent = [node for node in public if not ast.get_docstring(node)]
        wrong += [f"{name}:{node.lineno}: {node.name} has no docstring" for node in silent]
    assert not wrong, "\n".join(wrong)


TYPED = ("engine", "deploy", "metric/evaluation")  # rooms whose public functions carry types


def test_public_functions_at_the_borders_are_annotated():
    """What other rooms call says what it takes and gives; mypy holds it to that."""
    wrong = []
    for name, tree in PRODUCT.items():
        if not name.startswith(TYPED):
            continue
        public = public_definitions(tree)
        public += [member for node in public if isinstance(node, ast.ClassDef) for member in public_definitions(node)]
        for node in public:
            if isinstance(node, ast.FunctionDef):
                given = [
                    *node.args.posonlyargs,
                    *node.args.args,
                    *node.args.kwonlyargs,
                    node.args.vararg,
                    node.args.kwarg,
                ]
                bare = [one.arg for one in given if one and not one.annotation and one.arg not in ("self", "cls")]
                bare += [] if node.returns else ["return"]
                wrong += [f"{name}:{node.lineno}: {node.name}: {', '.join(bare)}"] if bare else []
    assert not wrong, "\n".join(wrong)


def test_files_are_short():
    """A file tells one idea: 300 lines at most."""
    long = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n") for path in tracked(".py")}
    assert not {name: lines for name, lines in long.items() if lines > 300 and name in PRODUCT}


def test_functions_are_short():
    """A function tells one idea: 50 lines at most."""
    wrong = [
        f"{name}:{node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for name, tree in PRODUCT.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 50
    ]
    assert not wrong, "\n".join(wrong)


def test_only_programs_touch_the_search_path():
    """`sys.path` is set by programs that are started by their file's name, nowhere else."""
    programs = ("tools/", "test_tipc/compare_results.py")
    wrong = [
        name
        for name, tree in PRODUCT.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "path" and getattr(node.value, "id", None) == "sys"
    ]
    assert not [name for name in wrong if not name.startswith(programs)]


def test_nothing_runs_text_or_unpickles():
    wrong = []
    for name, tree in PRODUCT.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                wrong.append(f"{name}:{node.lineno}: import *")
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if isinstance(called, ast.Name) and called.id in BANNED_CALLS:
                wrong.append(f"{name}:{node.lineno}: {called.id}()")
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                pair = (called.value.id, called.attr)
                if pair in BANNED_LOADS and not numbers_only(pair, node):
                    wrong.append(f"{name}:{node.lineno}: {'.'.join(pair)}()")
            wrong += [
                f"{name}:{node.lineno}: shell=True"
                for word in node.keywords
                if word.arg == "shell" and getattr(word.value, "value", False)
            ]
    assert not wrong, "\n".join(wrong)


def numbers_only(pair, node):
    """True for a numpy.load that cannot unpickle: allow_pickle is left at its default, or literally False."""
    allowed = [getattr(word.value, "value", True) for word in node.keywords if word.arg == "allow_pickle"]
    return pair[0] in ("np", "numpy") and not any(allowed)


def test_python_is_ascii():
    wrong = [path.relative_to(ROOT).as_posix() for path in tracked(".py") if not path.read_bytes().isascii()]
    assert not wrong, wrong


def test_no_path_of_a_machine():
    wrong = []
    for path in tracked(".py", ".md", ".yaml", ".txt", ".sh", ".toml", "Makefile", "run"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if MACHINE_PATH.search(line) and path != Path(__file__):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not wrong, "\n".join(wrong)


def test_names():
    """No get_ or do_ functions; no drawer modules; no file names with capitals or dashes in the packages."""
    wrong = []
    for name, tree in PRODUCT.items():
        wrong += [
            f"{name}:{node.lineno}: {node.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name.startswith(("get_", "do_")) and node.name not in DICTATED
        ]
        if Path(name).stem in ("utils", "misc", "helper", "helpers", "common"):
            wrong.append(f"{name}: name it after what it holds")
        if not re.fullmatch(r"[a-z0-9_/.]+", name):
            wrong.append(f"{name}: lower case with underscores")
    assert not wrong, "\n".join(wrong)


DICTATED = {"get_next"}  # names that a library calls: onnxruntime's CalibrationDataReader
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
PREDECESSORS = {"munit": "satnet"}  # a paper whose system is a setting of a later one's


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_one_name_everywhere(path):
    """configs/gpen_256.yaml names system.gpen.GPEN; beside it model/gpen*, a test of the system and a TIPC folder."""
    found = re.search(r"^system: system\.(\w+)\.(\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{path.name}: no line 'system: system.MODULE.CLASS'"
    module, name = found.groups()
    assert PREDECESSORS.get(path.stem.split("_")[0], path.stem.split("_")[0]) == module.split("_")[0]
    assert f"class {name}(" in (ROOT / "system" / f"{module}.py").read_text(encoding="utf-8")
    assert list((ROOT / "model").glob(f"{module}*")), f"model/{module}*: not there"
    assert list((ROOT / "tests" / "system").glob(f"test_{module}*.py")), f"tests/system/test_{module}*.py: not there"
    assert (ROOT / "test_tipc" / "configs" / name / "train_infer_python.txt").exists()


def test_tests_mirror_the_tree():
    """tests/<package>/test_<module>.py stands for a module or folder of that package."""
    wrong = []
    for name in PYTHON:
        parts = name.split("/")
        if parts[0] == "tests" and len(parts) == 3 and parts[2].startswith("test_"):
            stem = parts[2].removeprefix("test_").removesuffix(".py")
            package = ROOT / parts[1]
            known = {path.stem for path in package.rglob("*.py")} | {path.name for path in package.glob("*/")}
            if not any(stem == one or stem.startswith(f"{one}_") for one in known):
                wrong.append(name)
    assert not wrong, wrong

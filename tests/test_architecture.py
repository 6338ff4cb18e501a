"""Rules of the whole tree, read from the syntax trees: who imports whom, and where things stand."""

import ast
import re
import subprocess
import sys
from functools import cache

import pytest

from tests.source_tree import AT_ONCE, LEAVES, OWN, PRODUCT, PROGRAMS, PYTHON, ROOMS, ROOT, own_imports, room

PENDING = set()  # imports that still have to turn round
ANYTHING = {"tools", "scripts"}  # these use every room, and nothing uses them


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

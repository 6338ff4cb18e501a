"""Rules of every file, read from the syntax trees: documented, typed, short, well named, nothing unsafe."""

import ast
import re
from pathlib import Path

import pytest

from tests.source_tree import PRODUCT, PYTHON, ROOT, public_definitions, room, tracked

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
    assert not {name: lines for name, lines in long.items() if lines > 300}


def test_functions_are_short():
    """A function tells one idea: 50 lines at most."""
    wrong = [
        f"{name}:{node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for name, tree in PYTHON.items()
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

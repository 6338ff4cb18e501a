"""Every program has the same habits on its command line: the scripts, the tools, `python -m test_tipc.NAME`."""

import ast
import contextlib
import io
import logging
import re
import runpy
import sys
from pathlib import Path
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACES = [*ROOT.glob("*.py"), *ROOT.glob("tools/*.py"), *ROOT.glob("test_tipc/*.py")]
PROGRAMS = sorted(path.relative_to(ROOT).as_posix() for path in PLACES if '__name__ == "__main__"' in path.read_text())


def ended(program, *words):
    """(status, stdout, stderr) of a program, run as Python runs its file."""
    out, err = io.StringIO(), io.StringIO()
    handlers = logging.getLogger("kintsugi").handlers
    before, search = handlers[:], sys.path[:]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            with mock.patch.object(sys, "argv", [str(ROOT / program), *words]):
                runpy.run_path(str(ROOT / program), run_name="__main__")
    except SystemExit as stop:
        return stop.code or 0, out.getvalue(), err.getvalue()
    finally:
        handlers[:], sys.path[:] = before, search
    raise AssertionError(f"{program} {' '.join(words)}: ended without a status")


def test_programs_are_found():
    assert {"train.py", "infer.py", "tools/benchmark.py", "test_tipc/runner.py"} <= set(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_a_misspelt_flag(program):
    """--help names the flags and ends well; a letter missing from one of them is one line that suggests it."""
    status, shown, err = ended(program, "--help")
    assert (status, err) == (0, "")
    flags = re.findall(r"^  (?:-\w[ \w.=|]*, )?--([a-z][a-z_]{3,})", shown, re.MULTILINE) or ["help"]
    flag = max(flags, key=len)
    misspelt = flag[:2] + flag[3:]
    status, out, err = ended(program, f"--{misspelt}=1")
    assert (status, out) == (2, "") and err.count("\n") == 1, err
    assert f"unknown flag '--{misspelt}'. Did you mean '--{flag}'?" in err


@pytest.mark.parametrize("program", PROGRAMS)
def test_flags_of_a_configuration_only_where_one_is_taken(program):
    """GPEN's --max_iter is offered by programs that work with the run of a YAML file, by no other."""
    shown, text = ended(program, "--help")[1], (ROOT / program).read_text(encoding="utf-8")
    assert ("--max_iter" in shown) == ("cli.parse(" in text or " parse(" in text)


def test_only_the_table_of_flags_knows_argparse():
    """No program builds a parser of its own."""
    own = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if path.is_relative_to(ROOT / "tests") is False and ".venv" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "ArgumentParser"
    ]
    assert set(own) <= {"engine/flags.py"}

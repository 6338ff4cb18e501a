"""The program that changes the code to see whether tests notice, on a tree of one file."""

import pytest

from engine.errors import InputError
from tests.mutate import Mutation, fault, read_list

ROOMS = {"loss", "metric", "system", "model", "data_loader", "engine", "deploy", "test_tipc"}


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "code.py").write_text("def larger(a, b):\n    return a if a > b else b\n")
    (tmp_path / "test_code.py").write_text(
        "from code_copy import larger\n\n\ndef test_larger():\n    assert larger(1, 2) == larger(2, 1) == 2\n"
    )
    (tmp_path / "code_copy.py").write_text((tmp_path / "code.py").read_text())
    return tmp_path


def entry(old, new, tests="test_code.py"):
    return Mutation(file="code_copy.py", old=old, new=new, tests=tests)


@pytest.mark.slow
def test_what_tests_notice_and_what_they_do_not(tree):
    before = (tree / "code_copy.py").read_text()
    assert fault(entry("a > b", "a < b"), tree, set()) == ""
    assert fault(entry("a > b", "a >= b"), tree, set()) == "survived: 'a > b' -> 'a >= b'"
    assert "holds 0 times" in fault(entry("a == b", "a"), tree, set())
    assert "no test ran" in fault(entry("a > b", "a < b", "test_code.py -k absent"), tree, set())
    assert (tree / "code_copy.py").read_text() == before
    (tree / "test_code.py").write_text("def test_it():\n    assert False\n")
    assert "fails without any change" in fault(entry("a > b", "a < b"), tree, set())


def test_the_list_covers_every_room():
    entries = read_list()
    assert len(entries) >= 80 and {entry.file.partition("/")[0] for entry in entries} == ROOMS
    with pytest.raises(InputError, match="--only nowhere"):
        read_list("nowhere")

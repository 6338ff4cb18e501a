"""No file of a user is ever unpickled: nothing in the project's code could, strings and comments apart.

`tests/test_architecture_style.py` looks for calls; this looks at the words, so that another name for the same
does not pass.
"""

import io
import re
import token
import tokenize

import pytest

from tests.source_tree import PRODUCT, ROOT

UNPICKLES = re.compile(
    r"""
    \b(pickle|cPickle|_pickle|dill|cloudpickle|joblib|shelve|marshal)\.(?!dumps\b)\w+  # pickle.dumps writes only
    | \bfrom\ (pickle|cPickle|_pickle|dill|cloudpickle|joblib|shelve|marshal)\ import
    | \bimport\ (?!pickletools)(cPickle|_pickle|dill|cloudpickle|joblib|shelve|marshal|torch|pandas)\b
    | \bfrom\ torch | \bimport\ pickle\ as | \bUnpickler\b | \ballow_pickle\ =\ (?!False)
    | \bpaddle\.((static|jit|framework|io|base|hub|incubate)\.)*load\w*\b
    | \bfrom\ paddle[\w.]*\ import\b.*\bload\w*\b
    | \byaml\.(load|unsafe_load|full_load)\b | \bset_state_dict\b.*\bload\b
""",
    re.VERBOSE,
)


def code(text):
    """The statements of a program, each on one line, without strings and comments."""
    statements = [[]]
    for piece in tokenize.generate_tokens(io.StringIO(text).readline):
        if piece.type in (token.NAME, token.OP, token.NUMBER):
            statements[-1].append(piece.string)
        elif piece.type == token.NEWLINE:
            statements.append([])
    return [re.sub(r" ?([.(]) ?", r"\1", " ".join(words)) for words in statements]


def found(text):
    return [statement for statement in code(text) if UNPICKLES.search(statement)]


@pytest.mark.parametrize("name", sorted(PRODUCT))
def test_no_file_is_unpickled(name):
    assert not found((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("line", [
    "arrays = pickle.load(file)", "x = pickle . loads(data)", "from pickle import load as read", "import dill",
    "class Mine(pickle.Unpickler): pass", "state = paddle.load(path)", "paddle.jit.load(path)", "import torch",
    "from torch import load", "import pickle as p", "np.load(path, allow_pickle=True)", "from paddle import nn, load",
    "paddle.static.load_program_state(path)", "yaml.load(text)", "np.load(path, allow_pickle=flag)",
    "from paddle import (\n    nn,\n    load as read,\n)",
    "paddle.framework.io.load(path)", "import joblib", "marshal.loads(x)",
])  # fmt: skip
def test_what_would_unpickle_is_seen(line):
    assert found(line)


@pytest.mark.parametrize("line", [
    "data = pickle.dumps(arrays, protocol=4)", "import pickletools", "np.load(path, allow_pickle=False)",
    "'pickle.load(file)'  # paddle.load", "read_weights(path)", "np.load(path)", "yaml.safe_load(text)",
])  # fmt: skip
def test_what_does_not_unpickle_passes(line):
    assert not found(line)

"""Find the arrays in a pickle without unpickling: nothing that it names is imported, built or called.

`pickletools` splits the stream into opcodes and a stack machine follows them. It makes None, numbers, text, bytes,
lists, tuples, dicts with text keys, and the inert values of `engine.weights.arrays`: what is no array (a path, a
date, a whole module) is an `Opaque` there. Work and memory stay in proportion to the stream: no opcode copies data, and
opcodes and copied list items are counted against a limit.

A weights file is a tree of dicts, whose keys are joined with "/"; numbers, text, lists and objects that are no arrays
are dropped. Only a file without any arrays in dicts is searched for whole modules (torch.save of a network itself): the
state of an inert module names its parameters and buffers.

Source: the opcode descriptions in Python's pickletools; torch.nn.Module's attributes; paddle/framework/io.py,
_unpack_saved_dict.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.weights.arrays import NAMES, Maker, Name, Opaque, Pending, Refused, Tensor, inert, text_dict

MAX_NODES, MAX_DEPTH, MAX_KEY = 200_000, 16, 1000  # of the tree
MAX_WORK = 2_000_000  # opcodes and copied items (3 s); a checkpoint of 2000 tensors with Adam takes 200,000
_DAMAGE = (ValueError, IndexError, KeyError, AttributeError, TypeError, OverflowError)


def unpickle(
    stream: Any,
    persistent: Callable | None = None,
    max_work: int | None = None,
    names: Mapping[tuple[str, str], Name] = NAMES,
) -> Any:
    """The first object of a pickle stream, made of inert values.

    Args:
        stream: file object at the start of a pickle; it is left behind that pickle's end.
        persistent: function from a persistent id (any inert value) to a value; without it such ids are refused.
        max_work: opcodes and copied items that are followed; None: MAX_WORK.
        names: what the stream may name, with its stand-ins.

    Returns:
        None, number, text, bytes, list, tuple, dict, or a value of `engine.weights.arrays`. Entries of a dict
        under other keys than text (an optimizer's state) are dropped.

    Raises:
        Refused: for opcodes that weights do not need, damage, and more than `max_work` opcodes.
    """
    machine = _Machine(persistent, max_work or MAX_WORK, names)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.spend(1)
            step = STEPS.get(opcode.name)
            if step is None:
                raise Refused(f"holds the pickle instruction {opcode.name}, which no weights file needs")
            step(machine, argument)
        return machine.stack.pop()
    except Refused:
        raise
    except _DAMAGE as error:
        raise Refused(f"is truncated or damaged (pickle: {error})") from None


class _Machine:
    """Stack, memo and work done. A mark puts the stack aside (`below`) and begins an empty one."""

    def __init__(self, persistent, max_work, names):
        self.names = names
        self.stack, self.below, self.memo = [], [], {}
        self.persistent, self.work, self.max_work = persistent, 0, max_work

    def spend(self, amount):
        self.work += amount
        if self.work > self.max_work:
            raise Refused(f"asks for more than {self.max_work} pickle instructions")

    def push(self, value):
        self.stack.append(value)

    def take(self, count):
        """The upper `count` values, removed, oldest first."""
        return [self.stack.pop() for _ in range(count)][::-1]

    def mark(self):
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self):
        items, self.stack = self.stack, self.below.pop()
        return items

    def extend(self, items):
        """Items for the list on top of the stack; those of an Opaque are dropped."""
        if type(self.stack[-1]) is Opaque:
            return
        if type(self.stack[-1]) is not list:
            raise Refused("appends to something that is no list")
        self.stack[-1].extend(items)

    def assign(self, items):
        """Keys and values by turns, into the dict or Opaque on top of the stack."""
        target = self.stack[-1].entries if type(self.stack[-1]) is Opaque else self.stack[-1]
        if type(target) is not dict:
            raise Refused("sets items of something that is no dict")
        target.update(_pairs(items))

    def name(self, module, name):
        if type(module) is not str or type(name) is not str:
            raise Refused("asks for an object without a name")
        self.push(self.names.get((module, name)) or Opaque(f"{module[:60]}.{name[:60]}"))

    def call(self, function, arguments):
        """Result of a Name's stand-in for a tuple of arguments; an Opaque for any other callee."""
        if type(function) not in (Name, Opaque) or type(arguments) is not tuple:
            raise Refused("calls something that cannot be called")
        if type(function) is Opaque or function.call is None:
            self.push(Opaque(function.text))
            return
        self.spend(sum(len(item) for item in arguments if isinstance(item, (list, tuple, dict))))
        self.push(function.call(*arguments))

    def instance(self, kind, *arguments):
        """OBJ and INST, of classes of Python 2."""
        self.call(kind, arguments)

    def build(self):
        """Complete a Pending object, keep an Opaque's state. What is set on a dict (torch's `_metadata`) is dropped."""
        target, state = self.take(2)
        if type(target) is Pending:
            target.value = target.complete(target.value, state)
        elif type(target) is Opaque:
            target.state = state
        elif type(target) is not dict:
            raise Refused("sets attributes of something that has none")
        self.push(target)

    def refer(self):
        if self.persistent is None:
            raise Refused("refers to data outside its pickle")
        self.push(self.persistent(self.stack.pop()))

    def remember(self, index):
        self.memo[index] = self.stack[-1]

    def pop(self):
        self.stack.pop() if self.stack else self.since_mark()


def _pairs(items):
    return text_dict(list(zip(items[::2], items[1::2], strict=True)))


def _steps():
    """Opcode name -> step of the machine. Opcodes that are not here are refused: EXT, PERSID, buffers."""
    literals = (
        "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE "
        "SHORT_BINUNICODE BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8"
    )
    steps = dict.fromkeys(literals.split(), _Machine.push)
    steps |= dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda m, _: None)
    steps |= dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.remember)
    steps |= dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, index: m.push(m.memo[index]))
    steps |= dict.fromkeys(("REDUCE", "NEWOBJ"), lambda m, _: m.call(*m.take(2)))
    steps |= dict.fromkeys(("APPENDS", "ADDITEMS"), lambda m, _: m.extend(m.since_mark()))
    steps |= dict.fromkeys(("LIST", "FROZENSET"), lambda m, _: m.push(m.since_mark()))
    steps |= dict.fromkeys(("EMPTY_LIST", "EMPTY_SET"), lambda m, _: m.push([]))
    return steps | {
        "NONE": lambda m, _: m.push(None),
        "NEWTRUE": lambda m, _: m.push(True),
        "NEWFALSE": lambda m, _: m.push(False),
        "EMPTY_DICT": lambda m, _: m.push({}),
        "EMPTY_TUPLE": lambda m, _: m.push(()),
        "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
        "TUPLE1": lambda m, _: m.push(tuple(m.take(1))),
        "TUPLE2": lambda m, _: m.push(tuple(m.take(2))),
        "TUPLE3": lambda m, _: m.push(tuple(m.take(3))),
        "BYTEARRAY8": lambda m, data: m.push(bytes(data)),
        "APPEND": lambda m, _: m.extend(m.take(1)),
        "SETITEM": lambda m, _: m.assign(m.take(2)),
        "SETITEMS": lambda m, _: m.assign(m.since_mark()),
        "DICT": lambda m, _: m.push(_pairs(m.since_mark())),
        "MARK": lambda m, _: m.mark(),
        "NEWOBJ_EX": lambda m, _: m.call(*m.take(3)[:2]),
        "OBJ": lambda m, _: m.instance(*m.since_mark()),
        "INST": lambda m, words: (m.name(*words.split(" ", 1)), m.instance(m.stack.pop(), *m.since_mark())),
        "POP": lambda m, _: m.pop(),
        "POP_MARK": lambda m, _: m.since_mark(),
        "DUP": lambda m, _: m.push(m.stack[-1]),
        "MEMOIZE": lambda m, _: m.remember(len(m.memo)),
        "GLOBAL": lambda m, words: m.name(*words.split(" ", 1)),
        "STACK_GLOBAL": lambda m, _: m.name(*m.take(2)),
        "BUILD": lambda m, _: m.build(),
        "BINPERSID": lambda m, _: m.refer(),
    }


STEPS = _steps()


def paddle_arrays(tree: Any, size: int) -> dict[str, np.ndarray]:
    """Arrays of the tree of a paddle.save file of `size` bytes."""
    arrays = arrays_in(tree, Maker(size, paddle=True))
    return joined(arrays, tree.get("UnpackBigParamInfor@@")) if type(tree) is dict else arrays


def arrays_in(tree: Any, make: Callable) -> dict[str, Any]:
    """The arrays of a tree, in its order.

    Args:
        tree: what `unpickle` gives.
        make: function that makes the array of a Tensor.

    Returns:
        {key: array}.

    Raises:
        Refused: there are none, or the tree is beyond reason.
    """
    tree = inert(tree)
    if type(tree) not in (dict, Opaque):
        raise Refused("holds no dict of arrays")
    arrays = _collected(tree, make, _entries) or _collected(tree, make, _with_modules)
    if not arrays and type(tree) is Opaque:
        raise Refused(f"asks for {tree.text}, which was not built: no weights; save its state_dict() where its code is")
    if not arrays:
        raise Refused("holds no arrays")
    return arrays


def _collected(tree, make, entries_of):
    """{key: array} of a tree; `entries_of` gives a node's ({name: child}, is a module), or None for a leaf."""
    arrays, nodes = {}, 0
    pending = [("", tree, "", 0)]  # key, node, what joins the names inside a module to it, depth
    while pending:
        key, node, joint, depth = pending.pop()
        inside = entries_of(node)
        if inside is not None:
            entries, is_module = inside
            nodes += len(entries)
            if nodes > MAX_NODES or depth > MAX_DEPTH or len(key) + max(map(len, entries), default=0) > MAX_KEY:
                raise Refused("nests its dicts, or names their entries, beyond reason")
            prefix = (key + (joint if is_module else "/")) if depth else ""
            joint = "." if is_module else "/"
            pending += [(prefix + name, inert(child), joint, depth + 1) for name, child in reversed(entries.items())]
        elif (tensor := _leaf(node)) is not None:
            if key in arrays:
                raise Refused("holds two arrays under one key")
            arrays[key] = make(tensor)
    return arrays


def _entries(node):
    """A dict's entries, also of one of a class of its own."""
    if type(node) is dict:
        return node, False
    return (node.entries, False) if type(node) is Opaque and node.entries else None


def _with_modules(node):
    """The same, and a module's parameters, the buffers that it saves, and the modules inside it."""
    state = node.state if type(node) is Opaque else None
    if type(state) is not dict or type(inert(state.get("_modules"))) is not dict:
        return _entries(node)
    found: dict = {}
    for kind in ("_parameters", "_buffers", "_modules"):
        part, unsaved = inert(state.get(kind)), state.get("_non_persistent_buffers_set")
        dropped = unsaved if kind == "_buffers" and type(unsaved) is list else ()
        found |= {name: child for name, child in part.items() if name not in dropped} if type(part) is dict else {}
    return found, True


def _leaf(node):
    """The Tensor that a node is: itself, or the second of Paddle's (name, array); None for anything else."""
    if type(node) is tuple and len(node) == 2 and type(node[0]) is str:
        node = inert(node[1])
    return node if type(node) is Tensor else None


def joined(arrays: dict[str, np.ndarray], plan: Any) -> dict[str, np.ndarray]:
    """Put together what Paddle cuts into pieces of 1 GiB; plan: {key: {"OriginShape": shape, "slices": keys}}."""
    for key, entry in (plan if type(plan) is dict else {}).items():
        try:
            pieces = [arrays.pop(name) for name in entry["slices"]]
            arrays[key] = np.concatenate(pieces).reshape(entry["OriginShape"])
        except (KeyError, TypeError, ValueError):
            raise Refused("holds an array in pieces that do not fit together") from None
    return arrays

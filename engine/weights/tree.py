"""What of a pickle's inert values is arrays: the tree of dicts that a weights file is, flattened.

Keys of nested dicts are joined with "/"; numbers, text, lists and objects that are no arrays are dropped. Only a file
without any arrays in dicts is searched for whole modules (torch.save of a network itself): the state of an inert module
names its parameters and buffers.

Source: torch.nn.Module's attributes; paddle/framework/io.py, _unpack_saved_dict.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.weights.pickle_names import Opaque, Refused, Tensor, inert

MAX_NODES, MAX_DEPTH, MAX_KEY = 200_000, 16, 1000


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

"""Recorded training runs of the official programs against the project's own Trainer, in float64.

Here: how a file is read, run and compared; the modules beside it say what a kind of run is. A file `*_trace_*.npz`
holds `meta` (JSON: kind, seed, steps, sizes), `init/<network>/<official key>`, `log/<network>/<term>` of every step
(NaN where it has none) and `final/<network>/<official key>`. What `meta` does not say is the released recipe, and the
inputs come from numpy alone (`inputs`).
"""

import json
import logging
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from unittest import mock

import numpy as np
import paddle

from engine import config as configuration
from engine import distributed
from engine.errors import InputError
from engine.system import build_system
from engine.training import checkpoint
from engine.training.trainer import Trainer
from engine.weights.files import load_into
from engine.weights.official_keys import from_official
from tests.parity.runs import inputs

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 1e-10
KINDS = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py") if path.stem != "inputs")


@dataclass
class Run:
    """What a kind of recorded run is made of.

    Attributes:
        config: name of the YAML file in configs/.
        overrides: {dotted key: value} that make it the recorded run.
        batch: step -> {name: float64 array}.
        losses: {recipe key: (build a layer, gain)} of the frozen loss networks, whose weights come from `inputs.fill`.
        noise: (number of the call, shape) -> float64 array, in the place of every draw of N(0, 1); None: none is drawn.
        renamed: (network, {official key: array}) -> {our key: array}, where `from_official` does not do.
        state: names of the system's state that are recorded, as `log/<name>`.
        prepare: called with the built system before its weights are loaded.
    """

    config: str
    overrides: dict
    batch: object
    losses: dict = field(default_factory=dict)
    noise: object = None
    renamed: object = from_official
    state: tuple = ()
    prepare: object = None


class Batches:
    """The recorded run's batches, as the Trainer asks for them."""

    def __init__(self, batch):
        """`batch`: as of `Run`."""
        self.batch = batch

    def epoch(self, step):
        """All steps are of one epoch."""
        return 0

    def iterate(self, first_step, last_step):
        """One batch of float64 tensors a step."""
        for step in range(first_step, last_step):
            arrays = self.batch(step)
            yield {"name": [str(step)], **{name: paddle.to_tensor(array) for name, array in arrays.items()}}


def run_lines(path):
    """Run the recorded run of a file again -> one line a term and one a network, with "error" and "ok".

    Raises:
        InputError: the file is damaged, or of a run that is not known here.
    """
    meta, recorded = read_run(path)
    run = import_module(f"tests.parity.runs.{meta['kind']}").recorded(meta)
    with in_float64(), tempfile.TemporaryDirectory() as folder:
        trainer, log = rebuilt(run, meta, recorded, Path(folder))
        trainer.run()
        finals = {**trainer.system.networks, **{f"{name}_ema": net for name, net in trainer.ema.networks.items()}}
    for name, wanted in parts_of(recorded, "log").items():
        yield line(path, "term", name, term_error(log.get(name, {}), wanted, name in run.state))
    networks = {}
    for name, wanted in parts_of(recorded, "final").items():
        network, _, key = name.partition("/")
        networks.setdefault(network, {})[key] = wanted
    for network, wanted in networks.items():
        yield line(path, "network", network, network_error(finals.get(network), wanted, run.renamed))


def read_run(path):
    """(meta, {key: array}) of a file. Raises InputError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        meta = json.loads(str(arrays.pop("meta")))
        if meta["kind"] not in KINDS:
            raise ValueError(f"kind: {meta['kind']}, expected one of {', '.join(KINDS)}")
        return meta, arrays
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(f"{path}: {type(error).__name__}: {error}") from None


def rebuilt(run, meta, recorded, folder):
    """(Trainer with the file's weights, {term: {step: float}} that fills as it runs)."""
    chosen = {
        "train.steps": meta["steps"], "train.log_every": 1, "train.save_every": 0, "train.preview_every": 0,
        "train.validate_every": 0, **run.overrides,
    }  # fmt: skip
    for key, (build, gain) in run.losses.items():
        chosen[key] = folder / f"{key.rpartition('.')[2]}.pdparams"
        checkpoint.write_weights(chosen[key], inputs.filled(build(), gain))
    config = configuration.load(ROOT / "configs" / run.config, [(key, value, key) for key, value in chosen.items()])
    system, calls, log = build_system(config), iter(range(10**9)), {}
    if run.prepare:
        run.prepare(system)
    if run.noise:
        distributed.normal.side_effect = lambda shape: paddle.to_tensor(run.noise(next(calls), tuple(shape)))
    noted(system, log, run.state)
    trainer = Trainer(config, system, folder, Batches(run.batch))
    for name, network in system.networks.items():
        prefix = f"init/{name}/"
        arrays = {key.removeprefix(prefix): value for key, value in recorded.items() if key.startswith(prefix)}
        arrays = {key: array.astype(np.float64) for key, array in arrays.items()}
        load_into(network, run.renamed(network, arrays), prefix)
    trainer.ema.restart(system.networks)
    return trainer, log


def noted(system, log, state):
    """Let `train_step` also put what it gives, and the named state, into `log`: {term: {step: float}}."""
    train_step = system.train_step

    def noting(batch, step, update):
        found = train_step(batch, step, update)
        for name, value in (found | {name: system.state[name] for name in state}).items():
            log.setdefault(name, {})[step] = float(value)
        return found

    system.train_step = noting


@contextmanager
def in_float64():
    """Layers, constants and draws are float64 inside the block, noise may be replaced, the Trainer tells nothing."""
    before, silent = paddle.get_default_dtype(), logging.root.manager.disable
    paddle.set_default_dtype("float64")
    logging.disable(logging.WARNING)
    try:
        with mock.patch.object(distributed, "normal", mock.Mock(side_effect=distributed.normal)):
            yield
    finally:
        paddle.set_default_dtype(before)
        logging.disable(silent)


def parts_of(recorded, kind):
    """{name: array} of the entries `<kind>/<name>`."""
    return {key.partition("/")[2]: value for key, value in recorded.items() if key.startswith(f"{kind}/")}


def term_error(found, wanted, is_state):
    """Largest relative difference over the steps that have the term; infinite where other steps have it.

    The state is there at every step, a file may hold it at those that move it.
    """
    ours = np.array([found.get(step, np.nan) for step in range(len(wanted))])
    with_one = ~np.isnan(wanted)
    if not np.array_equal(with_one, with_one & ~np.isnan(ours) if is_state else ~np.isnan(ours)):
        return np.inf
    scale = np.maximum(np.abs(wanted[with_one]), 1e-12)
    return float((np.abs(ours[with_one] - wanted[with_one]) / scale).max(initial=0.0))


def network_error(network, wanted, renamed):
    """Relative l2 difference of all recorded weights of a network."""
    wanted = renamed(network, wanted) if network else wanted
    found = {key: tensor.numpy() for key, tensor in network.state_dict().items()} if network else {}
    if not wanted.keys() <= found.keys():
        return np.inf
    missed = sum(float(((found[key] - array) ** 2).sum()) for key, array in wanted.items())
    return (missed / sum(float((array**2).sum()) for array in wanted.values())) ** 0.5


def line(path, what, name, error):
    """One line of the report."""
    return {"run": Path(path).stem, what: name, "error": error, "tolerance": LIMIT, "ok": bool(error <= LIMIT)}

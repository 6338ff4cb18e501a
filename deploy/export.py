"""Write a system's network as a static graph with its contract, and prove that the graph computes the same.

NAME.json + NAME.pdiparams (Paddle 3) and on request NAME.pdmodel (legacy, the same NAME.pdiparams), with NAME.yaml:
deploy.contract.Contract, with where the weights came from and the largest difference that was measured.
The files appear together, after the checks, or not at all.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import paddle

from deploy.contract import Contract, DynamicGraph, contract_of, written_contract
from deploy.predictor import Predictor
from engine.errors import InputError
from engine.log import logger, stages
from engine.ports import Exported, Port

TOLERANCE = 1e-4  # largest difference between training form and exported graph; images are in [0, 1]
BATCH_SIZES = (1, 3)
Batches = dict[int, dict[str, np.ndarray]]
FREE_SIDE = 128  # height and width of the checked input where the contract leaves them free


class ExportMismatch(Exception):
    """The exported graph and the training form disagree: a bug here or in Paddle, not the user's mistake."""


def export(
    exported: Exported,
    folder: str | Path,
    name: str = "inference",
    legacy: bool = False,
    facts: dict | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Save, check, then publish one graph.

    Args:
        exported: engine.system.Exported; its `reference` (default: the layer itself) is what the graph must equal.
        folder: where the files go; made if missing.
        name: their name without suffix.
        legacy: also write NAME.pdmodel.
        facts: further entries of the contract, e.g. {"system": ..., "config": ..., "weights": ...}.
        seed: of the checked input.

    Returns:
        dict of check ("Paddle 3, oneDNN on, batch 1") -> largest absolute difference.

    Raises:
        InputError: the folder cannot be written, or the legacy format has no operator for a part of the network.
        ExportMismatch: a difference above TOLERANCE, or not a number.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=".export_", dir=folder))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from error
    try:
        base = workshop / name
        with stages(3) as begin:
            begin("running the training form")
            inputs, wanted = _references(exported, name, seed)
            begin("writing the graph")
            contract = write_graph(exported, base, legacy, facts)
            begin("comparing")
            differences = compare(base, inputs, wanted)
        write_contract(base, contract.model_copy(update={"max_difference": differences}))
        publish(workshop, folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return differences


def write_graph(exported: Exported, base: Path, legacy: bool = False, facts: dict | None = None) -> Contract:
    """Save a graph with its contract, unchecked; see `export`."""
    save(exported, base, legacy)
    contract = describe(exported, base, facts)
    write_contract(base, contract)
    return contract


def save(exported: Exported, base: Path, legacy: bool) -> None:
    """Write BASE.json and BASE.pdiparams, and BASE.pdmodel if asked for; dynamic axes where a port's shape has -1."""
    layer = exported.built()
    specs = [paddle.static.InputSpec(list(port.shape), "float32", name=port.name) for port in exported.inputs]
    if legacy:
        from deploy import legacy_ir

        legacy_ir.save(layer, specs, base)
        base.with_suffix(".pdiparams.info").unlink(missing_ok=True)
        old_params = base.with_suffix(".pdiparams").read_bytes()
    paddle.jit.save(layer, str(base), input_spec=specs)
    if legacy and old_params != base.with_suffix(".pdiparams").read_bytes():
        raise ExportMismatch(f"{base.name}: the two formats order their parameters differently")


def describe(exported: Exported, base: Path, facts: dict | None = None) -> Contract:
    """The contract of a saved graph with the sizes of its files."""
    files = sorted(path for path in base.parent.iterdir() if path.suffix != ".yaml")
    sizes = {path.name: path.stat().st_size for path in files}
    return contract_of(exported, paddle=paddle.__version__, files=sizes, **(facts or {}))


def write_contract(base: Path, contract: Contract) -> None:
    """Write BASE.yaml."""
    base.with_suffix(".yaml").write_text(written_contract(contract), encoding="utf-8")


def seeded_inputs(ports: Iterable[Port], batch: int, seed: int) -> dict[str, np.ndarray]:
    """One array per port: coarse and fine noise for an image, blocks for a mask, normal draws for the rest."""
    random = np.random.default_rng(seed)
    return {
        port.name: _seeded(port, [batch if n == -1 and i == 0 else n for i, n in enumerate(port.shape)], random)
        for port in ports
    }


def _seeded(port, shape, random):
    if port.kind not in ("image", "mask"):
        return random.standard_normal(shape).astype(np.float32)
    shape = [FREE_SIDE if size == -1 else size for size in shape]
    coarse = random.random([*shape[:2], -(-shape[2] // 8), -(-shape[3] // 8)]).repeat(8, axis=2).repeat(8, axis=3)
    coarse = coarse[:, :, : shape[2], : shape[3]]
    if port.kind == "mask":
        return np.float32(coarse > 0.5)
    low, high = port.range
    return np.float32(low + (high - low) * (0.7 * coarse + 0.3 * random.random(shape)))


def _references(exported, name, seed):
    """Seeded inputs and what the training form makes of them, by batch size; InputError where that is not finite."""
    reference = DynamicGraph(exported)
    inputs = {batch: seeded_inputs(exported.inputs, batch, seed) for batch in BATCH_SIZES}
    wanted = {batch: reference.run(arrays) for batch, arrays in inputs.items()}
    if endless := [port for found in wanted.values() for port in found if not np.isfinite(found[port]).all()]:
        raise InputError(f"{name}: output '{endless[0]}' of the training form is not finite; check the weights")
    return inputs, wanted


def compare(base: Path, inputs: Batches, wanted: Batches) -> dict[str, float]:
    """Largest differences of every written format, with and without oneDNN, from the training form.

    Args:
        base: the files without suffix.
        inputs, wanted: batch size -> arrays by name, what goes in and what has to come out.

    Raises:
        ExportMismatch: one is above TOLERANCE or not a number.
    """
    differences = {}
    for suffix, label in ((".json", "Paddle 3"), (".pdmodel", "legacy")):
        if not base.with_suffix(suffix).exists():
            continue
        for use_mkldnn in (True, False):
            predictor = _read_back(base.with_suffix(suffix), use_mkldnn)
            for batch, arrays in inputs.items():
                check = f"{label}, oneDNN {'on' if use_mkldnn else 'off'}, batch {batch}"
                differences[check] = _largest_difference(predictor.run(arrays), wanted[batch])
                logger.info(f"{check}: largest difference {differences[check]:.1e} (limit {TOLERANCE:.0e})")
    wrong = {check: value for check, value in differences.items() if not value <= TOLERANCE}
    if wrong:
        raise ExportMismatch(f"{base.name}: differs from the training form by more than {TOLERANCE:.0e}: {wrong}")
    return differences


def _read_back(program_file, use_mkldnn):
    """A Predictor. Paddle notices nothing when it writes to a full disk, so a file that was cut shows up here."""
    try:
        return Predictor(program_file, use_mkldnn=use_mkldnn)
    except InputError as error:
        raise InputError(f"{error}; it was written a moment ago: is the disk full?") from error


def _largest_difference(found, wanted):
    """Of all outputs; infinite where a shape differs, not a number where a value is none."""
    same = all(found[name].shape == wanted[name].shape for name in wanted)
    return float(max(np.abs(found[name] - wanted[name]).max() for name in wanted)) if same else float("inf")


def publish(workshop: Path, folder: Path) -> None:
    """Move the files into the folder. The contract goes last and an older one first, so no half is ever accepted."""
    written = sorted(workshop.iterdir(), key=lambda path: path.suffix == ".yaml")
    for suffix in (".yaml", ".pdmodel"):
        (folder / written[-1].name).with_suffix(suffix).unlink(missing_ok=True)
    for path in written:
        os.replace(path, folder / path.name)

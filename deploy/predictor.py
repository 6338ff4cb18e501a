"""Run an exported model with Paddle Inference: named arrays in, named arrays out.

A model is NAME.json (Paddle 3) or NAME.pdmodel (the legacy format), NAME.pdiparams, and NAME.yaml, the contract that
says what goes in and what comes out (deploy/export.py writes it). The network's own code is not needed.
"""

import ctypes
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle.inference import Config, PrecisionType, create_predictor

from deploy.contract import Arrays, check_ports, fits, read_contract
from deploy.flags import PRECISIONS
from engine.errors import InputError
from engine.log import logger

PROGRAM_SUFFIXES = (".json", ".pdmodel")
WRONG_PASSES = (  # of oneDNN in Paddle 3.3.1; no graph may run them
    "reshape_transpose_matmul_fuse_pass",  # attention comes out wrong without an error
)
ACTIVATION_PASS = "conv_activation_onednn_fuse_pass"  # reads a slope, stored as a double, as a float: garbage, a crash
WITH_NUMBERS = {"leaky_relu", "clip", "gelu", "hardsigmoid", "hardswish", "mish", "relu6", "swish"}  # activations


def keep_memory() -> None:
    """Let the C library keep freed memory, in one arena, instead of giving every large tensor back to the system.

    Makes training and inference faster (docs/reproduction.md); call before anything large is allocated. Threads share
    the arena: with one for each, a server would grow, as what one thread kept is of no use to the others. Without
    glibc, nothing.
    """
    try:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    except (OSError, TypeError):  # Windows names its C library otherwise
        return
    if mallopt is not None:
        m_mmap_max, m_trim_threshold, m_top_pad, m_arena_max = -4, -1, -2, -8  # names of malloc.h
        mallopt(m_mmap_max, 0)
        mallopt(m_trim_threshold, 2**31 - 1)
        mallopt(m_top_pad, 1 << 28)
        mallopt(m_arena_max, 1)


@dataclass(frozen=True)
class Options:
    """Options of running a model.

    Attributes:
        use_gpu: an error where there is none, never a silent fall to the CPU.
        use_mkldnn: oneDNN; False really switches off what Paddle has on by default. Without meaning on a GPU.
        cpu_threads: None: as many as engine.runtime set.
        precision: "fp32", "bf16" (CPU with oneDNN) or "fp16" (GPU).
        use_trt: TensorRT, on a GPU.
    """

    use_gpu: bool = False
    use_mkldnn: bool = True
    cpu_threads: int | None = None
    precision: str = "fp32"
    use_trt: bool = False

    def check(self) -> None:
        """InputError where the options contradict each other or this machine."""
        if self.precision not in PRECISIONS:
            raise InputError(f"precision {self.precision}: expected one of {', '.join(PRECISIONS)}")
        if self.use_gpu and not (paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count()):
            raise InputError("use_gpu: Paddle sees no GPU; expected paddlepaddle-gpu and a CUDA device")
        if self.use_trt and not self.use_gpu:
            raise InputError("use_trt: TensorRT needs use_gpu True")
        if self.precision == "fp16" and not self.use_gpu:
            raise InputError("precision fp16: needs use_gpu True; a CPU takes fp32 or bf16")
        if self.precision == "bf16" and (self.use_gpu or not self.use_mkldnn):
            raise InputError("precision bf16: needs oneDNN on a CPU, so use_mkldnn True and use_gpu False")
        if self.cpu_threads is not None and self.cpu_threads < 1:
            raise InputError(f"cpu_threads {self.cpu_threads}: expected at least 1")


def model_files(folder: str | Path) -> tuple[Path, Path]:
    """The program and the parameter file in a folder: *.json before *.pdmodel, `inference.*` before other names.

    Raises:
        InputError: no folder, no model in it, or several of which none is named `inference`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one that export_model.py --save_inference_dir wrote")
    for suffix in PROGRAM_SUFFIXES:
        programs = sorted(path for path in folder.glob(f"*{suffix}") if path.with_suffix(".pdiparams").is_file())
        programs = [path for path in programs if path.stem == "inference"] or programs
        if len(programs) > 1:
            raise InputError(f"{folder}: holds {', '.join(path.name for path in programs)}; name one with --model_file")
        if programs:
            return programs[0], programs[0].with_suffix(".pdiparams")
    raise InputError(f"{folder}: holds no exported model; expected NAME.json (or NAME.pdmodel) with NAME.pdiparams")


def operators(program_file: str | Path) -> list[tuple[str, dict]]:
    """[(name, {attribute: value})] of every operator of a NAME.json, in the order of the program.

    Raises:
        InputError: it is no Paddle 3 program.
    """
    try:
        program = json.loads(Path(program_file).read_text(encoding="utf-8"))["program"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{program_file}: not a Paddle 3 program ({error}); export_model.py writes one") from None
    return list(_walk(program["regions"]))


def _walk(regions: list) -> Iterator[tuple[str, dict]]:
    for block in (block for region in regions for block in region["blocks"]):
        for operator in block["ops"]:
            attributes = {item["N"]: item["AT"].get("D") for item in operator.get("A", []) if isinstance(item, dict)}
            yield operator["#"].split(".")[-1], attributes
            yield from _walk(operator.get("regions", []))


def wrong_passes(program_file: Path) -> set[str]:
    """Passes of oneDNN that a program must not be given. A legacy program does not tell its operators: all of them."""
    with suppress(InputError):  # a damaged one, of which Paddle tells
        if WITH_NUMBERS.isdisjoint(name for name, _ in operators(program_file)):
            return set(WRONG_PASSES)
    return {*WRONG_PASSES, ACTIVATION_PASS}


def paddle_config(program_file: Path, params_file: Path, options: Options, delete_passes: Iterable[str] = ()) -> Config:
    """paddle.inference.Config for two files and checked Options, less the passes that are wrong."""
    config = Config(str(program_file), str(params_file))
    config.disable_glog_info()
    if options.use_gpu:
        precision = PrecisionType.Half if options.precision == "fp16" else PrecisionType.Float32
        config.enable_use_gpu(256, 0, precision)
        if options.use_trt:
            config.enable_tensorrt_engine(precision_mode=precision)
        return config
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(options.cpu_threads or int(os.environ["OMP_NUM_THREADS"]))
    if not options.use_mkldnn:
        config.disable_mkldnn()
        return config
    config.enable_mkldnn()
    for name in {*wrong_passes(program_file), *delete_passes}:
        config.delete_pass(name)
    if options.precision == "bf16":
        if not paddle.base.core.supports_bfloat16():
            logger.warning("precision bf16: this processor has no AVX-512, so oneDNN computes in float32")
        config.delete_pass(ACTIVATION_PASS)  # a convolution with its activation inside stays in float32
        config.enable_mkldnn_bfloat16()
    return config


def last_line(error: Exception) -> str:
    """The last line of an exception's text that says something; Paddle puts hints and places above and below it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("[", "-----", "C++ Traceback"))] or lines
    return lines[-1] if lines else type(error).__name__


class Predictor:
    """One exported model, ready to run; `contract` is what its NAME.yaml says, `config` Paddle's own settings."""

    def __init__(self, model: str | Path, params_file: str | Path | None = None, **options: Any) -> None:
        """Load a model.

        Args:
            model: its folder, or its program file.
            params_file: default: beside the program file, of the same name.
            options: fields of Options.

        Raises:
            InputError: a file is missing or damaged, or the options cannot be had here.
        """
        self.options = Options(**options)
        self.options.check()
        model = Path(model)
        if model.suffix in PROGRAM_SUFFIXES:
            self.program_file, self.params_file = model, Path(params_file or model.with_suffix(".pdiparams"))
        else:
            self.program_file, self.params_file = model_files(model)
        other = self.program_file.with_suffix(".json")
        if not self.program_file.is_file() and other.is_file():
            print(f"{self.program_file}: is not there; {other.name}, Paddle 3's form of it, is taken", file=sys.stderr)
            self.program_file = other
        for path in (self.program_file, self.params_file):
            if not path.is_file():
                raise InputError(f"{path}: no such file; expected one that export_model.py wrote")
        self.contract, self.name = read_contract(self.program_file), str(self.program_file)
        self._check_sizes()
        self.config = paddle_config(self.program_file, self.params_file, self.options, self.contract.delete_passes)
        try:
            self._paddle = create_predictor(self.config)
        except (RuntimeError, ValueError, TypeError) as error:  # what Paddle raises for damaged files
            raise InputError(f"{self.program_file}: Paddle cannot load it ({last_line(error)})") from error
        check_ports(self.program_file, self.contract, self._shapes(), len(self._paddle.get_output_names()))

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Run the model once; from one thread at a time (deploy.session is for several).

        Args:
            arrays: input name -> array in the contract's shape and range, one batch size for all.

        Returns:
            dict output name -> array.

        Raises:
            InputError: an input is missing or misshapen, or the graph cannot run in the asked precision.
        """
        for port in self.contract.inputs:
            self._check(port, arrays)
            handle = self._paddle.get_input_handle(port.name)
            handle.copy_from_cpu(np.ascontiguousarray(arrays[port.name], dtype=np.float32))
        try:
            self._paddle.run()
        except (RuntimeError, ValueError, TypeError) as error:
            how = ", ".join(f"{key}={value}" for key, value in asdict(self.options).items())
            raise InputError(f"{self.program_file}: cannot run with {how} ({last_line(error)})") from error
        finally:
            paddle.base.core.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))  # a run leaves one thread behind
        handles = [self._paddle.get_output_handle(name) for name in self._paddle.get_output_names()]
        return {port.name: handle.copy_to_cpu() for port, handle in zip(self.contract.outputs, handles, strict=True)}

    def _shapes(self):
        """Input name -> shape; a legacy program tells its names only, so there the shapes are the contract's."""
        if self.program_file.suffix == ".json":
            found = [attributes for name, attributes in operators(self.program_file) if name == "data"]
            return {attributes["name"]: attributes["shape"] for attributes in found}
        promised = {port.name: port.shape for port in self.contract.inputs}
        return {name: promised.get(name, ()) for name in self._paddle.get_input_names()}

    def _check(self, port, arrays):
        if port.name not in arrays:
            raise InputError(
                f"{self.program_file}: input '{port.name}' {list(port.shape)} is missing; found {sorted(arrays)}"
            )
        if not fits(port.shape, found := np.shape(arrays[port.name])):
            raise InputError(
                f"{self.program_file}: input '{port.name}' has shape {list(found)}, expected {list(port.shape)}; "
                "deploy.session.Session takes pictures of any size"
            )

    def _check_sizes(self):
        """A file cut short is refused before Paddle reads it."""
        for path in (self.program_file, self.params_file):
            found, expected = path.stat().st_size, self.contract.files.get(path.name)
            if expected not in (None, found):
                raise InputError(f"{path}: {found} bytes, expected {expected}; export the model again")

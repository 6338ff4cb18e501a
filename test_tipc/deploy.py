"""Two chains on an exported model: ONNX (paddle2onnx, onnxruntime) and int8 (post-training quantisation).

python -m test_tipc.deploy test_tipc/configs/GPEN/paddle2onnx_infer_python.txt paddle2onnx_infer
python -m test_tipc.deploy test_tipc/configs/GPEN/train_ptq_infer_python.txt whole_infer

Exit status as of test_tipc/runner.py. The commands are those of the official scripts; the verdict is ours: an ONNX file
must give Paddle Inference's numbers to 1e-4 at two batch sizes, an int8 model must be int8 and near its fp32 form.

Source: test_paddle2onnx.sh and test_ptq_inference_python.sh of mobilenetv3_prod/Step6, PaddlePaddle/models 8042c21b
(read, not copied).
"""

import json
import sys
from pathlib import Path

from deploy import onnx as onnx_graph
from deploy import quantise
from deploy.predictor import model_files
from engine import cli
from engine.errors import InputError
from test_tipc import checks
from test_tipc.chain import Stage
from test_tipc.parser import check_mode, read_config
from test_tipc.plan import ASSEMBLY
from test_tipc.runner import FLAGS, PLACES, TIME_LIMIT, Runner, show

MODES = {"paddle2onnx_infer": "paddle2onnx", "whole_infer": "ptq"}
LARGEST_LOSS = 1.0  # dB of PSNR that the int8 pictures may lose against the clean ones


class Paddle2Onnx:
    """13 lines: convert, then run the ONNX file on pictures."""

    official_script = "PaddlePaddle/models mobilenetv3_prod/Step6, test_paddle2onnx.sh, 13 lines"

    @staticmethod
    def log_folder(config, mode):
        """One folder for each model and mode."""
        return f"./test_tipc/output/{config.value('model_name')}/{mode}"

    @staticmethod
    def stages(config):
        """The two commands of a file."""
        folder = Paddle2Onnx.log_folder(config, "paddle2onnx_infer")
        flags = ("model_dir", "model_filename", "params_filename", "save_file", "opset_version", "enable_onnx_checker")
        convert = " ".join([config.value("converter").strip(), *map(config.flag, flags)])
        infer = " ".join(
            [config.value("python"), config.value("inference"), config.flag("onnx_file"), config.flag("image_dir")]
        )
        onnx_file, model_dir = config.value("save_file"), config.value("model_dir")
        facts = {"images": config.value("image_dir"), "precision": "fp32", "model_dir": model_dir}
        return [
            Stage(
                "convert",
                "paddle2onnx",
                convert,
                "",
                f"{folder}/paddle2onnx_infer_cpu.log",
                onnx_file,
                config.slots["converter"].number,
                facts,
            ),
            Stage(
                "infer",
                "onnx_infer",
                infer,
                "paddle2onnx",
                f"{folder}/paddle2onnx_infer_cpu_onnx.log",
                config.value("onnx_file"),
                config.slots["inference"].number,
                facts,
            ),
        ]


class PostTraining:
    """20 lines: quantise, then run the int8 model on pictures."""

    official_script = "PaddlePaddle/models mobilenetv3_prod/Step6, test_ptq_inference_python.sh, 20 lines"
    log_folder = Paddle2Onnx.log_folder

    @staticmethod
    def stages(config):
        """The two commands of a file; the official script has the first one commented out."""
        folder, python = PostTraining.log_folder(config, "whole_infer"), config.value("python")
        flags = ("use_gpu", "model_path", "output_dir", "data_dir", "batch_num", "batch_size")
        command = " ".join([python, config.value("ptq"), *map(config.flag, flags)])
        facts = {"images": config.value("image_dir"), "precision": "int8", "data_dir": config.value("data_dir")}
        model = config.value("output_dir")
        stages = [Stage("quantise", "ptq", command, "", "", model, config.slots["ptq"].number, facts)]
        for batch in config.choices("infer_batch_size"):
            flags = [
                config.flag("infer_device"),
                config.flag("model_dir"),
                config.flag("infer_batch_size", batch),
                config.flag("image_dir"),
                config.flag("benchmark"),
            ]
            command = " ".join([python, config.value("inference"), *flags])
            stages.append(
                Stage(
                    "infer",
                    f"infer_batch_{batch}",
                    command,
                    "ptq",
                    f"{folder}/python_infer_cpu_batchsize_{batch}.log",
                    config.value("model_dir"),
                    config.slots["inference"].number,
                    facts,
                )
            )
        return stages


ASSEMBLY |= {"paddle2onnx": Paddle2Onnx, "ptq": PostTraining}


def check_convert(stage, text, began):
    """(reasons, facts): a new ONNX file whose numbers are those of Paddle Inference, computed here once more."""
    missing = checks.not_new(stage.output, began)
    if missing:
        return [missing], {}
    try:
        program, _ = model_files(stage.facts["model_dir"])
        return [], onnx_graph.compare(stage.output, program, seed=1)
    except (InputError, onnx_graph.OnnxMismatch) as error:
        return [str(error)], {}


def check_quantise(stage, text, began):
    """(reasons, facts): a new model that is int8 and near fp32, measured here once more."""
    folder = Path(stage.output)
    int8_file, fp32_file = folder / quantise.NAME, folder / "fp32.onnx"
    missing = [reason for reason in (checks.not_new(path, began) for path in (int8_file, fp32_file)) if reason]
    if missing:
        return missing, {}
    operators = {node.op_type for node in onnx_graph.extra("onnx").load(str(int8_file)).graph.node}
    if "QuantizeLinear" not in operators:
        return [f"{int8_file}: no operator is quantised; it is the fp32 model under another name"], {}
    try:
        told = json.loads((folder / quantise.REPORT).read_text(encoding="utf-8"))
        found = quantise.measure(fp32_file, int8_file, stage.facts["data_dir"], 1)
        quantise.verdict(found)
    except (InputError, OSError, ValueError) as error:
        return [str(error)], {}
    lost = told.get("fp32_psnr", 0) - told.get("int8_psnr", 0)
    reasons = [f"int8 loses {lost:.2f} dB against the clean pictures"] if not lost <= LARGEST_LOSS else []
    return reasons, told


class DeployRunner(Runner):
    """A Runner that also knows how to judge a conversion and a quantisation."""

    checks = checks.CHECKS | {"convert": check_convert, "quantise": check_quantise}


def main(words=None):
    """Read, plan, and print or run; returns the exit status."""
    arguments = cli.read(__doc__, FLAGS, words, PLACES)
    check_mode(arguments.mode, tuple(MODES))
    dialect = MODES[arguments.mode]
    config = read_config(arguments.config, dialect)
    stages = ASSEMBLY[dialect].stages(config)
    told = sys.stderr if arguments.dry_run else sys.stdout
    print(f"{config.path}: {dialect}; commands as by {ASSEMBLY[dialect].official_script}", file=told)
    if arguments.dry_run:
        return show(config, stages)
    runner = DeployRunner(config, arguments.mode, stages, {}, arguments.time_limit or TIME_LIMIT)
    runner.records = "results_paddle2onnx" if dialect == "paddle2onnx" else "results_ptq"
    return runner.run()


if __name__ == "__main__":
    cli.guarded(main)

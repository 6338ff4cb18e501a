"""Write trained weights as a static graph for Paddle Inference, and check it against the training form.

python export_model.py -c configs/gpen_lite.yaml --pretrained weights/lite/gpen_lite.pdparams
python export_model.py --model_path W.pdparams --save_dir inference/GPEN
"""

from pathlib import Path

import engine  # noqa: F401  thread environment before Paddle
from engine import cli
from engine.cli import Flag
from engine.config import digest

FLAGS = {
    "pretrained": Flag("trained weights", aliases=("--model_path", "-w", "--w"), metavar="FILE"),
    "save_inference_dir": Flag("folder for the files inference.*; default: inference/<config>", metavar="DIR"),
    "save_dir": Flag("the same, with files named model.*", metavar="DIR"),
    "ir": Flag(
        "pir: write NAME.json; legacy: also write NAME.pdmodel",
        cli.choice("pir", "legacy"),
        default="pir",
        metavar="pir|legacy",
    ),
}


def main():
    """Parse, load, export every graph of the system."""
    args = cli.parse(__doc__, {}, own=FLAGS, standing=("device", "seed"), reads_data=False)
    from deploy.export import export
    from engine.log import logger, to_console
    from engine.system import build_system, choose_device
    from engine.weights.networks import trained_networks

    to_console()
    choose_device(args.device)
    system = build_system(args.config)
    networks = trained_networks(system, args.pretrained, args.config_path)
    folder = Path(args.save_dir or args.save_inference_dir or f"inference/{args.config_path.stem}")
    facts = {
        "system": args.config.system,
        "config": str(args.config_path),
        "config_hash": digest(args.config),
        "weights": str(args.pretrained),
    }
    for graph, exported in system.inference(networks).items():
        name = "model" if args.save_dir else "inference"
        differences = export(exported, folder / graph, name, args.ir == "legacy", facts, args.config.seed)
        largest = max(differences.values())
        logger.info(f"{folder / graph / name}.*: largest difference to the training form {largest:.1e}")
    return 0


if __name__ == "__main__":
    cli.guarded(main)

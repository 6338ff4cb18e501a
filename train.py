"""Train the system of a YAML file.

python train.py -c configs/gpen_lite.yaml --data_dir lite_data --iters 200
python train.py -c configs/gpen_256.yaml --output_dir runs/first --resume auto
"""

import sys

import engine  # noqa: F401  thread environment before Paddle
from data_loader.batches import EvaluationBatches, TrainingBatches
from engine import cli, distributed
from engine.build import build_dataset, build_system
from engine.cli import Flag
from engine.files import check_writable
from engine.log import logger, to_console
from engine.training import profile
from engine.training.run_folder import make_run_folder, resume_point, run_folder, save_config, settled, with_folder
from engine.training.trainer import Stopped, Trainer
from metric.evaluation import registry
from metric.evaluation.evaluate import evaluate

FLAGS = {
    "data_dir": Flag("folder with training pictures", metavar="DIR"),
    "resume": Flag("go on from a run's newest checkpoint, or a named one", metavar="auto|FOLDER"),
    "pretrained": Flag("weights to start from", aliases=("--pretrain",), metavar="FILE"),
    "profiler_options": Flag("trace some steps: batch_range=[10,20];state=CPU;profile_path=FILE", metavar="TEXT"),
}


def taken_up(args):
    """(configuration with its run folder, the checkpoint it goes on from or None) of the command line."""
    checkpoint = resume_point(args.resume, args.config, args.config_path) if args.resume else None
    if args.resume and checkpoint is None:
        logger.info("--resume auto: no checkpoint yet, starting at step 0")
    folder = checkpoint.parent if checkpoint else run_folder(args.config, args.config_path)
    return with_folder(args.config, folder), checkpoint


def assembled(config, training, profiler_options):
    """The Trainer of a configuration and its training set."""
    folder = config.output.dir
    workers, size, rank = config.data.num_workers, config.data.batch_size, distributed.rank()
    batches = TrainingBatches(training, config.seed, size, workers, rank, distributed.world_size())
    if profiler_options and distributed.is_main():
        batches = profile.ProfiledBatches(batches, profiler_options, folder)
    checks = EvaluationBatches(build_dataset(config.data.validation, config.seed, training=False), size, 0)
    system = build_system(config)
    scorers, missing = registry.of_validation(config, system)
    for name, reason in missing.items():
        logger.warning(f"{name}: not computed, {reason}")
    return Trainer(
        config,
        system,
        folder,
        batches,
        preview_batch=lambda: next(iter(checks)),
        evaluate=lambda networks: evaluate(system, networks, checks, scorers).numbers(),
    )


def main():
    """Parse, build, run."""
    args = cli.parse(
        __doc__,
        {"data_dir": "data.train.root"},
        own=FLAGS,
        standing=("device", "output_dir", "iters", "batch_size", "precision", "to_static", "seed", "max_pixels"),
    )
    distributed.start(args.device)
    to_console()
    config, checkpoint = taken_up(args)
    training = build_dataset(config.data.train, config.seed, training=True)
    config = settled(config, training, checkpoint, args.pretrained)
    folder, world = config.output.dir, distributed.world_size()
    trainer = assembled(config, training, args.profiler_options)
    if checkpoint is not None:
        trainer.resume(checkpoint)
    elif args.pretrained:
        trainer.load_pretrained(args.pretrained)
    if distributed.is_main():
        check_writable(config.output.samples or folder)
        if checkpoint is None:
            make_run_folder(folder)
        save_config(config, folder)
    steps, together = config.train.steps, f", {world} processes" if world > 1 else ""
    logger.info(f"{config.system}: {len(training)} training pictures, {steps} steps, run folder {folder}{together}")
    try:
        trainer.run()
    except Stopped as stop:
        print(f"stopped by {stop} at step {trainer.step}; go on with --resume {folder}", file=sys.stderr)
        return stop.status
    logger.info(f"done: {folder}/latest.pdparams")
    return 0


if __name__ == "__main__":
    cli.guarded(main)

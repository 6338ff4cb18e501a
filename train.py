"""Train the system of a YAML file.

python train.py -c configs/gpen_lite.yaml --data_dir lite_data --iters 200
python train.py -c configs/gpen_256.yaml --output_dir runs/first --resume auto
"""

import sys
from contextlib import ExitStack

import engine  # noqa: F401  thread environment before Paddle
from engine import cli
from engine.cli import Flag, boolean
from engine.files import check_writable

FLAGS = {
    "data_dir": Flag("folder with training pictures", metavar="DIR"),
    "resume": Flag("continue from the newest checkpoint of a run, or from a named one", metavar="auto|FOLDER"),
    "resume_with_changes": Flag(
        "resume even if rates, batch size, weights or other keys differ; the changes are recorded", boolean
    ),
    "pretrained": Flag("weights to start from", aliases=("--pretrain",), metavar="FILE"),
    "profiler_options": Flag("trace some steps: batch_range=[10,20];state=CPU;profile_path=FILE", metavar="TEXT"),
}


def assembled(config, training, profiler_options):
    """The Trainer of a configuration and its training set."""
    from data_loader.batches import EvaluationBatches, TrainingBatches
    from engine import distributed
    from engine.log import logger
    from engine.system import build_dataset, build_system
    from engine.training import profile
    from engine.training.trainer import Trainer
    from metric.evaluation import registry
    from metric.evaluation.evaluate import evaluate

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
    from deploy.predictor import keep_memory
    from engine import distributed
    from engine.log import logger, to_console
    from engine.system import choose_device

    to_console()
    keep_memory()
    choose_device(args.device)
    distributed.join()
    if args.flags.config is None:
        logger.info(f"no -c: {args.config.system}, {args.config_path}; for another: -c configs/NAME.yaml")
    with ExitStack() as held:
        return run(args, held)


def run(args, held):
    """Build and run; returns the exit status."""
    from engine import distributed
    from engine.log import logger
    from engine.training.run_folder import make_run_folder, read, save_config, taken_up
    from engine.training.stopping import Stopped

    config, checkpoint = distributed.agreed(lambda: taken_up(args, held))
    config, training = distributed.agreed(lambda: read(config, checkpoint, args.pretrained))
    folder, world = config.output.dir, distributed.world_size()
    trainer = assembled(config, training, args.profiler_options)
    if checkpoint is not None:
        trainer.resume(checkpoint, args.resume_with_changes)
        if trainer.step > config.train.steps:
            logger.info(f"{folder} is at step {trainer.step} already; {config.train.steps} steps ask for nothing more")
            return 0
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

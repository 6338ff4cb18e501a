"""A training run: the loop, one optimizer step, averages, checkpoints, static capture, profile."""

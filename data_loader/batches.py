"""Batches in an order that depends on the seed and the step number alone.

A sample is addressed by (epoch, index) and draws its randomness from (seed, epoch, index), so the number of workers and
the step a run was resumed at change nothing. Unreadable files are named once, counted, and passed over.
"""

import logging
import sys

import cv2
import numpy as np
from paddle.io import DataLoader

from engine.errors import InputError
from engine.runtime import usable_cores

logger = logging.getLogger("kintsugi")


class _Training:
    """A dataset whose unreadable samples are replaced by the next readable one, so that batches keep their size."""

    def __init__(self, dataset):
        self.dataset, self.reported = dataset, set()

    def __getitem__(self, key):
        epoch, index = key
        for offset in range(len(self.dataset)):
            try:
                return self.dataset[(epoch, (index + offset) % len(self.dataset))]
            except InputError as error:
                if str(error) not in self.reported:
                    self.reported.add(str(error))
                    print(f"skipped: {error}", file=sys.stderr, flush=True)
        raise InputError(f"none of the {len(self.dataset)} training files can be read")

    def __len__(self):
        return len(self.dataset)


class _Evaluation:
    """A dataset whose unreadable samples come back as their error text."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getitem__(self, key):
        try:
            return self.dataset[key]
        except InputError as error:
            return str(error)

    def __len__(self):
        return len(self.dataset)


def collate(samples):
    """Stack samples into a batch; texts stay lists. Error texts of skipped samples go to `skipped`."""
    kept = [sample for sample in samples if isinstance(sample, dict)]
    batch = {"skipped": [sample for sample in samples if not isinstance(sample, dict)]}
    for name in kept[0] if kept else ():
        values = [sample[name] for sample in kept]
        batch[name] = values if isinstance(values[0], str) else np.stack(values)
    return batch


class _Steps:
    """Batch sampler: the (epoch, index) keys of this rank's part of each step's joint batch."""

    def __init__(self, length, seed, batch_size, steps, rank, world):
        self.length, self.seed, self.batch_size, self.steps = length, seed, batch_size, steps
        self.rank, self.world = rank, world

    def __len__(self):
        return len(self.steps)

    def __iter__(self):
        order, shuffled = None, -1
        for step in self.steps:
            first = (step * self.world + self.rank) * self.batch_size
            keys = []
            for position in range(first, first + self.batch_size):
                epoch, place = divmod(position, self.length)
                if epoch != shuffled:
                    order, shuffled = np.random.default_rng([self.seed, epoch]).permutation(self.length), epoch
                keys.append((epoch, int(order[place])))
            yield keys


def default_workers():
    """Worker processes when the YAML names no number: one less than the cores, 1 to 8."""
    return min(8, max(1, usable_cores() - 1))


def _start_worker(_):
    cv2.setNumThreads(1)


class TrainingBatches:
    """Endless shuffled batches of a dataset, entered at any step."""

    def __init__(self, dataset, seed, batch_size, num_workers=None, rank=0, world=1):
        """Wrap a dataset.

        Args:
            dataset: object with `__len__` and `__getitem__((epoch, index))`.
            seed: of the order; the dataset has its own.
            batch_size: samples a step and process.
            num_workers: processes that prepare samples; None picks a number, 0 works in this process.
            rank: this process.
            world: number of processes.
        """
        self.dataset, self.seed, self.batch_size = _Training(dataset), seed, batch_size
        self.num_workers = default_workers() if num_workers is None else num_workers
        self.rank, self.world = rank, world

    def epoch(self, step):
        """Passes through the data completed before `step`."""
        return step * self.batch_size * self.world // len(self.dataset)

    def iterate(self, first_step, last_step):
        """Iterator of the batches of steps first_step .. last_step - 1."""
        steps = range(first_step, last_step)
        sampler = _Steps(len(self.dataset), self.seed, self.batch_size, steps, self.rank, self.world)
        return iter(_loader(self.dataset, sampler, self.num_workers))


class EvaluationBatches:
    """Every sample of a dataset once, in order."""

    def __init__(self, dataset, batch_size, num_workers=None):
        """Wrap a dataset; see TrainingBatches."""
        self.dataset, self.batch_size = _Evaluation(dataset), batch_size
        self.num_workers = default_workers() if num_workers is None else num_workers
        self.skipped = []

    def __len__(self):
        """Number of batches."""
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        """Batches of readable samples; `skipped` grows by the error texts of the others.

        Raises:
            InputError: none of the files can be read.
        """
        self.skipped = []
        keys = [(0, index) for index in range(len(self.dataset))]
        chunks = [keys[first : first + self.batch_size] for first in range(0, len(keys), self.batch_size)]
        for batch in _loader(self.dataset, chunks, self.num_workers):
            for text in batch.pop("skipped"):
                logger.warning(f"skipped: {text}")
                self.skipped.append(text)
            if batch:
                yield batch
        if len(self.skipped) == len(self.dataset):
            raise InputError(f"none of the {len(self.dataset)} files can be read; the first: {self.skipped[0]}")


def _loader(dataset, batch_sampler, num_workers):
    return DataLoader(dataset, batch_sampler=batch_sampler, num_workers=num_workers, collate_fn=collate,
                      worker_init_fn=_start_worker, return_list=True)

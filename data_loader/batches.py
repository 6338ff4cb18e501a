"""Batches in an order that depends only on the seed and the step number.

A sample is addressed by (epoch, index) and draws its randomness from (seed, epoch, index), so the number of workers and
the step a run was resumed at change nothing. Unreadable files are named once, counted, and passed over.
"""

import logging
import multiprocessing
import os
import signal
import threading

import cv2
import numpy as np
import paddle
from paddle.io import DataLoader

from engine.errors import InputError, WorkerDied
from engine.runtime import usable_cores

logger = logging.getLogger("kintsugi")


class _Readable:
    """A dataset whose samples come as (sample, error texts), so that an unreadable file raises nothing in a worker.

    With `replaces` the next readable sample takes an unreadable one's place and batches keep their size; without, and
    where none can be read, the sample is None.
    """

    def __init__(self, dataset, replaces):
        self.dataset, self.replaces = dataset, replaces

    def __getitem__(self, key):
        epoch, index = key
        errors = []
        for offset in range(len(self) if self.replaces else 1):
            try:
                return self.dataset[(epoch, (index + offset) % len(self))], errors
            except InputError as error:
                errors.append(str(error))
        return None, errors

    def __len__(self):
        return len(self.dataset)


def collate(samples):
    """Stack the readable of (sample, error texts) pairs into a batch; texts stay lists.

    `skipped` holds the error texts, `readable` the number of samples: the DataLoader ends at a batch without an array.
    """
    kept = [sample for sample, _ in samples if sample is not None]
    batch = {"skipped": [text for _, errors in samples for text in errors], "readable": np.array(len(kept))}
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
    """Leave Ctrl-C, and a SIGTERM to the whole group such as `timeout` sends, to the main process: it ends its step.

    Where a thread cannot wait for a signal (macOS, Windows) a SIGTERM ends the worker as any process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not (hasattr(signal, "pthread_sigmask") and hasattr(signal, "sigtimedwait")):
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()


def _leave_with(parent):
    """End this worker when its parent says so or is gone."""
    while os.getppid() == parent:
        sent = signal.sigtimedwait({signal.SIGTERM}, 1)
        if sent is not None and sent.si_pid == parent:
            break
    os._exit(0)


class TrainingBatches:
    """Endless shuffled batches of a dataset, entered at any step."""

    def __init__(self, dataset, seed, batch_size, num_workers=None, rank=0, world=1):
        """Wrap a dataset.

        Args:
            dataset: object with `__len__` and `__getitem__((epoch, index))`.
            seed: of the order; the dataset has its own.
            batch_size: samples per step and process.
            num_workers: processes that prepare samples; None picks a number, 0 works in this process.
            rank: this process.
            world: number of processes.
        """
        self.dataset, self.seed, self.batch_size = _Readable(dataset, replaces=True), seed, batch_size
        self.num_workers = default_workers() if num_workers is None else num_workers
        self.rank, self.world = rank, world
        self.skipped = []

    def epoch(self, step):
        """Passes through the data completed before `step`."""
        return step * self.batch_size * self.world // len(self.dataset)

    def iterate(self, first_step, last_step):
        """Batches of steps first_step .. last_step - 1; `skipped` grows by the error texts of files passed over.

        Raises:
            InputError: none of the files can be read.
        """
        steps = range(first_step, last_step)
        sampler = _Steps(len(self.dataset), self.seed, self.batch_size, steps, self.rank, self.world)
        for batch in _loader(self.dataset, sampler, self.num_workers):
            _report(batch.pop("skipped"), self.skipped)
            if not batch.pop("readable"):
                raise _none_readable(self.skipped, self.dataset)
            yield batch


class EvaluationBatches:
    """Every sample of a dataset once, in order."""

    def __init__(self, dataset, batch_size, num_workers=None):
        """Wrap a dataset; see TrainingBatches."""
        self.dataset, self.batch_size = _Readable(dataset, replaces=False), batch_size
        self.num_workers = default_workers() if num_workers is None else num_workers
        self.skipped = []

    def __len__(self):
        """Number of batches."""
        return (len(self.dataset) + self.batch_size - 1) // self.batch_size

    def __iter__(self):
        """Batches of readable samples; `skipped` grows by the error texts of the others.

        Raises:
            InputError: none of the files can be read.
        """
        self.skipped = []
        keys = [(0, index) for index in range(len(self.dataset))]
        chunks = [keys[first : first + self.batch_size] for first in range(0, len(keys), self.batch_size)]
        for batch in _loader(self.dataset, chunks, self.num_workers):
            _report(batch.pop("skipped"), self.skipped)
            if batch.pop("readable"):
                yield batch
        if len(self.skipped) == len(self.dataset):
            raise _none_readable(self.skipped, self.dataset)


def _report(texts, skipped):
    """Name every skipped file once, with the number of files so far."""
    for text in texts:
        if text not in skipped:
            skipped.append(text)
            logger.warning(f"skipped ({len(skipped)} so far): {text}")


def _none_readable(skipped, dataset):
    return InputError(f"none of the {len(dataset)} files can be read; the first: {skipped[0]}")


def _loader(dataset, batch_sampler, num_workers):
    """Batches of tensors, prepared here or by Paddle's DataLoader, in a form that cannot wait for ever.

    Without workers its reader thread, if it fails, leaves the main thread waiting, so there is no thread here. With
    workers, nothing is used that the parent's threads may hold at the fork: OpenCV's thread pool is put away before,
    and without shared memory a worker makes no tensor, so takes none of the locks of Paddle's allocator (nor does it
    need a large /dev/shm).
    """
    if num_workers:
        cv2.setNumThreads(1)
        loader = DataLoader(
            dataset,
            batch_sampler=batch_sampler,
            num_workers=num_workers,
            collate_fn=collate,
            worker_init_fn=_start_worker,
            return_list=True,
            use_shared_memory=False,
        )
        return _watched(loader)
    batches = (collate([dataset[key] for key in keys]) for keys in batch_sampler)
    return (
        {name: paddle.to_tensor(value) if isinstance(value, np.ndarray) else value for name, value in batch.items()}
        for batch in batches
    )


def _watched(loader):
    """The loader's batches; a worker that died ends them with one WorkerDied, between two batches and nowhere else.

    Paddle's own handler of SIGCHLD throws wherever the main thread is, in the middle of a training step too.
    """
    before = set(multiprocessing.active_children())
    batches = iter(loader)
    workers = set(multiprocessing.active_children()) - before
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while True:
        _check_alive(workers)
        try:
            batch = next(batches)
        except StopIteration:
            _check_alive(workers)
            return
        except SystemError:
            _check_alive(workers)
            raise
        yield batch


def _check_alive(workers):
    for worker in workers:
        if worker.exitcode:
            how = signal.Signals(-worker.exitcode).name if worker.exitcode < 0 else f"status {worker.exitcode}"
            raise WorkerDied(f"a data worker (process {worker.pid}) ended with {how}")

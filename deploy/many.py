"""A folder of any size through an exported model, over the processors and machines of a Ray cluster.

Every picture goes alone through the code of infer.py, so that its result is infer.py's byte for byte with the same
flags. manifest.json in the output folder says what is done; it is written whole, so a job that was ended in whatever
way goes on where it stood. Needs requirements-serve.txt.
"""

import hashlib
import json
import time
from argparse import Namespace
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import inference
from deploy.contract import Contract, numbers, read_contract
from deploy.files import Files
from deploy.photo_files import Photos
from deploy.predictor import Predictor, keep_memory, model_files
from deploy.samples import Sample, gathered
from deploy.session import Session
from engine import picture_files
from engine.errors import InputError
from engine.files import check_writable, write_json

UNIQUE = ("output_dir", "address", "workers", "cpus")  # flags that change no byte of a result
TRIES = 2  # workers that may die over a picture
START = 300  # seconds until the first worker is there


@dataclass(frozen=True)
class Job:
    """Settings of every worker: the model's folder, and the flags PHOTOS and PICTURES of deploy.flags."""

    model: str
    args: Namespace

    def contract(self) -> Contract:
        """Of the model. InputError: it is not there."""
        return read_contract(model_files(self.model)[0])

    def samples(self, contract: Contract) -> list[Sample]:
        """The samples to run on, in the order of infer.py."""
        folder = model_files(self.model)[0].parent
        return gathered(contract, self.args, lambda path: Predictor(folder / path), self.args.seed)[0]

    def described(self) -> dict[str, Any]:
        """Everything that the bytes of the results depend on, for the manifest."""
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in model_files(self.model))).hexdigest()
        flags = {name: value for name, value in vars(self.args).items() if name not in UNIQUE}
        return {"model": digest, "flags": json.loads(json.dumps(flags, default=str, sort_keys=True))}


class Worker:
    """One process with the model."""

    def __init__(self, job: Job) -> None:
        """Open the model. InputError: it is not there, or a flag is not for it."""
        keep_memory()
        predictor, args = Predictor(job.model, cpu_threads=job.args.cpus), job.args
        samples = job.samples(predictor.contract)
        self.samples = {sample.name: sample for sample in samples}
        self.contract, self.blend = predictor.contract, args.blend
        self.session, self.photos = Session(predictor, 1), None
        if inference.is_road(predictor.contract, args):
            self.photos = Photos(predictor, samples, args)
        else:
            inference.refuse_flags(args)
            self.writer = Files(predictor.contract, samples, args.output_dir, args.ext, args.colour, args.suffix)

    def ready(self) -> bool:
        """Answered when the model is open."""
        return True

    def do(self, name: str) -> dict[str, Any]:
        """Make and write one picture's results: {"faces": points or None, "numbers"}, or {"error"} if it is broken."""
        sample = self.samples[name]
        try:
            picture = picture_files.read(sample.files[self.contract.picture.name])
            values = {} if self.photos else inference.read(self.contract, sample, picture)
        except InputError as error:
            return {"error": str(error)}
        if self.photos:
            (shot,) = self.photos.finished([self.photos.begun(sample, picture)])
            faces = None if shot.found is None else [face.points.round(2).tolist() for face in shot.found]
            return {"faces": faces, "numbers": shot.numbers}
        prepared = [self.session.prepared(values, sample.seed, name)]
        (result,) = self.session.results(prepared, self.session.run(prepared), self.blend)
        self.writer.write(name, picture, prepared[0].given, result)
        return {"faces": None, "numbers": numbers(self.contract, result)}


class Manifest:
    """The list of finished pictures, in a file that is always whole."""

    def __init__(self, path: Path, job: Mapping[str, Any]) -> None:
        """Read what an earlier run did. InputError: that was another job, or the file is damaged."""
        self.path, self.job, self.done = path, dict(job), dict[str, dict[str, Any]]()
        self._saved, self._took = time.monotonic(), 0.0
        if not path.exists():
            return
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            earlier, self.done = content["job"], content["done"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: is damaged ({type(error).__name__}); expected what an earlier run wrote"
            ) from None
        if earlier != self.job:
            keys = [key for key in self.job["flags"] if earlier["flags"].get(key) != self.job["flags"][key]]
            what = f"--{keys[0]} {earlier['flags'].get(keys[0])}" if keys else "another model"
            raise InputError(f"{path}: is of a job with {what}; expected another --output_dir, or the same job")

    def add(self, name: str, entry: dict[str, Any]) -> None:
        """One more; the file is written at most a twentieth of the time, however long it is."""
        self.done[name] = entry
        if time.monotonic() - self._saved > 20 * self._took:
            self.save()

    def save(self) -> None:
        """Write it, whole or not at all."""
        began = time.monotonic()
        write_json(self.path, {"job": self.job, "done": self.done}, None)
        self._saved = time.monotonic()
        self._took = self._saved - began


def run(job: Job, ray: Any, workers: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Do what is not done yet, on a cluster that is connected.

    Args:
        job: what to do.
        ray: the module, see deploy.ray_serve.connect.
        workers: processes; as many as the cluster has processors for are at work.

    Yields:
        (name, its entry in the manifest) as they are done, those of earlier runs first.

    Raises:
        InputError: of the job, of every worker, or of writing.
    """
    out, contract = Path(job.args.output_dir), job.contract()
    check_writable(out)
    samples, manifest = job.samples(contract), Manifest(out / "manifest.json", job.described())
    places = Files(contract, samples, out, job.args.ext, job.args.colour, job.args.suffix).paths
    stamps = {sample.name: _stamp(sample) for sample in samples}
    kept = {name: entry for name, entry in manifest.done.items() if _is_done(entry, stamps.get(name), places.get(name))}
    manifest.done = kept.copy()
    try:
        yield from kept.items()
        for name, entry in _Crew(job, ray, workers).work([name for name in stamps if name not in kept]):
            manifest.add(name, entry | {"stamp": stamps[name]})
            yield name, entry
    finally:
        manifest.save()
        faces = {name: manifest.done.get(name, {}).get("faces") for name in stamps}
        if found := {name: points for name, points in faces.items() if points is not None}:
            write_json(out / "faces.json", found, None)


def _stamp(sample: Sample) -> list:
    """What tells that a file is the one that was read: [bytes, nanoseconds of its last change] of each."""
    found = [path.stat() for path in sample.files.values() if path.exists()]
    return [[one.st_size, one.st_mtime_ns] for one in found]


def _is_done(entry, stamp, places):
    """Whether a result is there, of the file that is there; broken pictures are tried again."""
    is_whole = stamp is not None and "error" not in entry and entry.get("stamp") == stamp
    return is_whole and all(path.exists() for path in places.values())


class _Crew:
    """Workers, what they are at, and what waits."""

    def __init__(self, job: Job, ray: Any, workers: int) -> None:
        self.ray, self.job, self.died = ray, job, Counter[str]()
        remote = ray.remote(num_cpus=job.args.cpus, scheduling_strategy="SPREAD")(Worker)
        self.begin = lambda: remote.remote(job)
        self.starting: dict[Any, Any] = {}  # the answer to "ready" -> worker
        self.at_work: dict[Any, tuple[Any, str]] = {}  # answer -> worker, name
        self.count, self.reason = workers, "no reason is known"
        self.unstarted = 0  # workers lost before they were ready
        self.refused = False  # whether a worker that was lost gave a reason of its own

    def work(self, names: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """(name, entry) of each as it is done; a worker that dies is replaced, and its picture is another's."""
        waiting, end = deque(names), time.monotonic() + START
        for _ in range(min(self.count, len(waiting))):
            self._start()
        while waiting or self.at_work:
            if not (self.starting or self.at_work):
                raise InputError(f"no worker could be started: {self.reason}")
            answers, _ = self.ray.wait([*self.at_work, *self.starting], timeout=5)
            if not answers and not self.at_work and time.monotonic() > end:
                raise InputError(
                    f"no worker was started within {START} s; expected {self.job.args.cpus} processors for it"
                )
            for answer in answers:
                is_ready = answer in self.starting
                worker, name = (self.starting.pop(answer), "") if is_ready else self.at_work.pop(answer)
                entry = self._answered(answer)
                if entry is None and is_ready and not self.refused and self.unstarted < TRIES:
                    self.unstarted += 1  # its machine died before it was ready
                    self._start()
                if entry is None and name:
                    entry = self._lost(name, waiting)
                    worker = None
                if entry is not None and name:
                    end = time.monotonic() + START
                    yield name, entry
                if entry is not None and worker and waiting:
                    name = waiting.popleft()
                    self.at_work[worker.do.remote(name)] = worker, name

    def _start(self):
        worker = self.begin()
        self.starting[worker.ready.remote()] = worker

    def _answered(self, answer):
        """What a worker answered; None where it is gone. InputError: its own, of a picture that cannot be written."""
        try:
            return self.ray.get(answer)
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, InputError):
                raise InputError(str(error.cause)) from None
            raise
        except self.ray.exceptions.RayError as error:  # the worker, or the machine with its answer, is gone
            lines = [line.partition("InputError: ")[2] for line in str(error).splitlines() if "InputError: " in line]
            self.reason = lines[-1] if lines else str(error).strip().splitlines()[0]
            self.refused = bool(lines)
            return None

    def _lost(self, name, waiting):
        """Another worker for the one that died over a picture; the picture's entry if that has happened too often."""
        self._start()
        self.died[name] += 1
        if self.died[name] < TRIES:
            waiting.appendleft(name)
            return None
        return {"error": f"{name}: {TRIES} workers died over it"}

"""The models of a server, and one worker per model that runs requests of several clients together."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from deploy.contract import Arrays, Contract, Graph
from deploy.limits import Limits, left
from deploy.predictor import Predictor
from deploy.session import Prepared, Session
from engine.errors import InputError

WAIT = 0.010  # seconds a picture waits for others


class Busy(Exception):
    """The queue of a model is full."""


def kind_of(contract: Contract) -> str:
    """The purpose of a model, from its ports: restore, inpaint, translate, verify or points."""
    if contract.hole:
        return "inpaint"
    if contract.restores:
        return "restore"
    first = contract.outputs[0].kind
    return {"image": "translate", "vector": "verify", "points": "points"}.get(first, "other")


class Served:
    """A model with its worker."""

    def __init__(
        self,
        name: str,
        graph: Graph,
        places: int,
        encoders: Mapping[str, Graph] | None = None,
        batch: int = Limits.batch,
    ) -> None:
        """Begin the worker.

        Args:
            name: of the model.
            graph: of the model.
            places: requests that may wait.
            encoders: vector input -> the graph that takes it from a picture.
            batch: pictures that share a run.
        """
        self.encoders = {port: Session(encoder) for port, encoder in (encoders or {}).items()}
        self.name, self.contract, self.kind = name, graph.contract, kind_of(graph.contract)
        self.session = Session(graph, batch)
        self.coming = 0  # requests on their way; one that is alone waits for nobody
        self._count = threading.Lock()
        self.waiting: queue.Queue[tuple[list[Prepared], Future]] = queue.Queue(places)
        self._ended = threading.Event()
        self._worker = threading.Thread(target=self._work, name=f"model {name}", daemon=True)
        self._worker.start()

    def run(self, prepared: Sequence[Prepared], seconds: float) -> list[dict[str, Any]]:
        """The results of prepared pictures, see `Session.results`.

        Raises:
            Busy: the queue is full. InputError: an output is not finite. TimeoutError: no answer within `seconds` of
                the request's beginning; what still waits then is not run.
        """
        return self.session.results(prepared, self._outputs(prepared, seconds))

    def run_arrays(self, arrays: Arrays, seconds: float) -> dict[str, np.ndarray]:
        """The graph itself on arrays [N, ...] of its own inputs, in batches with others; raises what `run` does."""
        outputs = self._outputs(self.session.rows(arrays), seconds)
        return {port.name: np.stack([one[port.name] for one in outputs]) for port in self.contract.outputs}

    def _outputs(self, prepared, seconds):
        """What the worker makes of prepared pictures."""
        if not prepared:
            return []
        remaining, late = left(seconds), TimeoutError(f"no answer within {seconds} s")
        if remaining <= 0:
            raise late
        future: Future = Future()
        try:
            self.waiting.put_nowait((list(prepared), future))
        except queue.Full:
            raise Busy(f"{self.name}: its queue is full") from None
        try:
            return future.result(remaining)
        except TimeoutError:
            raise late from None
        finally:
            future.cancel()

    @contextmanager
    def expected(self) -> Iterator[None]:
        """The block is a request that will ask this model."""
        with self._count:
            self.coming += 1
        try:
            yield
        finally:
            with self._count:
                self.coming -= 1

    def vectors(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Vectors of a picture by the encoders, for `Session.prepared`. InputError if there are no encoders."""
        if not self.encoders:
            raise InputError(f"style: model {self.name} cannot take a style from a picture")
        return {
            port: encoder.apply({encoder.contract.picture.name: pixels})[encoder.contract.outputs[0].name]
            for port, encoder in self.encoders.items()
        }

    def _work(self):
        """Take what waits, at most a batch of pictures that come within WAIT, and run it together."""
        while not self._ended.is_set() or not self.waiting.empty():
            try:
                batch = [self.waiting.get(timeout=0.2)]
            except queue.Empty:
                continue
            end, largest = time.monotonic() + WAIT, self.session.batch_size
            while len(batch) < self.coming and sum(len(one[0]) for one in batch) < largest:
                try:
                    batch.append(self.waiting.get(timeout=max(0.0, end - time.monotonic())))
                except queue.Empty:
                    break
            self._run(batch)

    def _run(self, batch):
        """Run several requests at once; if that fails, each alone, so that one client's fault is its own."""
        batch = [one for one in batch if one[1].running() or one[1].set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            outputs = iter(self.session.run([one for prepared, _ in batch for one in prepared]))
            for prepared, future in batch:
                future.set_result([next(outputs) for _ in prepared])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for one in batch:
                self._run([one])

    def end(self) -> None:
        """Finish what waits, then stop the worker."""
        self._ended.set()
        self._worker.join(timeout=60)


class Models:
    """Models by name."""

    def __init__(self, served: Iterable[Served]) -> None:
        """The models, each with its name."""
        self.served = {one.name: one for one in served}

    @classmethod
    def open(
        cls, folders: Mapping[str, str | Path], places: int = 64, batch: int = Limits.batch, **options: Any
    ) -> "Models":
        """The exported models of folders by name; a sub-folder `to_*` is the other direction of its model.

        Args:
            folders: name -> folder of an exported model.
            places: requests that may wait for each.
            batch: pictures that share a run; with 1 a result's bytes do not depend on what else is asked.
            options: of deploy.predictor.Predictor.
        """
        found = []
        for name, folder in folders.items():
            places_of = {name: Path(folder)} | {f"{name}_{one.name}": one for one in sorted(Path(folder).glob("to_*"))}
            for each, place in places_of.items():
                graph = Predictor(place, **options)
                ports = [port for port in graph.contract.inputs if port.encoder]
                encoders = {port.name: Predictor(place / port.encoder, **options) for port in ports}
                found.append(Served(each, graph, places, encoders, batch))
        return cls(found)

    def names(self) -> list[str]:
        """All names."""
        return list(self.served)

    def of_kind(self, kind: str) -> list[str]:
        """Names of the models of a kind, see `kind_of`."""
        return [name for name, one in self.served.items() if one.kind == kind]

    def get(self, name: str) -> Served:
        """A model. InputError where there is none of that name."""
        if name not in self.served:
            raise InputError(f"model {name}: is not served; expected one of {', '.join(self.served) or 'none'}")
        return self.served[name]

    def end(self) -> None:
        """Finish what waits for every model."""
        for one in self.served.values():
            one.end()

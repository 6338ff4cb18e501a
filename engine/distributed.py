"""Data-parallel training without wrappers: a few functions that do nothing if there is one process.

Every rank draws the random numbers of the joint batch and keeps its own part, so N processes compute what one process
with the joint batch computes.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import paddle
import paddle.distributed as dist
from paddle import Tensor, nn

from engine import peers
from engine.errors import InputError
from engine.log import logger

MESSAGE = 16384  # bytes a rank says of itself in `agreed`


def world_size() -> int:
    """Number of data-parallel processes, from the launcher's environment."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def rank() -> int:
    """Number of this process, 0 .. world_size - 1."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def is_main() -> bool:
    """True in the process that writes files and logs."""
    return rank() == 0


def join() -> None:
    """Join the other processes, if there are any, on the chosen device; all but the main one say warnings only."""
    if not is_main():
        logger.setLevel(logging.WARNING)
    if "PADDLE_TRAINER_ID" in os.environ:
        peers.end_with_launcher()
    if world_size() > 1:
        dist.init_parallel_env()
        port = paddle.to_tensor([peers.listen(world_size()) if is_main() else 0])
        dist.broadcast(port, src=0)
        peers.watch(rank(), world_size(), int(port.numpy()[0]))


@contextmanager
def _exchange():
    """What fails in here fails because another process is gone; the watch over them says so and ends this one."""
    try:
        yield
    except Exception:
        time.sleep(peers.SECONDS_TO_LEAVE)
        raise


def agreed(prepare: Callable[[], tuple[Any, dict]]) -> Any:
    """prepare()'s result, after all ranks have found the same.

    Args:
        prepare: callable -> (result, facts): {what: number or text} that must be equal on all ranks.

    Raises:
        InputError: on every rank, where one raised it or where facts differ.
    """
    if world_size() == 1:
        return prepare()[0]
    result, said, own = None, dict[str, Any](), None
    try:
        result, said = prepare()
    except InputError as error:
        own, said = error, {"error": str(error)}
    all_said = _said_by_all(said)
    if own is not None:
        raise own
    for number, other in enumerate(all_said):
        if "error" in other:
            raise InputError(f"process {number}: {other['error']}")
    for what in said:
        if len({str(other[what]) for other in all_said}) > 1:
            found = "; ".join(f"process {number}: {other[what]}" for number, other in enumerate(all_said))
            raise InputError(f"the processes of this run differ in their {what}: {found}; expected the same on all")
    return result


def _said_by_all(said):
    """What each rank says, in their order."""
    text = json.dumps({key: str(value)[: MESSAGE // 24] for key, value in said.items()}).encode()
    parts: list[paddle.Tensor] = []
    mine = paddle.to_tensor(np.frombuffer(text.ljust(MESSAGE), np.uint8).astype("int32"))
    with _exchange():
        dist.all_gather(parts, mine)
    return [json.loads(part.numpy().astype(np.uint8).tobytes().decode()) for part in parts]


def broadcast_parameters(networks: Mapping[str, nn.Layer]) -> None:
    """Give every rank the parameters and buffers of rank 0."""
    if world_size() == 1:
        return
    with _exchange():
        for network in networks.values():
            for tensor in network.state_dict().values():
                dist.broadcast(tensor, src=0)


def average_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace each gradient by its mean over the ranks; parameters without a gradient are passed over."""
    if world_size() == 1:
        return
    from paddle.distributed.fleet.utils.hybrid_parallel_util import fused_allreduce_gradients

    with _exchange():
        fused_allreduce_gradients(parameters, None)


def joint(values: Tensor) -> Tensor:
    """The values of all ranks, [N, ...] -> [world * N, ...], differentiable in this rank's part.

    The gradient of this rank's part is multiplied by the number of ranks: a loss over the joint values whose gradients
    are then averaged over the ranks gets the gradient one process would compute.
    """
    world = world_size()
    if world == 1:
        return values
    parts: list[paddle.Tensor] = []
    with _exchange():
        dist.all_gather(parts, values.detach())
    parts[rank()] = values.detach() + (values - values.detach()) * world
    return paddle.concat(parts)


def normal(shape: Sequence[int]) -> Tensor:
    """Standard normal noise [N, ...]: this rank's rows of the joint batch's noise."""
    count = shape[0]
    noise = paddle.randn([world_size() * count, *shape[1:]])
    return noise if world_size() == 1 else noise[rank() * count : (rank() + 1) * count]


def mean_over_ranks(values: list[float]) -> list[float]:
    """Mean of a list of numbers over the ranks, each entry by itself."""
    if world_size() == 1 or not values:
        return values
    tensor = paddle.to_tensor(np.asarray(values, np.float64))
    with _exchange():
        dist.all_reduce(tensor)
    return (tensor.numpy() / world_size()).tolist()


def any_rank(flag: bool) -> bool:
    """True on every rank as soon as it is True on one; lets all stop after the same step."""
    if world_size() == 1:
        return flag
    tensor = paddle.to_tensor([int(flag)])
    with _exchange():
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return bool(tensor.item())


def wait() -> None:
    """Wait for all ranks, so that none runs ahead of files that rank 0 writes."""
    any_rank(False)

"""Data-parallel training without wrappers: a few functions that do nothing where there is one process.

Every rank draws the random numbers of the joint batch and keeps its own part, so N processes compute what one process
with the joint batch computes.
"""

import os

import numpy as np
import paddle
import paddle.distributed as dist

from engine.errors import InputError


def world_size():
    """Number of data-parallel processes, from the launcher's environment."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def rank():
    """Number of this process, 0 .. world_size - 1."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def is_main():
    """True in the process that writes files and logs."""
    return rank() == 0


def start(device="auto"):
    """Choose the device and join the other processes, if there are any.

    Args:
        device: "cpu", "gpu" or "auto" (a GPU where Paddle was built for one and finds one).

    Raises:
        InputError: "gpu" was asked for and there is none.
    """
    has_gpu = paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    if device == "gpu" and not has_gpu:
        build = "finds none" if paddle.device.is_compiled_with_cuda() else "is a CPU build"
        raise InputError(f"--device gpu: no GPU, the installed Paddle {build}; expected a GPU or --device cpu")
    if device == "cpu" or not has_gpu:
        paddle.set_device("cpu")
    elif world_size() == 1:
        paddle.set_device("gpu")
    else:
        paddle.set_device(f"gpu:{int(os.environ.get('FLAGS_selected_gpus', '0').split(',')[0])}")  # noqa: SIM112  Paddle's
    if world_size() > 1:
        dist.init_parallel_env()


def broadcast_parameters(networks):
    """Give every rank the parameters and buffers of rank 0."""
    if world_size() == 1:
        return
    for network in networks.values():
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, src=0)


def average_gradients(parameters):
    """Replace each gradient by its mean over the ranks; parameters without a gradient are passed over."""
    if world_size() == 1:
        return
    from paddle.distributed.fleet.utils.hybrid_parallel_util import fused_allreduce_gradients

    fused_allreduce_gradients(parameters, None)


def joint(values):
    """The values of all ranks, [N, ...] -> [world * N, ...], differentiable in this rank's part.

    The gradient of this rank's part is multiplied by the number of ranks: a loss over the joint values whose gradients
    are then averaged over the ranks gets the gradient one process would compute.
    """
    world = world_size()
    if world == 1:
        return values
    parts = []
    dist.all_gather(parts, values.detach())
    parts[rank()] = values.detach() + (values - values.detach()) * world
    return paddle.concat(parts)


def normal(shape):
    """Standard normal noise [N, ...]: this rank's rows of the joint batch's noise."""
    count = shape[0]
    noise = paddle.randn([world_size() * count, *shape[1:]])
    return noise if world_size() == 1 else noise[rank() * count : (rank() + 1) * count]


def mean_over_ranks(values):
    """Mean of a list of numbers over the ranks, each entry by itself."""
    if world_size() == 1 or not values:
        return values
    tensor = paddle.to_tensor(np.asarray(values, np.float64))
    dist.all_reduce(tensor)
    return (tensor.numpy() / world_size()).tolist()


def any_rank(flag):
    """True on every rank as soon as it is True on one; lets all stop after the same step."""
    if world_size() == 1:
        return flag
    tensor = paddle.to_tensor([int(flag)])
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return bool(tensor.item())


def wait():
    """Wait for all ranks, so that none runs ahead of files that rank 0 writes."""
    any_rank(False)

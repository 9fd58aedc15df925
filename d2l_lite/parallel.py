"""One training in several processes, as torchrun starts them; with one, nothing happens here.

Each process has all of the model and takes its share of each batch. Their gradients are added up,
each weighted by its target words, so a step is that of one process with the whole batch.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@contextmanager
def started() -> Iterator[None]:
    """Meet the other processes that torchrun has started, if it has, and part from them."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    # An optimizer imports this module, which holds on to the group that there is by then: with it
    # the group's threads outlive the parting, and may abort the process while Python shuts down.
    importlib.import_module("torch.distributed.nn.functional")
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def processes() -> int:
    """How many there are."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is; the first, 0, is the one that speaks and writes."""
    return dist.get_rank() if processes() > 1 else 0


def share(batch: Any) -> Any:
    """This process's rows of a batch: every n-th, so that all get sentences of each length."""
    return type(batch)(*(part[rank() :: processes()] for part in batch))


def agree(value: Any) -> Any:
    """What the first process has, in all of them."""
    if processes() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


def collect(tensor: Tensor) -> Tensor:
    """What each process has, one above the other: (...) -> (processes, ...), on the processor."""
    found = [tensor] * processes()
    if processes() > 1:
        dist.all_gather_object(found, tensor)
    return torch.stack(found)


def equalize(model: nn.Module) -> None:
    """Give all processes the weights of the first."""
    if processes() > 1:
        for part in model.state_dict().values():
            dist.broadcast(part, 0)


def mean_gradients(model: nn.Module, summed: float, words: int) -> tuple[float, int]:
    """Turn each process's gradients into those of the whole batch.

    Args:
        summed, words: the loss of this process's rows, and how many words it sums over.

    Returns:
        The same two of the whole batch.
    """
    if processes() == 1:
        return summed, words
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    parts = [torch.zeros_like(w) if w.grad is None else w.grad * words for w in weights]
    # One long vector, for each message costs; the two numbers travel along.
    both = parts[0].new_tensor([summed, words])
    everything = torch.cat([part.flatten() for part in (*parts, both)])
    dist.all_reduce(everything)
    *gradients, both = everything.split([*(weight.numel() for weight in weights), 2])
    summed, words = both[0].item(), round(both[1].item())
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient.view_as(weight).div_(words)
    return summed, words

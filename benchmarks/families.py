"""What one layer costs as sentences grow: recurrence, convolution, self-attention, attention.

Each layer has the same width and reads two sentences of n words, forwards and back. Its memory is
that of the tensors kept for the way back, each storage counted once; on a GPU the peak stands
beside it. The recurrence is an LSTM, the convolution one of three words, self-attention has four
heads, and additive attention compares n queries with n keys.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.common import in_turns, say
from d2l_lite import AdditiveAttention, GatedConvolution, MultiHeadAttention

LENGTHS, WIDTH, SENTENCES = (16, 32, 64, 128, 256, 512, 1024), 128, 2


def layers(width: int) -> dict[str, tuple[nn.Module, Callable]]:
    """The layers, and how each reads words (B, n, D)."""
    lstm = nn.LSTM(width, width, batch_first=True)
    convolution = GatedConvolution(width, kernel_size=3)
    heads = MultiHeadAttention(width, num_heads=4)
    additive = AdditiveAttention(width, width, width)
    return {
        "recurrence": (lstm, lambda x: lstm(x)[0]),
        "convolution": (convolution, lambda x: convolution(nn.functional.pad(x, (0, 0, 1, 1)))),
        "self_attention": (heads, lambda x: heads(x, x, x)[0]),
        "additive_attention": (additive, lambda x: additive(x, x, x)[0]),
    }


def kept_bytes(read: Callable, x: Tensor) -> int:
    """The size of all that `read` keeps for the way back, of weights and input apart."""
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        weight = tensor if tensor._base is None else tensor._base  # a layer may keep it turned
        if not isinstance(weight, nn.Parameter) and tensor.layout == torch.strided:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        out = read(x)  # alive until all has been noted, so that no storage is used twice
    storages.pop(x.untyped_storage().data_ptr(), None)
    del out
    return sum(storages.values())


def back_and_forth(read: Callable, x: Tensor) -> None:
    read(x).sum().backward()


def measure(device: str, fast: bool = False) -> dict[str, float]:
    torch.manual_seed(0)
    found: dict[str, float] = {"width": WIDTH, "sentences": SENTENCES}
    kinds = layers(WIDTH)
    for layer, _ in kinds.values():
        layer.to(device)
    for length in LENGTHS[:2] if fast else LENGTHS:
        say(f"  layers over {length} words")
        x = torch.randn(SENTENCES, length, WIDTH, device=device, requires_grad=True)
        works = {
            name: lambda read=read, x=x: back_and_forth(read, x)
            for name, (_, read) in kinds.items()
        }
        taken = in_turns(works, device, turns=1 if fast else 5)
        for name, (_, read) in kinds.items():
            found[f"{name}_{length}_ms"] = taken[name] * 1000
            found[f"{name}_{length}_kept_mb"] = kept_bytes(read, x) / 1e6
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
                works[name]()
                found[f"{name}_{length}_peak_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return found

"""Attention without its large intermediates: additive in parts, dot product without weights.

Additive attention: forward and backward over one long sentence, the formula as it stands with its
tensor (B, T, S, H) against `AdditiveAttention`, which computes it in parts. Each run has a process
of its own, in turns, because what a process has held at most cannot be counted twice: by the
operating system's count on a processor (what it held before is taken off; `whole` is with it), by
PyTorch's on a GPU. Dot products: `ScaledDotAttention`, which gives the weights, against PyTorch's
`scaled_dot_product_attention`, which need not keep them.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.common import in_turns, say, seconds
from d2l_lite import AdditiveAttention, ScaledDotAttention, length_mask

SIZE = 256  # of queries, keys, values and the hidden layer
LENGTH = 2048  # the plain form holds three tensors of 4.3 GB then
SHAPES = {"batch": (512, 10, 40), "long": (4, 1024, 64)}  # B · N, T = S, D / N


def measure(device: str = "cpu", fast: bool = False) -> dict[str, float]:
    """Peak megabytes and seconds, medians, of both forms and their ratios, plain to ours."""
    length = 64 if fast else LENGTH if _fits(LENGTH, device) else LENGTH // 2
    runs: dict[str, list[dict[str, float]]] = {"plain": [], "ours": []}
    for turn in range(1 if fast else 2):
        for form in runs:
            say(f"attention: additive, {form}, {length} words, turn {turn + 1}")
            runs[form].append(_in_a_process(form, length, device))
    found = {"additive_length": length}
    for what in ("megabytes", "whole_megabytes", "seconds"):
        plain, ours = (median(run[what] for run in runs[form]) for form in ("plain", "ours"))
        found |= {f"additive_plain_{what}": plain, f"additive_{what}": ours}
        found[f"additive_{what}_ratio"] = plain / max(ours, 1e-9)
    for name, shape in SHAPES.items():
        say(f"attention: dot product, {name}")
        found |= dot_products(name, shape, device, 1 if fast else 10)
    return found


class Plain(AdditiveAttention):
    """Scores by the formula as it stands."""

    def score(self, query: Tensor, projected_key: Tensor) -> Tensor:
        features = self.W_q(query).unsqueeze(2) + projected_key.unsqueeze(1)  # (B, T, S, H)
        return self.v(features.tanh()).squeeze(-1)  # (B, T, S)


def additive(form: str, length: int, device: str) -> dict[str, float]:
    """Forward and backward once, after a warm-up of 16 words: megabytes and seconds."""
    torch.manual_seed(0)
    layer = {"plain": Plain, "ours": AdditiveAttention}[form](SIZE, SIZE, SIZE).to(device)

    def run(words: int) -> None:
        inputs = (torch.randn(1, words, SIZE, device=device, requires_grad=True) for _ in range(3))
        layer(*inputs)[0].sum().backward()

    run(16)
    before = _megabytes(device, peak=False)
    taken = seconds(lambda: run(length), device)
    whole = _megabytes(device, peak=True)
    return {"megabytes": whole - before, "whole_megabytes": whole, "seconds": taken}


def dot_products(
    name: str, shape: tuple[int, int, int], device: str, turns: int
) -> dict[str, float]:
    """Seconds of forward and backward for inputs of one shape, a quarter of the keys hidden."""
    inputs = [torch.randn(shape, device=device, requires_grad=True) for _ in range(3)]
    lengths = torch.full(shape[:1], shape[1] - shape[1] // 4, device=device)
    mask, layer = length_mask(lengths, shape[1]), ScaledDotAttention()
    works = {
        "weights": lambda: layer(*inputs, mask)[0].sum().backward(),
        "sdpa": lambda: F.scaled_dot_product_attention(*inputs, attn_mask=mask).sum().backward(),
    }
    taken = in_turns(works, device, turns)
    return {
        f"dot_{name}_weights_seconds": taken["weights"],
        f"dot_{name}_sdpa_seconds": taken["sdpa"],
        f"dot_{name}_ratio": taken["weights"] / taken["sdpa"],
    }


def _fits(length: int, device: str) -> bool:
    """Whether there is memory for four tensors of the plain form."""
    if device == "cuda":
        there = torch.cuda.mem_get_info()[0]
    else:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 4 * 4 * length * length * SIZE < there


def _in_a_process(form: str, length: int, device: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.attention", form, str(length), device]
    command.append(str(torch.get_num_threads()))
    folder = Path(__file__).parents[1]
    return json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)


def _megabytes(device: str, peak: bool) -> float:
    """What this process holds, or has held at most."""
    if device == "cuda":
        count = torch.cuda.max_memory_allocated if peak else torch.cuda.memory_allocated
        return count() / 1e6
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM" if peak else "VmRSS"].split()[0]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    _, form, length, device, threads = sys.argv
    torch.set_num_threads(int(threads))
    print(json.dumps(additive(form, int(length), device)))

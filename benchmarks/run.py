"""Measure what the book says about speed: `make bench`, or `make bench DEVICE=cuda`.

    python -m benchmarks.run [cpu|cuda] [NAME ...]

Each benchmark is a module with `measure(device, fast=False)`, which returns names and numbers. They
are written to benchmarks/cpu.json or benchmarks/cuda.json; those not named keep what they have
there. Nothing else should be running on the machine.
"""

import json
import os
import platform
import sys
import time
from importlib import import_module
from pathlib import Path

import torch

from benchmarks.common import say

BENCHMARKS = ("training", "families", "decoding", "loading", "attention", "processes")
FOLDER = Path(__file__).parent


def machine(device: str) -> dict[str, str | int | None]:
    """What the numbers depend on."""
    return {
        "recorded": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
    }


def processor() -> str:
    """The processor's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def rounded(value: object) -> object:
    """Numbers with five digits that count."""
    return float(f"{value:.5g}") if isinstance(value, float) else value


def main(arguments: list[str]) -> None:
    known = ("cpu", "cuda", *BENCHMARKS)
    for argument in arguments:
        if argument not in known:
            sys.exit(f"unknown argument {argument!r}; known: {', '.join(known)}")
    device = "cuda" if "cuda" in arguments else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no GPU here that torch can use")
    path = FOLDER / f"{device}.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    begun = time.perf_counter()
    for name in [name for name in BENCHMARKS if name in arguments] or BENCHMARKS:
        say(f"{name} ({time.perf_counter() - begun:.0f} s so far)")
        found = import_module(f"benchmarks.{name}").measure(device)
        record[name] = {key: rounded(value) for key, value in found.items()}
        record["machine"] = machine(device)
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    say(f"{path.name}: {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Repeat the book's recorded runs: `make experiments`.

    python experiments/run.py                     # all that have no record yet
    python experiments/run.py contexts            # one experiment
    python experiments/run.py --again             # put the records aside, and run everything anew
    python experiments/run.py --fast              # minutes become seconds; nothing is recorded

An experiment is a module with `RECORDS`, a file with one line for each finished run, `runs()`, the
names and seeds, `run(name, seed, folder)`, which returns the record, and `prepare()` and `finish()`
for what comes before and after. As many runs go on at once as there are cores, on one thread each.
An interrupted run goes on from its last whole epoch.
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from importlib import import_module
from pathlib import Path

import records
import torch
from tqdm import tqdm

EXPERIMENTS = ("contexts", "fra_eng", "families")
FOLDERS = Path(__file__).parents[1] / "runs"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Repeat the book's recorded runs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--again", action="store_true", help="put records aside, run all anew")
    parser.add_argument("--fast", action="store_true", help="a small form; nothing is recorded")
    args = parser.parse_args(arguments)
    for name in args.names:
        if name not in EXPERIMENTS:
            parser.error(f"unknown experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
    if args.fast:
        import_module("contexts").fast()
        return
    for experiment in args.names or EXPERIMENTS:
        repeat(experiment, args.again)


def repeat(experiment: str, again: bool = False) -> None:
    """Make the runs of an experiment that have no record, and record each when it is done."""
    module = import_module(experiment)
    module.prepare()
    todo = list(records.missing(module.RECORDS, module.runs(), again))
    if again:
        for name, seed in todo:
            shutil.rmtree(folder_of(experiment, name, seed), ignore_errors=True)
    fresh = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(os.cpu_count(), fresh, torch.set_num_threads, (1,)) as pool,
        tqdm(total=len(todo), unit="run", desc=experiment) as bar,
    ):
        waiting = [pool.submit(run, experiment, name, seed) for name, seed in todo]
        for done in as_completed(waiting):
            records.append(module.RECORDS, done.result())
            bar.update()
    module.finish(partial(folder_of, experiment))


def run(experiment: str, name: str, seed: int) -> dict:
    """One run, with what its record says besides."""
    found = import_module(experiment).run(name, seed, folder_of(experiment, name, seed))
    said = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    return {**found, **said, "recorded": time.strftime("%Y-%m-%d")}


def folder_of(experiment: str, name: str, seed: int) -> Path:
    return FOLDERS / f"{experiment}-{name.replace('/', '-')}-{seed}"


if __name__ == "__main__":
    sys.exit(main())

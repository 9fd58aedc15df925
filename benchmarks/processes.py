"""One process on one core against two on two: words trained on in a second, and the losses.

The model has E = H = 256 and the batches 256 sentences, whatever the number of processes. On GPUs
each process has one of its own.
"""

import json
import os
import socket
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from torch import multiprocessing

from benchmarks.common import sample, say, text_data
from d2l_lite import Batches, TrainConfig, build_model, fit, parallel

SIZES, BATCH_SIZE = {"embed_size": 256, "hidden_size": 256, "dropout": 0.0}, 256


def train(rank: int, processes: int, port: int, folder: str, device: str, fast: bool) -> None:
    """What each process does: two epochs, of which the second is measured."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank)}
    os.environ |= {"WORLD_SIZE": str(processes), "LOCAL_RANK": str(rank)}
    torch.set_num_threads(1)
    _, pairs, vocabs = text_data(fast)
    with parallel.started():
        torch.manual_seed(0)
        sizes = {**SIZES, "embed_size": 8, "hidden_size": 8} if fast else SIZES
        model = build_model("rnn-attention", *vocabs, **sizes)
        some = sample(pairs, 8 if fast else 10 * BATCH_SIZE)
        batches = Batches(some, *vocabs, 4 if fast else BATCH_SIZE)
        config = TrainConfig(epochs=2, device=device, progress=False)
        history = fit(model, batches, config)
        if rank == 0:
            Path(folder, "history.json").write_text(json.dumps(history))


def trained(processes: int, device: str, fast: bool) -> dict[str, float]:
    """The second epoch of so many processes."""
    with socket.socket() as free, TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        multiprocessing.spawn(train, (processes, port, folder, device, fast), nprocs=processes)
        return json.loads(Path(folder, "history.json").read_text())[-1]


def measure(device: str, fast: bool = False) -> dict[str, float | str]:
    places = torch.cuda.device_count() if device == "cuda" else os.cpu_count()
    if places < 2:
        return {"left_out": f"two processes need two places to work, and {device} has {places}"}
    found: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for turn in range(1 if fast else 3):
        for processes, epochs in found.items():
            say(f"  {processes} process(es), turn {turn + 1}")
            epochs.append(trained(processes, device, fast))
    one, two = (median(epoch["tokens_per_second"] for epoch in found[n]) for n in (1, 2))
    return {
        "data": text_data(fast)[0],
        "one_words_per_second": one,
        "two_words_per_second": two,
        "ratio": two / one,
        "one_loss": found[1][0]["train_loss"],
        "two_loss": found[2][0]["train_loss"],
    }

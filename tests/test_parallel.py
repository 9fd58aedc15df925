"""Several processes go through the training of one, and write one run."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small import PAIRS, VOCABS, Interrupted, small_model
from torch.testing import assert_close

from d2l_lite import Batches, TrainConfig, fit, load_run, parallel

VALID = PAIRS[3::40]


def train(folder=None, kind=Batches, batch_size=7, **changes):
    """33 pairs in batches of 7: the last of an epoch has 5."""
    config = TrainConfig(epochs=3, lr=0.02, device="cpu", folder=folder, **changes)
    return fit(small_model(), kind(PAIRS[:33], *VOCABS, batch_size), config, VALID)


def in_each_process(folder):
    """What each of the processes does that the test starts."""
    torch.set_num_threads(1)
    with parallel.started():
        with pytest.raises(ValueError, match="2 processes cannot share a batch of 1"):
            train(batch_size=1)
        history = train()
        with pytest.raises(KeyboardInterrupt):
            train(folder / "run", Interrupted)
        resumed = train(folder / "run", resume=True)
        thin = train(batch_size=32)  # the last batch has one row: the second process has none
        own = {"first": parallel.rank() == 0, "histories": [history, resumed, thin]}
        path = folder / f"{parallel.rank()}.json"
    threads = [thread.read_text() for thread in Path("/proc/self/task").glob("*/comm")]  # on Linux
    own["left"] = [name for name in threads if "gloo" in name]
    path.write_text(json.dumps(own))


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder that two processes have worked in."""
    folder = tmp_path_factory.mktemp("together")
    command = [sys.executable, __file__, str(folder)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    started = [
        subprocess.Popen(
            command,
            env={**os.environ, **meeting, "RANK": rank, "LOCAL_RANK": rank, "TQDM_DISABLE": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    try:
        said = [process.communicate(timeout=120)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], "\n".join(said)
    return folder


def histories(folder, rank):
    return json.loads((folder / f"{rank}.json").read_text())["histories"]


def measured(history):
    return [[epoch[key] for key in ("epoch", "train_loss", "valid_loss")] for epoch in history]


def test_the_losses_are_those_of_one_process(together):
    whole, resumed, thin = map(measured, histories(together, 0))
    assert_close(whole, measured(train(progress=False)), atol=1e-5, rtol=0)
    assert_close(thin, measured(train(progress=False, batch_size=32)), atol=1e-5, rtol=0)
    assert resumed == whole


def test_all_processes_know_what_the_first_has_measured(together):
    assert histories(together, 0) == histories(together, 1)


def test_they_part_before_they_end(together):
    """A thread of theirs that is left may abort a process that has done all its work."""
    assert [json.loads((together / f"{rank}.json").read_text())["left"] for rank in "01"] == [
        [],
        [],
    ]


def test_there_is_one_run(together):
    names = sorted(path.name for path in (together / "run").iterdir())
    assert names == ["config.json", "history.jsonl", "model.safetensors"]
    run = load_run(together / "run")
    assert measured(run.history) == measured(histories(together, 0)[1])


def test_one_process_is_left_as_it_is():
    batch = next(iter(Batches(PAIRS[:5], *VOCABS)))
    assert_close(tuple(parallel.share(batch)), tuple(batch))
    assert (parallel.processes(), parallel.rank(), parallel.agree(3)) == (1, 0, 3)
    assert parallel.mean_gradients(small_model(), 2.5, 4) == (2.5, 4)
    assert parallel.collect(torch.arange(3)).tolist() == [[0, 1, 2]]


if __name__ == "__main__":
    in_each_process(Path(sys.argv[1]))

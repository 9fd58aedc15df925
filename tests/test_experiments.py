"""What the book reports about fra-eng is recorded, complete and within what it promises."""

import json
from pathlib import Path
from statistics import mean

import pytest
import torch
from safetensors import safe_open

from d2l_lite import load_run, translate

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "book" / "models" / "fra-eng-rnn-attention"


@pytest.fixture(scope="module")
def records():
    text = (ROOT / "experiments" / "fra_eng.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", ["rnn-attention", "text"])
def test_three_seeds_are_recorded_with_all_that_the_page_shows(records, name):
    runs = [record for record in records if record["name"] == name]
    assert sorted(record["seed"] for record in runs) == [0, 1, 2]
    for record in runs:
        assert len(record["history"]) == record["config"]["epochs"]
        assert record["scores"]["sentences"] == 646
        assert 0 < record["unseen_targets"]["sentences"] < 646
        low, high = record["scores"]["interval"]
        assert low < record["scores"]["bleu"] < high
        assert record["seconds"] < 15 * 60


def test_the_model_reaches_what_the_book_promises(records):
    assert mean(r["scores"]["bleu"] for r in records if r["name"] == "rnn-attention") >= 40


def test_the_corpus_is_counted():
    facts = json.loads((ROOT / "experiments" / "fra_eng_corpus.json").read_text(encoding="utf-8"))
    assert facts["pairs"] == 167_130
    assert facts["first_lines_longest"] == 7
    assert 0.45 < facts["random_split_leak"] < 0.55


def test_the_shipped_model_is_small_whole_and_that_of_the_records(records):
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 8_000_000
    with safe_open(SHIPPED / "model.safetensors", "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    run = load_run("fra-eng-rnn-attention")
    recorded = next(r for r in records if (r["name"], r["seed"]) == ("rnn-attention", 0))
    assert run.history == recorded["history"]
    assert run.config["model"].items() <= recorded["config"].items()
    (found,) = translate(run.model, ["I won!"])
    assert found.words[-1] in ".!" and not found.unknown

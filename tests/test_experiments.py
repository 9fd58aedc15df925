"""What the book reports about its runs is recorded, complete and within what it promises."""

import json
from pathlib import Path
from statistics import mean

import pytest
import records
import torch
from safetensors import safe_open

from d2l_lite import load_pairs, load_run, split_pairs, translate

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "book" / "models"
SEEDS = [0, 1, 2]


@pytest.fixture(scope="module")
def fra_eng():
    return records.read(ROOT / "experiments" / "fra_eng.jsonl")


@pytest.fixture(scope="module")
def mini_fra():
    return records.read(ROOT / "experiments" / "mini_fra.jsonl")


def of_seed_0(found, name):
    return next(record for record in found if (record["name"], record["seed"]) == (name, 0))


@pytest.mark.parametrize("name", ["rnn-attention", "text"])
def test_three_seeds_are_recorded_with_all_that_the_page_shows(fra_eng, name):
    runs = [record for record in fra_eng if record["name"] == name]
    assert sorted(record["seed"] for record in runs) == SEEDS
    for record in runs:
        assert len(record["history"]) == record["config"]["epochs"]
        assert record["scores"]["sentences"] == 646
        assert 0 < record["unseen_targets"]["sentences"] < 646
        low, high = record["scores"]["interval"]
        assert low < record["scores"]["bleu"] < high
        assert record["seconds"] < 15 * 60


def test_the_model_reaches_what_the_book_promises(fra_eng):
    assert mean(r["scores"]["bleu"] for r in fra_eng if r["name"] == "rnn-attention") >= 40


def test_the_corpus_is_counted():
    facts = json.loads((ROOT / "experiments" / "fra_eng_corpus.json").read_text(encoding="utf-8"))
    assert facts["pairs"] == 167_130
    assert facts["first_lines_longest"] == 7
    assert 0.45 < facts["random_split_leak"] < 0.55


@pytest.mark.parametrize("name", ["rnn", "rnn-attention"])
def test_both_models_are_recorded_on_every_test_sentence(mini_fra, name):
    test = split_pairs(load_pairs("mini-fra-long")).test
    runs = [record for record in mini_fra if record["name"] == name]
    assert sorted(record["seed"] for record in runs) == SEEDS
    assert all(len(record["by_length"]) == len(test) for record in runs)


@pytest.mark.parametrize(
    ("run", "size"),
    [
        ("fra-eng-rnn-attention", 8_000_000),
        ("mini-fra-long-rnn", 1_000_000),
        ("mini-fra-long-rnn-attention", 1_000_000),
    ],
)
def test_a_shipped_model_is_small_whole_and_that_of_the_records(fra_eng, mini_fra, run, size):
    folder = MODELS / run
    assert sum(path.stat().st_size for path in folder.iterdir()) < size
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    shipped = load_run(run)
    recorded = of_seed_0(
        fra_eng if run.startswith("fra") else mini_fra, shipped.config["model"]["model"]
    )
    assert shipped.history == recorded["history"]
    assert shipped.config["model"].items() <= recorded["config"].items()
    (found,) = translate(shipped.model, ["Tom is tired."])
    assert found.words[-1] in ".!" and not found.unknown


def test_recorded_runs_are_skipped_and_a_new_file_starts_with_all(tmp_path, capsys):
    path = tmp_path / "runs.jsonl"
    assert list(records.missing(path, ["a"], [0, 1])) == [("a", 0), ("a", 1)]
    records.append(path, {"name": "a", "seed": 0})
    assert list(records.missing(path, ["a"], [0, 1])) == [("a", 1)]
    assert "a, seed 0: recorded already" in capsys.readouterr().out
    assert list(records.missing(path, ["a"], [0], again=True)) == [("a", 0)]
    assert records.read(path) == []
    assert records.read(tmp_path / "runs.old.jsonl") == [{"name": "a", "seed": 0}]


@pytest.mark.parametrize("line", ["{", '{"name": "a"}', "[1]", '"a"'])
def test_a_damaged_line_is_named_and_nothing_is_lost(tmp_path, line):
    path = tmp_path / "runs.jsonl"
    text = '{"name": "a", "seed": 0}\n' + line + "\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 2 of .*runs\.jsonl is damaged"):
        list(records.missing(path, ["a"], [0]))
    assert path.read_text(encoding="utf-8") == text

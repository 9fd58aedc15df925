"""The command line: train, translate, evaluate, export, and one line on whatever is wrong."""

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from functools import cache

import pytest
import torch
from small import PAIRS, SIZES, Interrupted, small_model

from d2l_lite import (
    Batches,
    __main__,
    evaluate,
    load_pairs,
    load_run,
    minifra,
    save_run,
    split_of,
    split_pairs,
    translate,
)
from d2l_lite.__main__ import main
from d2l_lite.models import DEFAULTS

HALVES = PAIRS[:25]  # of one and two words
NUMBERS = [(f"{a.source} {b.source}", f"{a.target} {b.target}") for a in HALVES for b in HALVES]
KEYS = "bleu interval signature exact loss perplexity sentences aer aer_best gold_mass".split()
FAST = ["--epochs", "2", "--batch-size", "64", "--lr", "0.02"]


def write(path, pairs):
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module", autouse=True)
def small_defaults():
    """The command line has no option for sizes: here its models are small."""
    with pytest.MonkeyPatch.context() as patch:
        for name, sizes in DEFAULTS.items():
            patch.setitem(DEFAULTS, name, {**sizes, **SIZES})
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus, and a model that has learnt it, all by the command line."""
    folder = tmp_path_factory.mktemp("main")
    data = write(folder / "numbers.tsv", NUMBERS)
    assert (
        main(["train", "--data", data, "--out", str(folder / "run"), *FAST, "--epochs", "9"]) == 0
    )
    save_run(folder / "plain", small_model("rnn"))
    return folder


@pytest.fixture
def command(capsys):
    """A function: run a command that must go well, give its standard output and error output."""

    def run(*arguments):
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 0
        return capsys.readouterr()

    return run


def test_train_writes_a_run_and_says_what_it_did(folder, command):
    data = folder / "numbers.tsv"
    out, _ = command("train", "--data", data, "--out", folder / "said", *FAST, "--model", "rnn")
    train, valid, test = split_pairs(load_pairs(data))
    numbers = f"{len(train)} pairs to train on, {len(valid)} to validate, {len(test)} kept"
    assert f"{numbers} for `evaluate`, 0 dropped" in out
    assert "epoch 2" in out and "valid_bleu" in out and "valid_loss" in out
    run = load_run(folder / "said")
    assert run.model.config["model"] == "rnn"
    assert len(run.history) == 2
    assert {path.name for path in (folder / "said").iterdir()} == {
        "config.json",
        "history.jsonl",
        "model.safetensors",
    }


def test_train_obeys_its_options(folder, command):
    """Of the first 200 lines those of three or four words; a seed of its own; rows of the files."""
    valid = write(folder / "valid.tsv", [("five five", "cinq cinq"), ("one four", "un quatre")])
    arguments = "--num-examples 200 --min-len 3 --max-len 3 --epochs 1 --lr 1e-9 --seed 5".split()
    data = folder / "numbers.tsv"
    out, _ = command(
        "train", "--data", data, "--out", folder / "options", *arguments, "--valid", valid
    )
    kept = [pair for pair in load_pairs(data, 200) if len(pair.source.split()) == 3]
    numbers = f"{len(kept)} pairs to train on, 2 to validate, 0 kept for `evaluate`"
    assert f"{numbers}, {200 - len(kept)} dropped" in out
    model = load_run(folder / "options").model
    expected = small_model(vocabs=(model.src_vocab, model.tgt_vocab), seed=5, dropout=0.0)
    for found, fresh in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(found, fresh, atol=1e-6, rtol=0)
    about = load_run(folder / "options").config["about"]
    assert "seed=5" in about["training"]["batches"]
    for path in (data, folder / ".." / folder.name / "numbers.tsv"):
        _, err = command("evaluate", folder / "options", "--data", path, "--split", "all")
        assert "was trained on all of" in err


def test_evaluate_leaves_out_what_the_training_dropped(folder, command):
    """Two sentences of the test part, one of which is longer than the training took."""
    short, long = "two", "five " * 100 + "two"
    while split_of(short) != "test":
        short += " two"
    while split_of(long) != "test":
        long += " two"
    assert len(short.split()) <= 100 < len(long.split())
    pairs = [*NUMBERS[:200], (short, "deux"), (long, "cinq")]
    data = write(folder / "lengths.tsv", pairs)
    out, _ = command("train", "--data", data, "--out", folder / "lengths", *FAST)
    kept = len(split_pairs(load_pairs(data)).test) - 1
    assert f"{kept} kept for `evaluate`, 1 dropped" in out
    arguments = ["evaluate", folder / "lengths", "--data", data]
    assert f"of {kept} sentences" in command(*arguments).out
    assert f"of {kept + 1} sentences" in command(*arguments, "--max-len", "400").out
    assert main([str(argument) for argument in (*arguments, "--max-len", "0")]) == 1


def test_the_built_in_corpus_is_known_and_its_alignments_are_scored(folder, command, monkeypatch):
    monkeypatch.setattr(minifra, "generate", cache(minifra.generate))  # it takes its time
    corpus = ["--data", "mini-fra", "--num-examples", "400"]
    command("train", *corpus, "--out", folder / "mini", *FAST)
    scores = json.loads(command("evaluate", folder / "mini", *corpus, "--json").out)
    assert list(scores) == KEYS
    assert 0 < scores["aer"] < 1
    assert "alignment" in command("evaluate", folder / "mini", *corpus).out


def test_too_few_sentences_to_validate_is_said(folder, command):
    data = write(folder / "two.tsv", NUMBERS[:2])
    out, _ = command("train", "--data", data, "--out", folder / "two", *FAST)
    assert "no sentence falls into the validation part" in out


def test_resume_after_ctrl_c_gives_the_same_history(folder, command, monkeypatch, capsys):
    arguments = ["train", "--data", str(folder / "numbers.tsv"), *FAST, "--num-examples", "300"]
    out, _ = command(*arguments, "--out", folder / "whole", "--resume")
    assert "whole holds no run to go on with: a new one begins" in out
    monkeypatch.setattr(__main__, "Batches", Interrupted)
    assert main([*arguments, "--out", str(folder / "broken")]) == 130
    assert "--resume" in capsys.readouterr().err
    monkeypatch.setattr(__main__, "Batches", Batches)
    assert (folder / "broken" / "resume.pt").exists()
    out, _ = command(*arguments, "--out", folder / "broken", "--resume")
    assert "a new one begins" not in out
    assert not (folder / "broken" / "resume.pt").exists()
    losses = [
        [(epoch["train_loss"], epoch["valid_loss"]) for epoch in load_run(folder / name).history]
        for name in ("whole", "broken")
    ]
    assert losses[0] == losses[1]


def test_translate_prints_a_line_for_each_sentence(folder, command):
    sentences = ["one two five", "Three  FOUR five"]
    out, err = command("translate", folder / "run", *sentences, "--beam", "2")
    expected = translate(load_run(folder / "run").model, sentences, beam=2)
    assert out.splitlines() == [translation.text for translation in expected]
    assert err == ""


def test_translate_names_unknown_words(folder, command):
    out, err = command("translate", folder / "run", "one million dollars")
    assert out.startswith("un")
    assert "million, dollars" in err


def test_heatmap_is_an_svg_with_the_words_in_it(folder, command):
    """Also for characters that no font here may have, and for two dollar signs."""
    picture = folder / "map.svg"
    out, _ = command("translate", folder / "run", "one two three $ 日 $", "--heatmap", picture)
    text = picture.read_text(encoding="utf-8")
    assert "<svg" in text
    for word in ["one", "three", "日", *out.split()]:
        assert f">{word}<" in text


def test_evaluate_scores_the_test_part(folder, command):
    data = folder / "numbers.tsv"
    out, err = command("evaluate", folder / "run", "--data", data, "--json", "--beam", "2")
    scores = json.loads(out)
    assert (list(scores), out.count("\n"), err) == (KEYS, 1, "")
    test = split_pairs(load_pairs(data)).test
    expected = evaluate(load_run(folder / "run").model, test, beam=2)
    assert scores.pop("interval") == pytest.approx(expected.pop("interval"))
    assert scores.pop("signature") == expected.pop("signature")
    assert scores == pytest.approx(expected)
    assert scores["sentences"] == len({pair.source for pair in test})
    assert (scores["exact"], scores["aer"]) == (pytest.approx(1, abs=0.2), None)


def test_evaluate_all_takes_the_lines_and_lengths_asked_for(folder, command):
    arguments = "--split all --num-examples 100 --min-len 3 --max-len 3 --json".split()
    data = folder / "numbers.tsv"
    out, _ = command("evaluate", folder / "run", "--data", data, *arguments)
    sources = {s for s, _ in NUMBERS[:100] if len(s.split()) == 3}
    assert json.loads(out)["sentences"] == len(sources)


def test_evaluate_in_words_says_the_same(folder, command):
    data = ["--data", folder / "numbers.tsv"]
    scores = json.loads(command("evaluate", folder / "run", *data, "--json").out)
    out, _ = command("evaluate", folder / "run", *data)
    low, high = scores["interval"]
    for part in (
        f"{scores['bleu']:.1f}",
        f"{low:.1f} to {high:.1f}",
        f"{scores['sentences']} sentences",
        f"{scores['loss']:.3f} nats",
        scores["signature"],
    ):
        assert part in out
    assert "alignment" not in out


def test_export_writes_a_file_for_the_browser_and_says_how_large_it_is(folder, command):
    path = folder / "numbers.js"
    out, err = command("export", folder / "run", path)
    assert out.startswith(f"{path}: {path.stat().st_size:,} bytes, int8 weights off by 0.")
    assert (out.count("\n"), err) == (1, "")
    assert "off by 0.00%" in command("export", folder / "run", path, "--precision", "float32").out


def no_json(constant):
    raise AssertionError(f"{constant} is not JSON")


def test_json_stays_json_where_the_perplexity_is_beyond_all_numbers(folder, command):
    model = small_model()
    model.decoder.output.bias.data[2] = -1e5  # <eos> never comes: thousands of nats a word
    save_run(folder / "poor", model)
    data = write(folder / "poor.tsv", NUMBERS[:20])
    out, _ = command("evaluate", folder / "poor", "--data", data, "--split", "all", "--json")
    assert json.loads(out, parse_constant=no_json)["loss"] > 1000


@pytest.mark.parametrize("name", [[], ["train"], ["translate"], ["evaluate"], ["export"]])
def test_help_names_the_options(name, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*name, "--help"])
    assert caught.value.code == 0
    known = {
        "train": "--data --model --out --num-examples --min-len --max-len --epochs --batch-size "
        "--lr --seed --resume --valid mini-fra fra-eng rnn-attention",
        "translate": "--beam --heatmap sentences",
        "evaluate": "--data --num-examples --min-len --max-len --split --beam --json test all",
        "export": "FILE.js --precision int8 float16 float32",
    }
    text = capsys.readouterr().out
    for part in known[name[0]].split() if name else known:
        assert part in text


# What goes wrong. In the arguments DIR stands for the folder of the test, RUN for a good run.

LONG = "one " * 10_000
TRAIN = "train --out DIR/out --data DIR/"
GOOD = TRAIN + "good.tsv"
BAD = {
    TRAIN + "none.tsv": "none.tsv",
    TRAIN + "empty.tsv": "empty.tsv is empty",
    TRAIN + "tabless.tsv": "line 2 of .* no tab: 'two deux'",
    TRAIN + "half.tsv": "line 2 .* empty sentence",
    TRAIN + "latin1.tsv": "not UTF-8: byte 4 is 0xe9",
    TRAIN + "picture.zip": "picture.zip must hold one",
    TRAIN + "broken.zip": "broken.zip",
    "train --out DIR/out --data DIR": "is a folder",
    "train --out DIR/out --data fra-ger": "'fra-ger' is neither.* mini-fra.* fra-eng",
    GOOD + " --model lstm": "unknown model 'lstm'; known: rnn, rnn-attention",
    GOOD + " --num-examples 0": "num_examples .* 0",
    GOOD + " --num-examples -5": "num_examples .* -5",
    GOOD + " --min-len 0": "min_len .* 0",
    GOOD + " --min-len 40": "at least 40",
    GOOD + " --min-len 3 --max-len 2": "at least 3 and at most 2",
    GOOD + " --epochs 0": "epochs .* 0",
    GOOD + " --batch-size 0": "batch_size .* 0",
    GOOD + " --lr 0": "lr .* 0",
    GOOD + " --lr nan": "lr .* nan",
    GOOD + " --lr inf": "lr .* inf",
    GOOD + " --seed " + "9" * 30: "seed.* 9{30}",
    GOOD + " --valid DIR/none.tsv": "none.tsv",
    GOOD + " --valid DIR/long.tsv": "10000",
    "train --data DIR/good.tsv --out RUN": "run holds a run",
    "train --data DIR/good.tsv --out RUN --resume": "run.* 9",
    "train --data DIR/good.tsv --out DIR/good.tsv": "good.tsv",
    "train --data DIR/good.tsv --out DIR/good.tsv/deep": "good.tsv",
    "translate RUN ''": "''",
    "translate RUN one '...' ' '": "' '",
    f"translate RUN '{LONG}'": "10000 words",
    "translate RUN one --beam 0": "beam .* 0",
    "translate DIR one": "DIR holds no run",
    "translate nowhere one": "no run 'nowhere'",
    "translate DIR/cut one": "cut is damaged",
    "translate DIR/other one": "format 99",
    "translate DIR/sizes one": "sizes is damaged",
    "translate RUN one two --heatmap DIR/map.svg": "one sentence, not 2",
    "translate PLAIN one --heatmap DIR/map.svg": "no attention",
    "translate RUN one --heatmap DIR/none/map.svg": "none/map.svg",
    "translate RUN one --heatmap DIR/map.xyz": "xyz",
    "evaluate RUN --data DIR/none.tsv": "none.tsv",
    "evaluate RUN --data DIR/good.tsv": "no sentence of .*good.tsv falls into the test part",
    "evaluate RUN --data DIR/long.tsv --split all": "10000 words",
    "evaluate RUN --data DIR/good.tsv --split all --beam 0": "beam .* 0",
    "evaluate nowhere --data DIR/good.tsv --split all": "no run 'nowhere'",
    "export nowhere DIR/out.js": "no run 'nowhere'",
    "export PLAIN DIR/out.js": "'rnn'.* can run 'rnn-attention' alone",
    "export RUN DIR/out.js --precision int4": "'int4'; known: int8, float16, float32",
    "export RUN DIR/out.txt": "must end in .js, not 'out.txt'",
    "export RUN DIR/none/out.js": "none/out.js",
}


@pytest.fixture
def bad_files(folder, tmp_path):
    write(tmp_path / "good.tsv", NUMBERS[:20])
    write(tmp_path / "long.tsv", [(LONG, "un")])
    contents = {
        "empty.tsv": b"",
        "tabless.tsv": b"one\tun\ntwo deux\n",
        "half.tsv": b"one\tun\ntwo\t \n",
        "latin1.tsv": b"one\t\xe9t\xe9\n",
        "broken.zip": b"PK\x03\x04 and no more",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "picture.zip", "w") as archive:
        archive.writestr("picture.png", b"")
    for name, changes in {
        "cut": {},
        "other": {"format": 99},
        "sizes": {"target_words": ["un"]},
    }.items():
        save_run(tmp_path / name, small_model())
        path = tmp_path / name / "config.json"
        text = json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes})
        path.write_text(text if changes else text[:40], encoding="utf-8")
    return tmp_path


def arguments_of(line, places):
    """`line` as a shell would cut it; names of places become paths."""
    parts = shlex.split(line)
    for name, place in places.items():
        parts = [
            str(place) + part.removeprefix(name) if part.startswith(name) else part
            for part in parts
        ]
    return parts


def everything_in(*folders):
    return {
        path: path.read_bytes() if path.is_file() else None
        for folder in folders
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize(("line", "message"), BAD.items(), ids=[line[:60] for line in BAD])
def test_bad_input_is_one_line_that_names_it_and_nothing_is_written(
    line, message, folder, bad_files, capsys, monkeypatch
):
    monkeypatch.chdir(bad_files)
    before = everything_in(folder, bad_files)
    places = {"DIR": bad_files, "RUN": folder / "run", "PLAIN": folder / "plain"}
    capsys.readouterr()
    assert main(arguments_of(line, places)) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n")
    assert len(err) < 600
    assert re.search(message.replace("DIR", str(bad_files)), err), err
    assert everything_in(folder, bad_files) == before


def test_a_process_of_its_own_ends_with_the_same_code():
    done = subprocess.run(
        [sys.executable, "-m", "d2l_lite", "translate", "nowhere", "one"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("error: no run 'nowhere'")


def test_training_shows_its_loss_its_speed_and_the_time_left(folder):
    """In a process of its own: tqdm reads $TQDM_DISABLE, which `make test` sets, when imported."""
    train = ["train", "--data", folder / "numbers.tsv", "--out", folder / "shown", "--epochs", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "d2l_lite", *train],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"},
    )
    assert done.returncode == 0
    assert re.search(r"epoch 1/1: 100%.*<00:00.*loss \d.*words/s", done.stderr)

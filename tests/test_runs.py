"""Run folders: what is saved comes back, and what is damaged says so."""

import json
import shutil

import pytest
import torch
from small import PAIRS, plain_model, small_model
from torch.testing import assert_close

from d2l_lite import bookfiles, load_run, runs, save_run, translate

SENTENCES = [pair.source for pair in PAIRS[::20]]
EPOCHS = [{"epoch": 1, "train_loss": 2.5, "valid_loss": None}, {"epoch": 2, "train_loss": 1.25}]
FILES = {"config.json", "history.jsonl", "model.safetensors"}


def files(folder):
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def run(tmp_path):
    save_run(tmp_path / "run", small_model(), EPOCHS, about={"data": "numbers", "pairs": 155})
    return tmp_path / "run"


MODELS = {
    "rnn": {"name": "rnn", "context": "mean", "num_layers": 2},
    "additive": {"bidirectional": False},
    "untied": {"attention": "bilinear", "query": "before", "tied": False},
}


@pytest.mark.parametrize("sizes", MODELS.values(), ids=MODELS)
def test_a_loaded_run_translates_as_the_model_did(tmp_path, sizes):
    model = small_model(**sizes, scale=4.0).train()
    save_run(tmp_path / "deep" / "run", model, EPOCHS, about={"data": "numbers"})
    loaded = load_run(str(tmp_path / "deep" / "run"))
    assert model.training and not any(module.training for module in loaded.model.modules())
    assert_close(loaded.model.state_dict(), model.state_dict(), atol=0, rtol=0)
    assert loaded.model.config == loaded.config["model"] == model.config
    assert loaded.config["about"] == {"data": "numbers"}
    assert loaded.history == EPOCHS
    before, after = translate(model, SENTENCES, 2), translate(loaded.model, SENTENCES, 2)
    assert [(t.words, t.score) for t in before] == [(t.words, t.score) for t in after]
    assert files(tmp_path / "deep" / "run") == FILES


def test_words_of_every_script_come_back(tmp_path):
    model = small_model()
    words = ["été", "日", '"', "\\", "\u2028", "\U0001f600"]
    model.src_vocab = type(model.src_vocab)(words[: len(model.src_vocab) - 4])
    save_run(tmp_path, model)
    assert load_run(tmp_path).model.src_vocab.words == model.src_vocab.words


def test_float16_halves_the_file_and_keeps_three_digits(tmp_path):
    model = small_model(embed_size=64, hidden_size=64)
    save_run(tmp_path / "full", model)
    save_run(tmp_path / "half", model, dtype=torch.float16)
    full, half = (
        (tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half")
    )
    assert half / full == pytest.approx(0.5, abs=0.02)
    loaded = load_run(tmp_path / "half").model
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert_close(loaded.state_dict(), model.state_dict(), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_tied_weights_are_one_tensor_still(tmp_path, dtype):
    save_run(tmp_path, small_model(tied=True), dtype=dtype)
    decoder = load_run(tmp_path).model.decoder
    assert decoder.output.weight is decoder.embedding.weight
    decoder.embedding.weight.data.zero_()
    assert not decoder.output.weight.any()


def test_loading_leaves_the_random_numbers_alone(run):
    before = torch.get_rng_state()
    load_run(run)
    assert torch.equal(torch.get_rng_state(), before)


def replace(path, text):
    path.write_text(text, encoding="utf-8")


def change(folder, **changes):
    """Other values in config.json; None takes a key out."""
    config = {**json.loads((folder / "config.json").read_text(encoding="utf-8")), **changes}
    kept = {key: value for key, value in config.items() if value is not None}
    replace(folder / "config.json", json.dumps(kept))


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


OTHER = {"model": "rnn-attention", "embed_size": 8, "hidden_size": 24}
DAMAGES = {
    "config-cut": lambda run: cut(run / "config.json", 0.5),
    "config-empty": lambda run: cut(run / "config.json", 0),
    "config-no-utf8": lambda run: (run / "config.json").write_bytes(b"\xff\xfe{"),
    "config-list": lambda run: replace(run / "config.json", "[]"),
    "config-null": lambda run: replace(run / "config.json", "null"),
    "no-model": lambda run: change(run, model=None),
    "no-about": lambda run: change(run, about=None),
    "model-number": lambda run: change(run, model=3),
    "model-unknown": lambda run: change(run, model={"model": "transducer"}),
    "model-size": lambda run: change(run, model={**OTHER, "embed_size": "8"}),
    "model-other": lambda run: change(run, model=OTHER),
    "no-words": lambda run: change(run, source_words=None),
    "words-fewer": lambda run: change(run, target_words=["un"]),
    "words-twice": lambda run: change(run, target_words=["un"] * 5),
    "words-numbers": lambda run: change(run, target_words=[1, 2, 3, 4, 5]),
    "weights-cut": lambda run: cut(run / "model.safetensors", 0.7),
    "weights-empty": lambda run: cut(run / "model.safetensors", 0),
    "weights-text": lambda run: replace(run / "model.safetensors", "no weights at all" * 9),
    "history-cut": lambda run: cut(run / "history.jsonl", 0.7),
    "history-no-json": lambda run: replace(run / "history.jsonl", "epoch 1\n"),
    "history-number": lambda run: replace(run / "history.jsonl", "3\n"),
    "history-no-utf8": lambda run: (run / "history.jsonl").write_bytes(b"\xff\n"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_says_so_in_one_line_and_stays_as_it_is(run, damage):
    damage(run)
    before = {path: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(ValueError, match="is damaged") as caught:
        load_run(run)
    assert str(run) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in run.iterdir()} == before


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(run, name):
    (run / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_run(run)


@pytest.mark.parametrize("version", [0, 2, "1", "two"])
def test_another_format_is_named(run, version):
    change(run, format=version)
    with pytest.raises(ValueError, match=f"format .?{version}.?; this d2l_lite reads 1"):
        load_run(run)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """The folder of the shipped models, in a checkout that has nothing else."""
    monkeypatch.setattr(bookfiles, "CHECKOUT", tmp_path / "checkout")
    return tmp_path / "checkout" / "book" / "models"


def test_a_run_that_ships_is_found_by_name_and_others_are_listed(run, shelf):
    with pytest.raises(FileNotFoundError, match=r"no run 'numbers'.*none here"):
        load_run("numbers")
    for name in ("numbers", "letters"):
        shutil.copytree(run, shelf / name)
    assert load_run("numbers").history == EPOCHS
    with pytest.raises(FileNotFoundError, match=r"no run 'nmubers'.*letters, numbers"):
        load_run("nmubers")


def test_a_folder_goes_before_a_name(run, shelf, monkeypatch, tmp_path):
    shutil.copytree(run, shelf / "numbers")
    save_run(tmp_path / "numbers", small_model(), [])
    monkeypatch.chdir(tmp_path)
    assert load_run("numbers").history == []


def test_a_file_and_an_empty_folder_are_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
        load_run(tmp_path)
    replace(tmp_path / "file", "")
    with pytest.raises(FileNotFoundError, match=r"no run .*file"):
        load_run(tmp_path / "file")


def without_vocabs():
    model = small_model()
    model.src_vocab = None
    return model


@pytest.mark.parametrize("make", [plain_model, without_vocabs])
def test_only_what_can_be_built_again_is_saved(tmp_path, make):
    model = make()
    with pytest.raises(ValueError, match="build_model"):
        save_run(tmp_path / "run", model)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_save_that_fails_leaves_the_file_that_was_there(run, monkeypatch, name):
    """The disk is full in the middle of each file in turn."""
    before = {path.name: path.read_bytes() for path in run.iterdir()}

    def break_off(path, *_, **__):
        if name in str(path):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    save_model, write_text = runs.save_model, runs.Path.write_text
    monkeypatch.setattr(
        runs, "save_model", lambda m, p: break_off(runs.Path(p)) or save_model(m, p)
    )
    monkeypatch.setattr(
        runs.Path, "write_text", lambda p, *a, **k: break_off(p) or write_text(p, *a, **k)
    )
    with pytest.raises(OSError, match="No space left"):
        save_run(run, small_model(seed=1), [])
    assert (run / name).read_bytes() == before[name]
    monkeypatch.undo()
    save_run(run, small_model(seed=1), [])
    assert files(run) == FILES
    assert load_run(run).history == []

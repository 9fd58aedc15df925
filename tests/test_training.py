"""Training: it learns, it survives a kill with the same numbers, and it says what went wrong."""

import math
import os
import signal
import subprocess
import sys
import textwrap
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import PAIRS, VOCABS, Interrupted, plain_model, small_model
from torch.testing import assert_close

from d2l_lite import (
    Batches,
    History,
    Pair,
    TrainConfig,
    build_vocabs,
    evaluate,
    fit,
    forced_weights,
    load_run,
    mean_loss,
    save_run,
    translate,
    try_gpu,
)
from d2l_lite.training import _Trainer

TRAIN, VALID = PAIRS[::8], PAIRS[3::40]  # 20 and 4 pairs
COLUMNS = "epoch seconds tokens_per_second train_loss valid_loss valid_bleu".split()
TIMES = {"seconds", "tokens_per_second"}


def settings(**changes):
    return TrainConfig(**{"epochs": 3, "lr": 0.02, "device": "cpu", "progress": False, **changes})


def batches(pairs=TRAIN, batch_size=5, kind=Batches, **choices):
    return kind(pairs, *VOCABS, batch_size, **choices)


def measured(history):
    """The history without what the clock says."""
    return [{key: epoch[key] for key in epoch.keys() - TIMES} for epoch in history]


def assert_same_training(found, expected):
    """Two (model, history) that went through the same numbers, to the last bit."""
    assert measured(found[1]) == measured(expected[1])
    assert_close(found[0].state_dict(), expected[0].state_dict(), atol=0, rtol=0)


def train(valid=VALID, model=None, data=None, **changes):
    model = model or small_model(dropout=0.3)
    history = fit(model, data or batches(), settings(**changes), valid)
    return model, history


# What training does


@pytest.mark.parametrize("make", [small_model, lambda: small_model("rnn"), plain_model])
def test_one_batch_can_be_learnt_by_heart(make):
    pairs = PAIRS[40:46]
    model = make()
    history = fit(model, batches(pairs, 6), settings(epochs=60, schedule="constant"))
    assert history["train_loss"][0] == pytest.approx(math.log(len(VOCABS[1])), abs=0.5)
    assert history["train_loss"][-1] < 0.05
    assert [t.text for t in translate(model, [p.source for p in pairs])] == [
        pair.target for pair in pairs
    ]
    assert not model.training


def test_history_has_a_line_for_each_epoch_and_columns_by_name():
    _, history = train()
    assert isinstance(history, History)
    assert [list(epoch) for epoch in history] == [COLUMNS] * 3
    assert history["epoch"] == [1, 2, 3]
    assert history["train_loss"] == [epoch["train_loss"] for epoch in history]
    words = sum(len(pair.target.split()) + 1 for pair in TRAIN)
    for epoch in history:
        assert epoch["seconds"] * epoch["tokens_per_second"] == pytest.approx(words, rel=0.1)
    with pytest.raises(KeyError, match="loss"):
        history["loss"]


def test_train_loss_is_the_mean_over_words_not_over_batches():
    """A rate of nearly 0 leaves the model as it was; batches of 3 leave a last one of 2."""
    model = small_model()
    _, history = train(None, model, batches(batch_size=3), epochs=1, lr=1e-12)
    assert history["train_loss"] == [pytest.approx(mean_loss(small_model(), TRAIN), abs=1e-5)]


def test_without_valid_the_last_weights_stay_and_nothing_is_measured():
    model, history = train(None)
    assert history["valid_loss"] == history["valid_bleu"] == [None] * 3
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert mean_loss(model, TRAIN) < mean_loss(small_model(), TRAIN)


def test_the_best_epoch_by_valid_loss_is_kept(tmp_path):
    """The model learns that one is un; the valid pairs say otherwise, so it gets ever worse."""
    contrary = [Pair("one", "cinq"), Pair("two", "un")]
    model, history = train(
        contrary, data=batches(PAIRS[:5]), epochs=12, schedule="constant", folder=tmp_path / "run"
    )
    losses = history["valid_loss"]
    assert min(losses) < losses[-1] - 0.1
    assert mean_loss(model, contrary) == pytest.approx(min(losses), abs=1e-6)
    saved = load_run(tmp_path / "run")
    assert_close(saved.model.state_dict(), model.state_dict(), atol=0, rtol=0)
    assert saved.history == history


def test_valid_measures_are_those_of_evaluate():
    model, history = train(epochs=1)
    scores = evaluate(model, VALID, resamples=0)
    assert history["valid_loss"] == [scores["loss"]]
    assert history["valid_bleu"] == [scores["bleu"]]


def test_any_list_of_four_tensors_is_batches_too():
    data = [tuple(batch) for batch in batches(group=False)]
    _, history = train(data=data)
    assert history["train_loss"][-1] < history["train_loss"][0]


def test_the_seed_alone_decides():
    torch.manual_seed(5)
    first = train()
    torch.manual_seed(6)
    assert_same_training(train(), first)
    assert train(seed=1)[1]["train_loss"] != first[1]["train_loss"]


class WatchedAdam(torch.optim.Adam):
    """Notes rate and length of the gradient at each step."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.notes = []
        WatchedAdam.last = self

    def step(self, *arguments):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        length = torch.stack([g.norm() for g in gradients if g is not None]).norm()
        self.notes.append((self.param_groups[0]["lr"], length.item()))
        return super().step(*arguments)


@pytest.fixture
def notes(monkeypatch):
    """A function: train, and give the rates and the gradients' lengths."""
    monkeypatch.setattr(torch.optim, "Adam", WatchedAdam)

    def run(**changes):
        train(None, **changes)
        return zip(*WatchedAdam.last.notes, strict=True)

    return run


def test_one_cycle_goes_up_for_a_quarter_and_then_down(notes):
    """3 epochs of 4 batches are 12 steps. Up from 4 % along half a cosine in 3 of them: a quarter
    of the way after 1 (60°), three quarters after 2 (120°). Down in 9: three quarters are left
    after 3, one quarter after 6, and (1 + cos 160°) / 2 = 0.0301537 after 8, on top of 0.01 %."""
    rates, _ = notes(epochs=3, lr=0.1)
    assert len(rates) == 12
    expected = {0: 0.004, 1: 0.028, 2: 0.076, 3: 0.1, 6: 0.0750025, 9: 0.0250075, 11: 0.00302507}
    assert {step: rates[step] for step in expected} == pytest.approx(expected)


def test_a_constant_rate_stays(notes):
    rates, _ = notes(epochs=2, lr=0.1, schedule="constant")
    assert set(rates) == {0.1}


def test_gradients_are_clipped(notes):
    _, free = notes(epochs=1, clip=1e6)
    _, clipped = notes(epochs=1, clip=0.01)
    assert max(free) > 0.1
    assert all(length <= 0.01 + 1e-6 for length in clipped)


@given(steps=st.integers(1, 500))
def test_one_cycle_stays_within_bounds_whatever_the_number_of_steps(steps):
    trainer = SimpleNamespace(steps=steps, config=settings())
    rates = [_Trainer._rate(trainer, step) for step in range(steps + 1)]
    top = rates.index(max(rates))
    assert all(1e-4 - 1e-12 <= rate <= 1 for rate in rates)
    assert rates[0] == pytest.approx(0.04)
    assert rates[top] == pytest.approx(1)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(1e-4) or steps == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be .*0"),
        ({"epochs": 1.5}, "epochs must be .*1.5"),
        ({"lr": -0.1}, "lr must be .*-0.1"),
        ({"lr": math.nan}, "lr must be .*nan"),
        ({"lr": math.inf}, "lr must be .*inf"),
        ({"clip": 0}, "clip must be .*0"),
        ({"schedule": "cosine"}, "unknown schedule 'cosine'; known: one-cycle, constant"),
        ({"resume": True}, "resume needs the folder"),
    ],
)
def test_a_bad_setting_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        settings(**changes)


# Checkpoints


def interrupt(folder, valid=VALID, **changes):
    with pytest.raises(KeyboardInterrupt):
        train(valid, data=batches(kind=Interrupted), folder=folder, **changes)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


WHOLE = ["config.json", "history.jsonl", "model.safetensors"]


@pytest.mark.parametrize("valid", [VALID, None])
def test_resume_goes_on_to_the_same_numbers(tmp_path, valid):
    expected = train(valid, folder=tmp_path / "whole")
    interrupt(tmp_path / "run", valid)
    assert names(tmp_path / "run") == sorted([*WHOLE, "resume.pt"])
    torch.manual_seed(99)
    found = train(valid, small_model(dropout=0.3, seed=7), folder=tmp_path / "run", resume=True)
    assert_same_training(found, expected)
    for folder in ("whole", "run"):
        assert names(tmp_path / folder) == WHOLE
    run, whole = load_run(tmp_path / "run"), load_run(tmp_path / "whole")
    assert_same_training((run.model, run.history), (whole.model, whole.history))


def test_resume_survives_a_sigkill(tmp_path):
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import torch
        torch.set_num_threads(1)
        from small import Interrupted
        from test_training import batches, train
        class Killed(Interrupted):
            def __iter__(self):
                try:
                    yield from super().__iter__()
                except KeyboardInterrupt:
                    os.kill(os.getpid(), signal.SIGKILL)
        train(data=batches(kind=Killed), folder=sys.argv[1])
    """
    code = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "run")]
    assert subprocess.run(code, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}).returncode == (
        -signal.SIGKILL
    )
    assert_same_training(train(folder=tmp_path / "run", resume=True), train())


def stop_at(moment, patch):
    """From the given rename or deletion on the process is no more."""
    done = count()

    def stopping(change):
        def changed(*arguments, **options):
            if next(done) >= moment:
                raise KeyboardInterrupt
            return change(*arguments, **options)

        return changed

    for name in ("replace", "unlink"):
        patch.setattr(Path, name, stopping(getattr(Path, name)))


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_kill_at_any_change_of_the_folder_can_be_resumed(tmp_path, monkeypatch, epochs):
    """All that happens to the folder are renames and one deletion; stop before each in turn."""
    expected = train(epochs=epochs)
    for moment in count():
        folder = tmp_path / str(moment)
        with monkeypatch.context() as patch:
            stop_at(moment, patch)
            try:
                train(folder=folder, epochs=epochs)
                break
            except KeyboardInterrupt:
                pass
        assert_same_training(train(folder=folder, epochs=epochs, resume=True), expected)
        assert names(folder) == WHOLE
    assert moment >= 2 * epochs  # history and checkpoint or its deletion, and some more


class Untouched(Batches):
    """Must not be gone through."""

    def __iter__(self):
        raise AssertionError("trained again")


def test_a_finished_run_is_not_trained_again(tmp_path):
    expected = train(folder=tmp_path)
    found = train(
        model=small_model(dropout=0.3, seed=7),
        data=batches(kind=Untouched),
        folder=tmp_path,
        resume=True,
    )
    assert found[1] == expected[1]
    assert_same_training(found, expected)


def test_resume_in_a_new_folder_begins(tmp_path):
    assert_same_training(train(folder=tmp_path / "new", resume=True), train())


OTHERS = {
    "epochs = 3, not 4": {"epochs": 4},
    "lr = 0.02, not 0.01": {"lr": 0.01},
    "schedule = one-cycle, not constant": {"schedule": "constant"},
    "clip = 1.0, not 5": {"clip": 5},
    "seed = 0, not 1": {"seed": 1},
    "batches = Batches.20 pairs, batch_size=5": {"data": batches(batch_size=7)},
    "of a model with hidden_size = [0-9]+, not 26; take": {
        "model": small_model(dropout=0.3, hidden_size=26)
    },
    "validated on 4 pairs, not 3": {"valid": VALID[:3]},
    "on other pairs: the words differ": {
        "model": small_model(
            dropout=0.3, vocabs=build_vocabs([Pair(p.target, p.source) for p in PAIRS])
        )
    },
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_resume_with_other_settings_names_them(tmp_path, changes, request):
    interrupt(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=request.node.callspec.id):
        train(folder=tmp_path, resume=True, **changes)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "other", [name for name in OTHERS if not name.startswith(("batches", "clip", "seed"))]
)
def test_a_finished_run_with_other_settings_is_an_error(tmp_path, other):
    train(folder=tmp_path)
    with pytest.raises(ValueError, match=str(tmp_path)):
        train(folder=tmp_path, resume=True, **OTHERS[other])


def test_resume_with_or_without_valid_as_before(tmp_path):
    interrupt(tmp_path, valid=None)
    with pytest.raises(ValueError, match="validated on 0 pairs, not 4"):
        train(VALID, folder=tmp_path, resume=True)


def test_a_model_saved_by_hand_cannot_be_resumed(tmp_path):
    save_run(tmp_path, small_model())
    with pytest.raises(ValueError, match="holds no training of `fit`"):
        train(folder=tmp_path, resume=True)


@pytest.mark.parametrize(
    "noted", [{"about": {"data": Path("pairs.tsv")}}, {"lr": np.float32(0.01)}], ids=["path", "lr"]
)
def test_what_cannot_be_noted_is_said_before_the_training(tmp_path, noted):
    with pytest.raises(ValueError, match=r"must fit into JSON: .* (PosixPath|WindowsPath|float32)"):
        train(folder=tmp_path / "run", **noted)
    assert not (tmp_path / "run").exists()


def damage(content):
    return lambda path: path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-2000])


def change(**entries):
    """Other entries in the checkpoint."""

    def write(path):
        torch.save({**torch.load(path, weights_only=True), **entries}, path)

    return write


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


DAMAGES = {
    "empty": damage(b""),
    "text": damage(b"no checkpoint"),
    "cut": cut,
    "zeros": damage(bytes(5000)),
    "list": lambda path: torch.save([1, 2], path),
    "other": lambda path: torch.save({"state": 3}, path),
    "settings": change(settings=None),
    "model": change(model={}),
    "optimizer": change(optimizer={}),
    "random": change(random=None),
    "code": lambda path: torch.save(Evil(), path),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_named(tmp_path, damage, monkeypatch):
    monkeypatch.chdir(tmp_path)
    interrupt(tmp_path / "run")
    damage(tmp_path / "run" / "resume.pt")
    with pytest.raises(ValueError, match=r"resume\.pt is damaged"):
        train(folder=tmp_path / "run", resume=True)
    assert names(tmp_path) == ["run"]


def test_a_run_is_not_overwritten(tmp_path):
    train(folder=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match=str(tmp_path)):
        train(folder=tmp_path, seed=1)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def refused(error, match, **arguments):
    """`train` raises before it has gone through a batch."""
    with pytest.raises(error, match=match):
        train(data=batches(kind=Untouched), **arguments)


def test_what_cannot_be_saved_is_said_before_the_training(tmp_path):
    (tmp_path / "file").write_text("")
    refused(OSError, "file", folder=tmp_path / "file")
    refused(ValueError, "build_model", model=plain_model(), folder=tmp_path / "run")
    assert names(tmp_path) == ["file"]


def test_what_cannot_be_measured_is_said_before_the_training(tmp_path):
    long = [Pair("one " * 501, "un " * 501)]
    refused(ValueError, "501", valid=long, folder=tmp_path / "run")
    assert names(tmp_path) == []


# A loss that is no number


def poison(model):
    model.decoder.output.bias.data.fill_(math.nan)


class Poisoned(Batches):
    """Before the third batch of the second epoch the model goes wrong."""

    def __iter__(self):
        for number, batch in enumerate(super().__iter__(), start=1):
            if self.epoch == 1 and number == 3:
                poison(self.model)
            yield batch


def test_a_loss_that_is_no_number_stops_the_training_and_keeps_the_checkpoint(tmp_path):
    model, data = small_model(dropout=0.3), batches(kind=Poisoned)
    data.model = model
    with pytest.raises(FloatingPointError) as caught:
        train(model=model, data=data, folder=tmp_path)
    for part in ("nan", "step 3 of epoch 2", "learning rate below 0.02", f"{tmp_path} keeps"):
        assert part in str(caught.value)
    assert all(tensor.isfinite().all() for tensor in load_run(tmp_path).model.parameters())
    assert_same_training(train(folder=tmp_path, resume=True), train())


def test_a_first_step_that_fails_says_that_nothing_is_saved(tmp_path):
    model = small_model()
    poison(model)
    with pytest.raises(FloatingPointError, match=r"step 1 of epoch 1.*nothing has been saved"):
        train(model=model, folder=tmp_path / "run")
    assert names(tmp_path) == []


@pytest.mark.parametrize("valid", [VALID, None])
def test_a_last_step_that_breaks_the_weights_does_not_reach_the_folder(tmp_path, valid):
    """The loss of the epoch's last batch is finite, its gradient is not: what is saved then?"""
    model, steps = small_model(), iter(range(100))
    model.decoder.output.bias.register_hook(
        lambda gradient: gradient * math.inf if next(steps) == 7 else gradient
    )
    with pytest.raises(FloatingPointError):
        train(valid, model, folder=tmp_path)
    assert all(tensor.isfinite().all() for tensor in load_run(tmp_path).model.parameters())
    assert all(
        tensor.isfinite().all()
        for tensor in torch.load(tmp_path / "resume.pt", weights_only=True)["model"].values()
    )


# Evaluation


@pytest.fixture(scope="module")
def trained():
    model = small_model()
    fit(model, batches(PAIRS, 16), settings(epochs=15))
    return model


KEYS = "bleu interval signature exact loss perplexity sentences aer aer_best gold_mass".split()


def test_evaluate_has_the_keys_of_the_contract(trained):
    scores = evaluate(trained, VALID, resamples=50)
    assert list(scores) == KEYS
    assert scores["perplexity"] == pytest.approx(math.exp(scores["loss"]))
    assert scores["loss"] == mean_loss(trained, VALID)
    assert scores["sentences"] == len(VALID)
    assert len(scores["interval"]) == 2
    assert "case:lc" in scores["signature"] and "tok:13a" in scores["signature"]
    assert evaluate(trained, VALID, resamples=0)["interval"] is None


def test_translations_of_one_sentence_are_its_references(trained):
    """Case and spaces make no other sentence; one right answer of several is enough."""
    pairs = [
        Pair("one two three four", "un deux trois"),
        Pair("five", "cinq"),
        Pair("One  TWO\u00a0three four", "quatre"),
        Pair("one two", "deux un"),
        Pair(" one two ", "Un deux"),
    ]
    found = evaluate(trained, pairs, resamples=0)
    assert found["sentences"] == 3
    right = [t.text for t in translate(trained, ["one two three four", "five", "one two"])]
    assert right[1:] == ["cinq", "un deux"]
    assert found["exact"] == pytest.approx(
        sum(
            text in answers
            for text, answers in zip(
                right, [("un deux trois", "quatre"), ("cinq",), ("deux un", "un deux")], strict=True
            )
        )
        / 3
    )
    assert found["loss"] == mean_loss(trained, pairs)


def test_aer_needs_gold_and_attention(trained):
    without_gold = [pair._replace(alignment=None) for pair in VALID]
    scores = evaluate(trained, without_gold, resamples=0)
    assert [scores[name] for name in ("aer", "aer_best", "gold_mass")] == [None] * 3
    assert evaluate(small_model("rnn"), VALID, resamples=0)["aer"] is None
    assert evaluate(plain_model(), VALID, resamples=0)["aer"] is None


def test_aer_is_over_the_sentences_with_gold(trained):
    pairs = [*VALID, PAIRS[70]._replace(alignment=None)]
    hits = total = 0
    for pair, weights in zip(VALID, forced_weights(trained, VALID), strict=True):
        hits += sum(int(row.argmax()) == t for t, row in enumerate(weights))
        total += len(pair.alignment)
    scores = evaluate(trained, pairs, resamples=0)
    assert scores["aer"] == pytest.approx(1 - hits / total)
    assert 0 <= scores["aer_best"] <= scores["aer"] and 0 < scores["gold_mass"] <= 1


def test_evaluate_takes_a_beam_and_leaves_the_model_as_it_was(trained):
    trained.train()
    assert evaluate(trained, VALID, beam=3, resamples=0)["exact"] == 1
    assert trained.training
    trained.eval()


def test_nothing_to_evaluate_is_an_error(trained):
    with pytest.raises(ValueError, match="pairs"):
        evaluate(trained, [])


@given(batch_size=st.integers(1, 30), training=st.booleans())
def test_mean_loss_does_not_depend_on_the_batches(batch_size, training):
    model = small_model(dropout=0.5).train(training)
    expected = torch.tensor([mean_loss(model, [pair]) for pair in VALID])
    words = torch.tensor([len(pair.target.split()) + 1.0 for pair in VALID])
    assert mean_loss(model, VALID, batch_size) == pytest.approx(
        ((expected * words).sum() / words.sum()).item(), abs=1e-5
    )
    assert model.training == training


def test_try_gpu_gives_a_device_that_works():
    assert torch.ones(2, device=try_gpu()).sum().item() == 2


def test_a_step_that_ends_an_epoch_and_breaks_the_weights_is_not_kept(tmp_path):
    """With one batch an epoch, every step is an epoch's last: nothing must pass unseen."""
    model = small_model()
    whole = Batches(PAIRS[:4], *VOCABS, batch_size=4)
    with pytest.raises(FloatingPointError, match=r"after epoch 1|step 1 of epoch 2"):
        fit(model, whole, TrainConfig(epochs=3, lr=3e37, schedule="constant", folder=tmp_path))
    assert not (tmp_path / "model.safetensors").exists() or all(
        weight.isfinite().all() for weight in load_run(tmp_path).model.parameters()
    )


def test_a_model_that_keeps_its_weights_on_itself_can_be_trained():
    model = plain_model()
    batch = Batches(PAIRS[:8], *VOCABS, batch_size=8)
    model.decoder.seen = model.loss(next(iter(batch)))[0]  # a tensor of the graph, as D2L keeps it
    assert len(fit(model, batch, TrainConfig(epochs=1, device="cpu"))) == 1

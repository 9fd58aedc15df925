"""Each benchmark in its smallest form: both sides of a comparison do the same, and are counted."""

import json
import math

import pytest
import torch
from small import PAIRS, VOCABS

from benchmarks import attention, decoding, families, loading, processes, run, training
from d2l_lite import GatedConvolution, translate

each_module = pytest.mark.parametrize("module", [training, families, decoding, loading, attention])


@each_module
def test_a_measurement_is_flat_numbers_and_ratios_of_two_of_them(module):
    found = module.measure("cpu", fast=True)
    numbers = {name: value for name, value in found.items() if not isinstance(value, str)}
    assert all(isinstance(value, int | float) and value >= 0 for value in numbers.values())
    values = [value for value in numbers.values() if value]
    for name, ratio in numbers.items():
        if name.endswith("ratio"):
            assert any(math.isclose(a / b, ratio, rel_tol=1e-6) for a in values for b in values)


def test_plain_and_ours_load_the_same_numbers():
    plain, ours = (form("mini-fra", 60) for form in (loading.plain, loading.ours))
    assert all(torch.equal(a, b) for a, b in zip(plain, ours, strict=True))


def test_plain_and_ours_write_the_same_words():
    model = decoding.text_model(PAIRS, VOCABS, "cpu", epochs=40)
    sentences = [pair.source for pair in PAIRS[::8]]
    words = [found.words for found in translate(model, sentences, max_len=decoding.WORDS)]
    assert [decoding.plain(model, sentence) for sentence in sentences] == words
    assert len({len(row) for row in words}) > 1  # some ended by themselves


def test_the_plain_form_of_additive_attention_gives_the_same():
    layer, plain = (kind(4, 4, 5) for kind in (attention.AdditiveAttention, attention.Plain))
    plain.load_state_dict(layer.state_dict())
    inputs = [torch.randn(2, 3, 4) for _ in range(3)]
    torch.testing.assert_close(plain(*inputs), layer(*inputs))


def test_plain_and_ours_train_to_the_same_losses():
    found = training.forms("cpu", fast=True)
    assert found["ours_loss"] == pytest.approx(found["plain_loss"], rel=1e-5)


def test_what_a_layer_keeps_by_hand():
    """x · w keeps both: the input and the weight are not counted, so nothing is; its tanh is."""
    x, weight = torch.ones(2, 3, requires_grad=True), torch.nn.Parameter(torch.ones(3))
    assert families.kept_bytes(lambda x: x * weight, x) == 0
    assert families.kept_bytes(lambda x: (x * weight).tanh(), x) == 4 * 6
    layer = torch.nn.Linear(3, 5)
    assert families.kept_bytes(layer, x) == 0


def test_attention_keeps_the_square_of_the_length_and_a_convolution_its_multiple():
    convolution = GatedConvolution(4, kernel_size=1)
    for read, grows in ((convolution, 4), (lambda x: (x @ x.mT).softmax(-1), 16)):
        short, long = (
            families.kept_bytes(read, torch.randn(1, length, 4, requires_grad=True))
            for length in (8, 32)
        )
        assert long == grows * short


def test_two_processes_train_to_the_same_losses():
    found = processes.measure("cpu", fast=True)
    assert found["two_loss"] == pytest.approx(found["one_loss"], rel=1e-5)
    speeds = found["two_words_per_second"], found["one_words_per_second"]
    assert found["ratio"] == pytest.approx(speeds[0] / speeds[1])


def test_a_record_keeps_what_was_not_measured_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    (tmp_path / "cpu.json").write_text('{"loading": {"seconds": 3}, "families": {"ms": 1}}')
    monkeypatch.setattr(families, "measure", lambda device: {"ms": 2 / 3, "data": "mini-fra"})
    run.main(["cpu", "families"])
    record = json.loads((tmp_path / "cpu.json").read_text())
    assert record["loading"] == {"seconds": 3}
    assert record["families"] == {"ms": 0.66667, "data": "mini-fra"}
    assert record["machine"]["torch"] == torch.__version__
    assert "families" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"'gpu'.*loading"):
        run.main(["gpu"])

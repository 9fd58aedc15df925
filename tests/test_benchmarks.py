"""Each benchmark in its smallest form: both sides of a comparison do the same, and are counted."""

import math

import pytest
import torch
from small import PAIRS, VOCABS

from benchmarks import attention, decoding, loading
from d2l_lite import translate

each_of_c = pytest.mark.parametrize("module", [attention, decoding, loading])


@each_of_c
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

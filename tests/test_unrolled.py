"""The loop written out: the numbers and the gradients of the loop in simple form."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from d2l_lite import AdditiveAttention, RNNAttentionDecoder, length_mask
from d2l_lite.rnn import AttentionState
from d2l_lite.unrolled import attend_before_each_word

E, H = 3, 4


def decoder_and_input(lengths, words, layers=1, dtype=torch.float64, dropout=0.0):
    """A decoder, embedded words, and a state whose tensors want gradients."""
    attention = AdditiveAttention(H, H, 5, dropout)
    decoder = RNNAttentionDecoder(7, E, H, attention, layers, dropout).to(dtype)
    B, S = len(lengths), max(lengths)
    values, hidden, cell = (
        torch.randn(*shape, dtype=dtype, requires_grad=True)
        for shape in ((B, S, H), (layers, B, H), (layers, B, H))
    )
    keys = decoder.attention.project_keys(values)
    mask = length_mask(torch.tensor(lengths), S)
    embedded = torch.randn(B, words, E, dtype=dtype, requires_grad=True)
    return decoder, embedded, AttentionState(values, (hidden, cell), (keys, mask))


def written_out(decoder, embedded, state):
    return attend_before_each_word(decoder.rnn, decoder.attention, embedded, state)


def flat(found):
    *parts, lstm = found
    return [*parts, *lstm]


@given(
    seed=st.integers(0, 2**31),
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    words=st.integers(1, 4),
    layers=st.integers(1, 3),
    hides=st.booleans(),
)
def test_numbers_and_gradients_are_those_of_the_simple_loop(seed, lengths, words, layers, hides):
    torch.manual_seed(seed)
    decoder, embedded, state = decoder_and_input(lengths, words, layers)
    if not hides:
        state = state._replace(keys=(state.keys[0], None))
    expected, found = (
        flat(loop(embedded, state))
        for loop in (decoder._attend_before, lambda *given: written_out(decoder, *given))
    )
    assert_close(found, expected)
    asked = [embedded, state.values, *state.lstm]
    asked += [*decoder.rnn.parameters(), *decoder.attention.parameters()]
    weight_of = [torch.randn_like(part) for part in expected]
    for numbers in (weight_of, weight_of[:1]):  # all that is returned counts, or the outputs alone
        gradients = (
            torch.autograd.grad(
                sum((w * part).sum() for w, part in zip(numbers, parts, strict=False)),
                asked,
                retain_graph=True,
            )
            for parts in (found, expected)
        )
        assert_close(*gradients)


def test_by_hand():
    """All weights 0: each key has the same weight, and the gates are σ(0) = ½.

    The bias of the memory's content is artanh ½, so the memory is ½ c + ½ · ½: ¼, then ⅜.
    """
    decoder, embedded, state = decoder_and_input([2, 1], 2)
    for weight in decoder.parameters():
        nn.init.zeros_(weight)
    with torch.no_grad():
        decoder.rnn.bias_hh_l0[2 * H : 3 * H] = math.atanh(0.5)
    zero = torch.zeros(1, 2, H, dtype=torch.float64)
    state = AttentionState(
        state.values, (zero, zero), (torch.zeros(2, 2, 5).double(), state.keys[1])
    )
    outputs, contexts, weights, (_, cell) = written_out(decoder, embedded, state)
    assert_close(outputs[0, :, 0].tolist(), [0.5 * math.tanh(0.25), 0.5 * math.tanh(0.375)])
    assert weights[:, 1].tolist() == [[0.5, 0.5], [1.0, 0.0]]
    assert_close(contexts[:, 0], torch.stack((state.values[0].mean(0), state.values[1, 0])))
    assert_close(cell, torch.full_like(cell, 0.375))


def test_gradients_are_those_of_small_differences():
    decoder, embedded, state = decoder_and_input([3, 2], 3, layers=2)
    rest = state.keys[1]

    def outputs(embedded, values, hidden, cell):
        keys = decoder.attention.project_keys(values)
        given = AttentionState(values, (hidden, cell), (keys, rest))
        return tuple(flat(written_out(decoder, embedded, given)))

    assert torch.autograd.gradcheck(outputs, (embedded, state.values, *state.lstm))


def test_a_second_derivative_is_refused():
    decoder, embedded, state = decoder_and_input([2], 2)
    outputs, *_ = written_out(decoder, embedded, state)
    (gradient,) = torch.autograd.grad(outputs.square().sum(), embedded, create_graph=True)
    with pytest.raises(RuntimeError, match="twice"):
        gradient.sum().backward()


def weights_read(decoder, state, words=3):
    _, weights, _ = decoder.read(torch.ones(len(state.values), words, dtype=torch.long), state)
    return weights[:, 0]


def test_a_decoder_reads_by_it_unless_there_is_dropout(monkeypatch):
    decoder, _, state = decoder_and_input([2, 3], 2, layers=2, dropout=0.5)
    monkeypatch.setattr(
        "d2l_lite.rnn.attend_before_each_word", lambda *given: pytest.fail("was taken")
    )
    weights_read(decoder, state)
    weights_read(decoder.eval(), state, words=1)
    with pytest.raises(pytest.fail.Exception):
        weights_read(decoder, state)


def test_a_sentence_without_a_key_is_attended_to_nowhere():
    decoder, _, state = decoder_and_input([2, 3], 2)
    nothing = torch.tensor([[[False] * 3], [[True] * 3]])
    weights = weights_read(decoder, state._replace(keys=(state.keys[0], nothing)))
    assert (weights[0] == 0).all()
    assert_close(weights[1].sum(-1), torch.ones(3, dtype=torch.float64))

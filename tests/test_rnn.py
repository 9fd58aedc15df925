"""The LSTM encoder and the ways in which its decoders see the source.

What they must do as every model must is in test_families.py.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from small import RNN_ATTENTIVE, RNN_PLAIN, all_at_once, model_of
from torch import nn
from torch.testing import assert_close

from d2l_lite import (
    AdditiveAttention,
    DotAttention,
    EncoderDecoder,
    RNNAttentionDecoder,
    RNNDecoder,
    RNNEncoder,
)
from d2l_lite.rnn import CONTEXTS

V, E, H = 11, 6, 8
each_decoder = pytest.mark.parametrize(
    ("name", "sizes"), (RNN_PLAIN | RNN_ATTENTIVE).values(), ids=RNN_PLAIN | RNN_ATTENTIVE
)
each_encoder = pytest.mark.parametrize(
    ("layers", "bidirectional"), [(1, False), (1, True), (2, False), (2, True)]
)
seeds = st.integers(0, 2**31)


# Encoder


def test_encoder_by_hand():
    """All weights 0, the bias of the memory gate's content artanh ½, so content ½ at each word.

    The gates are σ(0) = ½, so the memory is c = ½ c + ½ · ½: after one word ¼, after two ⅜; the
    state is ½ tanh c. Padding is not read: one word of three leaves ¼.
    """
    encoder = RNNEncoder(V, E, 1)
    for parameter in encoder.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        encoder.rnn.bias_ih_l0[2] = math.atanh(0.5)
    outputs, (hidden, cell) = encoder(torch.tensor([[4, 0, 0], [5, 6, 0]]), torch.tensor([1, 2]))
    one, two = 0.5 * math.tanh(0.25), 0.5 * math.tanh(0.375)
    assert_close(outputs[..., 0], torch.tensor([[one, 0, 0], [one, two, 0]]))
    assert_close(hidden.flatten(), torch.tensor([one, two]))
    assert_close(cell.flatten(), torch.tensor([0.25, 0.375]))


@each_encoder
@given(
    seed=seeds,
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    far=st.integers(0, 3),
    garbage=st.integers(0, V - 1),
)
def test_encoder_reads_as_pytorchs_lstm_reads_unpadded_sentences(
    random_batch, layers, bidirectional, seed, lengths, far, garbage
):
    torch.manual_seed(seed)
    encoder = RNNEncoder(V, E, H, layers, bidirectional=bidirectional)
    src, src_len, *_ = random_batch(lengths, lengths)
    src = F.pad(src, (0, far)).masked_fill(
        torch.arange(src.shape[1] + far) >= src_len[:, None], garbage
    )
    outputs, (hidden, cell) = encoder(src, src_len)
    assert outputs.shape == (*src.shape, H)
    assert hidden.shape == cell.shape == (layers, len(lengths), H)
    for b, length in enumerate(lengths):
        expected, last = encoder.rnn(encoder.embedding(src[b : b + 1, :length]))
        assert_close(outputs[b, :length], expected[0])
        assert (outputs[b, length:] == 0).all()
        for ours, theirs in zip((hidden, cell), last, strict=True):
            # (layers · directions, 1, size) -> (layers, H): a layer's directions side by side
            assert_close(ours[:, b], theirs.reshape(layers, H))


def test_the_last_state_is_where_each_direction_ends(random_batch):
    """Forwards that is the last word, backwards the first."""
    src, src_len, *_ = random_batch([3, 5], [1, 1])
    outputs, (hidden, _) = RNNEncoder(V, E, H, bidirectional=True)(src, src_len)
    last = outputs[torch.arange(2), src_len - 1]
    assert_close(hidden[0], torch.cat((last[:, : H // 2], outputs[:, 0, H // 2 :]), dim=-1))


def test_two_directions_need_an_even_size():
    with pytest.raises(ValueError, match="7"):
        RNNEncoder(V, E, 7, bidirectional=True)


# Decoders


@each_decoder
def test_no_source_length_means_all_of_it_counts(random_batch, name, sizes):
    model, batch = model_of(name, **sizes), random_batch([4, 4], [5, 5])
    encoded = model.encoder(batch.src, batch.src_len)
    without, with_length = (
        model.decoder(batch.tgt, model.decoder.init_state(encoded, src_len))[0]
        for src_len in (None, batch.src_len)
    )
    assert_close(without, with_length)


@pytest.mark.parametrize(("query", "reads_first"), [("before", False), ("after", True)])
def test_the_query_is_the_state_before_or_after_the_word(random_batch, query, reads_first):
    model, batch = model_of("rnn-attention", query=query), random_batch([4], [3])
    state = model.start(batch.src, batch.src_len)
    weights = [model.decoder.step(torch.tensor([word]), state)[2] for word in (4, 5)]
    assert torch.allclose(*weights) != reads_first


def test_the_first_query_before_a_word_is_the_encoders_last_state(random_batch):
    sizes = {"attention": "scaled-dot", "query": "before", "num_layers": 2}
    model, batch = model_of("rnn-attention", **sizes), random_batch([4, 2], [3, 3])
    outputs, (hidden, _) = model.encoder(batch.src, batch.src_len)
    _, expected = model.decoder.attention(hidden[-1][:, None], outputs, outputs, batch.src_len)
    assert_close(all_at_once(model, batch)[1][:, :1], expected)


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_fixed_context_by_hand(context):
    """Outputs 1, 3 and a padded 0: the mean of the valid ones is 2, not 4/3; the last state is 7.

    The second layer's, that is: the first one's is 5.
    """
    outputs = torch.tensor([[[1.0], [3.0], [0.0]]])
    lstm = (torch.tensor([[[5.0]], [[7.0]]]), torch.zeros(2, 1, 1))
    decoder = RNNDecoder(V, E, 1, num_layers=2, context=context)
    _, found = decoder.init_state((outputs, lstm), torch.tensor([2]))
    assert found.flatten().tolist() == {"start": [], "last": [7], "mean": [2]}[context]


@each_decoder
def test_tied_words_are_scored_with_their_embeddings(name, sizes):
    decoder = model_of(name, **sizes).decoder
    assert (decoder.output.weight is decoder.embedding.weight) == sizes["tied"]


def test_queries_that_fit_no_key_are_named(random_batch):
    model = EncoderDecoder(
        RNNEncoder(V, E, H), RNNAttentionDecoder(V, E, H, AdditiveAttention(H, H + 1, H))
    )
    with pytest.raises(ValueError, match=r"size 8 .* 9"):
        model.loss(random_batch([3], [3]))


def test_an_unknown_choice_is_named():
    with pytest.raises(ValueError, match="'first'"):
        RNNDecoder(V, E, H, context="first")
    with pytest.raises(ValueError, match="'now'"):
        RNNAttentionDecoder(V, E, H, DotAttention(), query="now")

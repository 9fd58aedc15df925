"""The LSTM encoder and its decoders: padding, company in the batch and the pace do not matter."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from d2l_lite import AdditiveAttention, EncoderDecoder, RNNAttentionDecoder, RNNDecoder, RNNEncoder
from d2l_lite.rnn import ATTENTIONS, CONTEXTS, QUERIES

V, E, H = 11, 6, 8


def plain(**choices):
    return lambda layers=1, vocab_size=V: RNNDecoder(vocab_size, E, H, layers, **choices)


def attentive(attention, **choices):
    def make(layers=1, vocab_size=V):
        return RNNAttentionDecoder(vocab_size, E, H, ATTENTIONS[attention](H), layers, **choices)

    return make


TIED = {"tied": True, "own": False}
PLAIN = {f"{c}-{t}": plain(context=c, tied=TIED[t]) for c in CONTEXTS for t in TIED}
ATTENTIVE = {
    f"{a}-{q}-{t}": attentive(a, query=q, tied=TIED[t])
    for a in ATTENTIONS
    for q in QUERIES
    for t in TIED
}
DECODERS = PLAIN | ATTENTIVE
each_decoder = pytest.mark.parametrize("make", DECODERS.values(), ids=DECODERS)
each_attentive = pytest.mark.parametrize("make", ATTENTIVE.values(), ids=ATTENTIVE)
each_encoder = pytest.mark.parametrize(
    ("layers", "bidirectional"), [(1, False), (1, True), (2, False), (2, True)]
)
seeds = st.integers(0, 2**31)


def model_of(make, layers=1, bidirectional=True):
    encoder = RNNEncoder(V, E, H, layers, bidirectional=bidirectional)
    return EncoderDecoder(encoder, make(layers)).eval()


def all_at_once(model, batch):
    """Logits (B, T, V), weights (B, T, S) or None, and the state after teacher forcing."""
    state = model.start(batch.src, batch.src_len)
    features, weights, state = model.decoder.features(batch.tgt[:, :-1], state)
    return model.decoder.output(features), weights, state


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


def test_encoder_takes_lengths_that_are_floats(random_batch):
    src, src_len, *_ = random_batch([3, 5], [1, 1])
    encoder = RNNEncoder(V, E, H)
    assert_close(encoder(src, src_len.float()), encoder(src, src_len))


@pytest.mark.parametrize(
    ("lengths", "named"),
    [
        ([0, 3], "of 0 "),
        ([2, -1], "-1"),
        ([2, 4], "of 4 in a row of 3"),
        ([1.5, 3], "1.5"),
        ([3], r"\(1,\).* 2 "),
        ([1, 2, 3], r"\(3,\).* 2 "),
        ([[1, 2], [2, 3]], r"\(2, 2\)"),
    ],
)
def test_a_wrong_source_length_is_named(lengths, named):
    with pytest.raises(ValueError, match=named):
        RNNEncoder(V, E, H)(torch.full((2, 3), 5), torch.tensor(lengths))


def test_two_directions_need_an_even_size():
    with pytest.raises(ValueError, match="7"):
        RNNEncoder(V, E, 7, bidirectional=True)


# Decoders


@each_decoder
@pytest.mark.parametrize("layers", [1, 2])
def test_step_by_step_equals_all_at_once(random_batch, make, layers):
    model, batch = model_of(make, layers), random_batch([3, 6, 1], [5, 2, 4])
    logits, weights, last = all_at_once(model, batch)
    assert_close(model(batch.src, batch.tgt[:, :-1], batch.src_len)[0], logits)
    state = model.start(batch.src, batch.src_len)
    for t in range(logits.shape[1]):
        logits_t, state, weights_t = model.decoder.step(batch.tgt[:, t], state)
        assert_close(logits_t, logits[:, t])
        assert_close(weights_t, None if weights is None else weights[:, t])
    assert_close(state, last)


@each_decoder
@settings(max_examples=10)
@given(seed=seeds, far=st.integers(0, 4), others=st.integers(0, 3))
def test_decoder_is_the_same_in_any_company(random_batch, make, seed, far, others):
    torch.manual_seed(seed)
    model, alone = model_of(make), random_batch([3], [4])
    lengths = torch.randint(1, 4 + far, (2, others)).tolist()
    crowd = random_batch(*([mine, *theirs] for mine, theirs in zip((3, 4), lengths, strict=True)))
    src, tgt = F.pad(crowd.src, (0, far)), crowd.tgt.clone()
    src[0, :3], tgt[0, :6] = alone.src, alone.tgt
    logits, weights, _ = all_at_once(model, alone)
    logits_there, weights_there, _ = all_at_once(model, crowd._replace(src=src, tgt=tgt))
    assert_close(logits_there[:1, :5], logits)
    if weights is not None:
        assert_close(weights_there[:1, :5, :3], weights)
        assert (weights_there[0, :, 3:] == 0).all()


@each_decoder
def test_a_later_target_word_changes_no_earlier_logit(random_batch, make):
    model, batch = model_of(make), random_batch([3, 6], [5, 5])
    logits, weights, _ = all_at_once(model, batch)
    tgt = batch.tgt.clone()
    tgt[:, 3] = 4 + (tgt[:, 3] - 3) % (V - 4)
    logits_after, weights_after, _ = all_at_once(model, batch._replace(tgt=tgt))
    assert torch.equal(logits_after[:, :3], logits[:, :3])
    assert not torch.isclose(logits_after[:, 3:], logits[:, 3:]).all(-1).any()
    if weights is not None:
        assert torch.equal(weights_after[:, :3], weights[:, :3])


@each_decoder
def test_select_reorders_and_repeats_sentences(random_batch, make):
    """Rows 2, 0, 0 of the state go on as these three sentences would by themselves."""
    model, batch, rows = model_of(make, layers=2), random_batch([3, 6, 1], [5, 5, 5]), [2, 0, 0]
    state = model.start(batch.src, batch.src_len)
    _, state, _ = model.decoder.step(batch.tgt[:, 0], state)
    expected = model.decoder.step(batch.tgt[:, 1], state)
    chosen = model.decoder.select(state, torch.tensor(rows))
    logits, _, weights = model.decoder.step(batch.tgt[rows, 1], chosen)
    assert_close(logits, expected[0][rows])
    assert_close(weights, None if weights is None else expected[2][rows])


@each_decoder
def test_no_source_length_means_all_of_it_counts(random_batch, make):
    model, batch = model_of(make), random_batch([4, 4], [5, 5])
    encoded = model.encoder(batch.src, batch.src_len)
    without, with_length = (
        model.decoder(batch.tgt, model.decoder.init_state(encoded, src_len))[0]
        for src_len in (None, batch.src_len)
    )
    assert_close(without, with_length)


@each_decoder
def test_every_source_word_can_change_the_output(random_batch, make):
    model, batch = model_of(make), random_batch([4], [3])
    logits, *_ = all_at_once(model, batch)
    for s in range(4):
        src = batch.src.clone()
        src[0, s] = 4 + (src[0, s] - 3) % (V - 4)
        assert not torch.allclose(all_at_once(model, batch._replace(src=src))[0], logits)


@each_attentive
def test_hiding_a_source_word_changes_the_output(random_batch, make):
    """The mask alone: the decoder starts from the same state and sees the same outputs."""
    model, batch = model_of(make), random_batch([4], [3])
    encoded = model.encoder(batch.src, batch.src_len)
    (logits, _, shown), (logits_hidden, _, hidden) = (
        model.decoder.step(batch.tgt[:, 0], model.decoder.init_state(encoded, torch.tensor([n])))
        for n in (4, 3)
    )
    assert shown[0, 3] > 0 and hidden[0, 3] == 0
    assert not torch.allclose(logits, logits_hidden)


@each_attentive
def test_weights_are_a_row_for_each_target_word(random_batch, make):
    batch = random_batch([3, 6, 1], [5, 2, 4])
    _, weights, _ = all_at_once(model_of(make), batch)
    assert weights.shape == (3, 6, 6)
    assert_close(weights.sum(-1), torch.ones(3, 6))
    padding = torch.arange(6) >= batch.src_len[:, None]
    assert (weights.transpose(1, 2)[padding] == 0).all()


@pytest.mark.parametrize(("query", "reads_first"), [("before", False), ("after", True)])
def test_the_query_is_the_state_before_or_after_the_word(random_batch, query, reads_first):
    model, batch = model_of(attentive("additive", query=query)), random_batch([4], [3])
    state = model.start(batch.src, batch.src_len)
    weights = [model.decoder.step(torch.tensor([word]), state)[2] for word in (4, 5)]
    assert torch.allclose(*weights) != reads_first


def test_the_first_query_before_a_word_is_the_encoders_last_state(random_batch):
    model, batch = (
        model_of(attentive("scaled-dot", query="before"), 2),
        random_batch([4, 2], [3, 3]),
    )
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
@pytest.mark.parametrize("size", [50, 2000])
def test_the_first_loss_is_near_ln_v(random_batch, make, size):
    """A model that knows nothing gives each word about 1 / V."""
    model = EncoderDecoder(RNNEncoder(size, E, H), make(vocab_size=size)).eval()
    loss, words = model.loss(random_batch([5] * 8, [6] * 8, vocab_size=size))
    assert abs(loss / words - math.log(size)) < 0.25


@each_decoder
def test_tied_words_are_scored_with_their_embeddings(make):
    decoder = make()
    tied = decoder.output.weight is decoder.embedding.weight
    assert tied == (decoder.output.in_features == E)


@each_decoder
def test_dropout_acts_in_training_only(random_batch, make):
    model, batch = model_of(make), random_batch([4, 3], [3, 5])
    expected = model.loss(batch)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.5
    assert_close(model.loss(batch), expected)
    assert not torch.isclose(model.train().loss(batch)[0], expected[0])


def test_queries_that_fit_no_key_are_named(random_batch):
    model = EncoderDecoder(
        RNNEncoder(V, E, H), RNNAttentionDecoder(V, E, H, AdditiveAttention(H, H + 1, H))
    )
    with pytest.raises(ValueError, match=r"size 8 .* 9"):
        model.loss(random_batch([3], [3]))


@pytest.mark.parametrize(
    ("make", "named"),
    [(plain(context="first"), "'first'"), (attentive("dot", query="now"), "'now'")],
)
def test_an_unknown_choice_is_named(make, named):
    with pytest.raises(ValueError, match=named):
        make()

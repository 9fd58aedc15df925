"""What every model shares: the loss above all, for our decoders and for a reader's own."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from small import SMALL, small_model
from torch import nn
from torch.testing import assert_close

from d2l_lite import (
    BOS,
    EOS,
    PAD,
    Batch,
    Decoder,
    Encoder,
    EncoderDecoder,
    PositionedEmbedding,
    seq2seq,
    sinusoids,
)
from d2l_lite.seq2seq import IncrementalDecoder, summed_cross_entropy, tie

V = 11
RANGES = (range(V), range(V))


class MeanEncoder(Encoder):
    """The shortest encoder that obeys the contract; its state does not see the padding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(V, 8, padding_idx=PAD)

    def forward(self, src, src_len):
        outputs = self.embedding(src)
        return outputs, outputs.sum(1) / src_len[:, None]


class ForeignDecoder(Decoder):
    """A reader's own: a GRU with neither `step` nor `select`."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(V, 8)
        self.rnn = nn.GRU(8, 8, batch_first=True)
        self.dense = nn.Linear(8, V)

    def init_state(self, enc_outputs, src_len):
        return enc_outputs[1][None]

    def forward(self, tgt_in, state):
        outputs, state = self.rnn(self.embedding(tgt_in), state)
        return self.dense(outputs), state


def foreign():
    return EncoderDecoder(MeanEncoder(), ForeignDecoder())


MODELS = {"foreign": foreign} | {name: partial(small_model, name, RANGES) for name in SMALL}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
lengths = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=4)


@each_model
def test_loss_by_hand(make):
    """Logits of 0 make all V words equally likely: ln V nats each. 2 + 1 words and 2 <eos>: 5."""
    model = make()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    src, tgt = torch.tensor([[4], [5]]), torch.tensor([[BOS, 4, 5, EOS], [BOS, 6, EOS, PAD]])
    loss, words = model.loss((src, torch.tensor([1, 1]), tgt, torch.tensor([4, 3])))
    assert words == 5
    assert_close(loss, torch.tensor(5 * math.log(V)))


@each_model
@given(lengths=lengths, seed=st.integers(0, 2**31))
def test_loss_is_cross_entropy_without_padding(random_batch, make, lengths, seed):
    torch.manual_seed(seed)
    model, batch = make(), random_batch(*zip(*lengths, strict=True))
    logits, _ = model(batch.src, batch.tgt[:, :-1], batch.src_len)
    wanted = batch.tgt[:, 1:]
    expected = F.cross_entropy(
        logits.flatten(0, 1), wanted.flatten(), ignore_index=PAD, reduction="sum"
    )
    loss, words = model.loss(batch)
    assert words == (wanted != PAD).sum() == sum(target + 1 for _, target in lengths)
    assert_close(loss, expected)
    mine = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    other = torch.autograd.grad(expected, list(model.parameters()), allow_unused=True)
    for one, two in zip(mine, other, strict=True):
        assert_close(one, two, rtol=1e-4, atol=1e-5)


@each_model
@given(lengths=lengths, seed=st.integers(0, 2**31), far=st.integers(1, 4))
def test_loss_is_the_sum_over_sentences_however_far_padded(random_batch, make, lengths, seed, far):
    torch.manual_seed(seed)
    model = make()
    alone = [random_batch([source], [target]) for source, target in lengths]
    src_len, tgt_len = (torch.cat([batch[i] for batch in alone]) for i in (1, 3))
    src, tgt = (
        torch.cat([F.pad(batch[i], (0, longest + far - batch[i].shape[1])) for batch in alone])
        for i, longest in ((0, src_len.max()), (2, tgt_len.max()))
    )
    loss, words = model.loss(Batch(src, src_len, tgt, tgt_len))
    assert_close(loss, sum(model.loss(batch)[0] for batch in alone))
    assert words == sum(model.loss(batch)[1] for batch in alone)


@each_model
def test_what_stands_in_the_padding_does_not_count(random_batch, make):
    """The lengths decide, not the number 0: any word may fill the rest of a target row."""
    model, batch = make(), random_batch([3, 1], [2, 5])
    tgt = batch.tgt.masked_fill(torch.arange(7) >= batch.tgt_len[:, None], 9)
    assert_close(model.loss(batch._replace(tgt=tgt)), model.loss(batch))


@each_model
def test_the_call_is_encoder_then_decoder(random_batch, make):
    model, batch = make(), random_batch([3, 2], [4, 4])
    tgt_in = batch.tgt[:, :-1]
    logits, _ = model(batch.src, tgt_in, batch.src_len)
    assert logits.shape == (2, 5, V)
    state = model.decoder.init_state(model.encoder(batch.src, batch.src_len), batch.src_len)
    assert_close(logits, model.decoder(tgt_in, state)[0])


@each_model
@pytest.mark.parametrize(("tgt_len", "named"), [([3, 8], "7 in a row of 4"), ([0, 3], "-1")])
def test_a_wrong_target_length_is_named(random_batch, make, tgt_len, named):
    """Lengths count <bos>, the words to write do not: 8 and 0 leave 7 and -1."""
    batch = random_batch([3, 2], [3, 3])._replace(tgt_len=torch.tensor(tgt_len))
    with pytest.raises(ValueError, match=named):
        make().loss(batch)


def test_vocabularies_are_kept_and_may_be_left_out():
    assert foreign().src_vocab is None and foreign().config is None
    model = EncoderDecoder(MeanEncoder(), ForeignDecoder(), "source", "target")
    assert (model.src_vocab, model.tgt_vocab) == ("source", "target")


@pytest.mark.parametrize(
    "call",
    [
        lambda: Encoder()(None, None),
        lambda: Decoder()(None, None),
        lambda: Decoder().init_state(None, None),
        lambda: IncrementalDecoder().features(None, None),
        lambda: IncrementalDecoder().select(None, None),
    ],
)
def test_a_contract_that_is_not_filled_says_so(call):
    with pytest.raises(NotImplementedError):
        call()


# The loss whose gradients come with it


@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 9),
    at_a_time=st.integers(1, 4 * V),
    spread=st.sampled_from([0.1, 1.0, 300.0]),  # at 300 a word's probability is 0 in float32
)
def test_that_loss_is_pytorchs(seed, count, at_a_time, spread):
    torch.manual_seed(seed)
    output, words = nn.Linear(4, V), torch.randint(V, (count,))
    output.weight.data.mul_(spread)
    features = torch.randn(count, 4, requires_grad=True)
    asked = (features, *output.parameters())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seq2seq, "AT_A_TIME", at_a_time)
        found = summed_cross_entropy(features, output, words)
    expected = F.cross_entropy(output(features), words, reduction="sum")
    assert_close(found, expected, atol=1e-4, rtol=1e-5)
    with torch.no_grad():
        assert_close(summed_cross_entropy(features, output, words), expected)
    gradients = (torch.autograd.grad(3 * loss, asked) for loss in (found, expected))
    assert_close(*gradients, atol=1e-4 * max(1.0, spread), rtol=1e-4)


def test_where_pytorchs_own_operator_has_changed_the_numbers_are_the_same(monkeypatch):
    x, weight, bias = torch.randn(3, 2), torch.randn(5, 2), torch.randn(5)
    found = seq2seq._product(x, weight, bias), seq2seq._product(x.t(), torch.ones(4, 3))
    assert seq2seq._product(x[:0], weight, bias).shape == (0, 5)
    seq2seq._by_onednn.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", lambda x, weight: x)
    assert seq2seq._by_onednn() is None
    assert_close(found, (seq2seq._product(x, weight, bias), x.t() @ torch.ones(3, 4)))
    seq2seq._by_onednn.cache_clear()


def test_its_gradients_are_those_of_small_differences():
    features, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        for shape in ((3, 2), (5, 2), (5,))
    )
    words = torch.tensor([0, 4, 4])
    assert torch.autograd.gradcheck(seq2seq._CrossEntropy.apply, (features, weight, bias, words))


def test_a_logit_that_is_no_number_shows_in_it():
    output = nn.Linear(2, V)
    output.bias.data[3] = torch.nan
    assert summed_cross_entropy(torch.ones(2, 2), output, torch.tensor([1, 2])).isnan()


# Positions


def test_sinusoids_by_hand():
    """Size 4 has the rates 1 and 10000^(-1/2) = 1/100; of size 3 the last cosine is cut off."""
    sin, cos = math.sin, math.cos
    rows = [[sin(p), cos(p), sin(p / 100), cos(p / 100)] for p in (0, 1, 50)]
    assert_close(sinusoids(torch.tensor([0, 1, 50]), 4), torch.tensor(rows))
    slow = 10000 ** (-2 / 3)
    assert_close(sinusoids(torch.tensor([7]), 3), torch.tensor([[sin(7), cos(7), sin(7 * slow)]]))


@given(
    one=st.integers(0, 500),
    distance=st.integers(0, 60),
    size=st.integers(1, 20).map(lambda n: 2 * n),
)
def test_sinusoids_of_one_distance_are_equally_alike(one, distance, size):
    """sin a sin b + cos a cos b = cos(a - b): where the two stand does not matter."""
    here = sinusoids(torch.tensor([0, distance]), size)
    there = sinusoids(torch.tensor([one, one + distance]), size)
    assert_close(there[0] @ there[1], here[0] @ here[1], atol=1e-3, rtol=0)
    assert_close(there.norm(dim=1), torch.full((2,), math.sqrt(size / 2)))


@given(start=st.integers(0, 600), length=st.integers(1, 5), size=st.integers(1, 9))
def test_positioned_words_are_words_and_positions(start, length, size):
    """Also in the middle of a sentence, and for as long as one likes."""
    embedding, tokens = PositionedEmbedding(V, size), torch.randint(V, (2, length))
    found = embedding(tokens, start)
    words = math.sqrt(size) * embedding.words.weight[tokens]
    assert_close(found, words + sinusoids(torch.arange(1000), size)[start : start + length])
    assert_close(embedding(tokens), words + sinusoids(torch.arange(length), size))


def test_words_start_with_a_spread_of_one_and_are_dropped_in_training():
    embedding, tokens = PositionedEmbedding(5000, 64, dropout=0.25), torch.arange(5000)[None]
    positions = sinusoids(torch.arange(5000), 64)
    assert (embedding.eval()(tokens)[0] - positions).std().item() == pytest.approx(1, abs=0.01)
    dropped = embedding.train()(tokens) == 0
    assert dropped.float().mean().item() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_positions_take_the_type_of_the_words(dtype):
    """Computed before they are rounded: float16 has no odd number above 2048."""
    embedding, tokens = PositionedEmbedding(V, 8).to(dtype), torch.zeros(1, 3, dtype=torch.long)
    found = embedding(tokens, start=3001) - embedding(tokens)
    assert found.dtype == dtype
    expected = sinusoids(torch.arange(3001, 3004), 8) - sinusoids(torch.arange(3), 8)
    assert_close(found[0].float(), expected, atol=0.1, rtol=0)


def test_tied_words_are_scored_with_what_they_are_read_with():
    embedding = PositionedEmbedding(V, 6)
    output, features = tie(embedding), torch.randn(2, 3, 6)
    assert output.weight is embedding.words.weight and not output.bias.any()
    assert_close(output(features), features @ embedding.words.weight.T)

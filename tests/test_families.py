"""What every model must do, of whatever family: neither company nor padding nor pace matter."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import (
    PAIRS,
    RNN_ATTENTIVE,
    RNN_PLAIN,
    SMALL,
    VOCABS,
    all_at_once,
    model_of,
    small_model,
)
from torch import nn
from torch.testing import assert_close

from d2l_lite import Batches, TrainConfig, fit, load_run, save_run, translate
from d2l_lite.evaluation import mean_loss

V = 11
SEVERAL = {  # attentions: one a block, or one a head and block
    "conv": ("conv", {}),
    "conv-narrow": ("conv", {"kernel_size": 1}),
    "conv-wide": ("conv", {"kernel_size": 5, "num_layers": 1}),
    "transformer": ("transformer", {}),
    "transformer-odd": ("transformer", {"width": 9, "num_heads": 3, "num_layers": 1}),
    "transformer-one-head": ("transformer", {"num_heads": 1, "num_layers": 3}),
}
ATTENTIVE = RNN_ATTENTIVE | SEVERAL
seeds = st.integers(0, 2**31)


def each(models):
    return pytest.mark.parametrize(("name", "sizes"), models.values(), ids=models)


each_model, each_attentive, each_of_several = (
    each(RNN_PLAIN | ATTENTIVE),
    each(ATTENTIVE),
    each(SEVERAL),
)
each_family = pytest.mark.parametrize("name", SMALL)


def other(words):
    """Another word in each place."""
    return 4 + (words - 3) % (V - 4)


# Pace: a word at a time or all at once


@each_model
@pytest.mark.parametrize("layers", [1, 2])
def test_step_by_step_equals_all_at_once(random_batch, name, sizes, layers):
    model = model_of(name, **{**sizes, "num_layers": layers})
    batch = random_batch([3, 6, 1], [5, 2, 4])
    logits, weights, last = all_at_once(model, batch)
    assert_close(model(batch.src, batch.tgt[:, :-1], batch.src_len)[0], logits)
    state = model.start(batch.src, batch.src_len)
    for t in range(logits.shape[1]):
        logits_t, state, weights_t = model.decoder.step(batch.tgt[:, t], state)
        assert_close(logits_t, logits[:, t])
        assert_close(weights_t, None if weights is None else weights[:, t])
    assert_close(state, last)


@each_family
@settings(max_examples=20)
@given(seed=seeds, length=st.integers(1, 9), share=st.floats(0, 1))
def test_two_parts_of_any_length_equal_all_at_once(random_batch, name, seed, length, share):
    torch.manual_seed(seed)
    model, batch = model_of(name), random_batch([4, 2], [length, length])
    tgt_in, first = batch.tgt[:, :-1], 1 + int(share * length)
    logits, last = model(batch.src, tgt_in, batch.src_len)
    one, state = model.decoder(tgt_in[:, :first], model.start(batch.src, batch.src_len))
    if first <= length:
        two, state = model.decoder(tgt_in[:, first:], state)
        one = torch.cat((one, two), dim=1)
    assert_close(one, logits)
    assert_close(state, last)


@each_model
def test_a_later_target_word_changes_no_earlier_logit(random_batch, name, sizes):
    model, batch = model_of(name, **sizes), random_batch([3, 6], [5, 5])
    logits, weights, _ = all_at_once(model, batch)
    tgt = batch.tgt.clone()
    tgt[:, 3] = other(tgt[:, 3])
    logits_after, weights_after, _ = all_at_once(model, batch._replace(tgt=tgt))
    assert_close(logits_after[:, :3], logits[:, :3], atol=1e-6, rtol=0)
    assert not torch.isclose(logits_after[:, 3], logits[:, 3]).all(-1).any()
    if weights is not None:
        assert_close(weights_after[:, :3], weights[:, :3], atol=1e-6, rtol=0)


@each_model
def test_select_reorders_and_repeats_sentences(random_batch, name, sizes):
    """Rows 2, 0, 0 of the state go on as these three sentences would by themselves."""
    model, rows = model_of(name, **{**sizes, "num_layers": 2}), [2, 0, 0]
    batch = random_batch([3, 6, 1], [5, 5, 5])
    state = model.start(batch.src, batch.src_len)
    _, state, _ = model.decoder.step(batch.tgt[:, 0], state)
    expected = model.decoder.step(batch.tgt[:, 1], state)
    chosen = model.decoder.select(state, torch.tensor(rows))
    logits, _, weights = model.decoder.step(batch.tgt[rows, 1], chosen)
    assert_close(logits, expected[0][rows])
    assert_close(weights, None if weights is None else expected[2][rows])


@each_family
def test_a_state_that_has_gone_on_can_be_gone_on_from_again(random_batch, name):
    """Search needs the state of a sentence more than once: a step must not write into it."""
    model, batch = model_of(name), random_batch([3, 6], [5, 5])
    state = model.start(batch.src, batch.src_len)
    first = model.decoder.step(batch.tgt[:, 0], state)
    model.decoder.step(other(batch.tgt[:, 1]), first[1])
    assert_close(model.decoder.step(batch.tgt[:, 0], state), first, atol=0, rtol=0)


# Company and padding


@each_model
@settings(max_examples=10)
@given(seed=seeds, far=st.integers(0, 4), others=st.integers(0, 3), garbage=st.integers(0, V - 1))
def test_a_sentence_is_the_same_in_any_company(
    random_batch, name, sizes, seed, far, others, garbage
):
    """Whatever else is in the batch, however far it is padded, whatever stands in the padding."""
    torch.manual_seed(seed)
    model, alone = model_of(name, **sizes), random_batch([3], [4])
    lengths = torch.randint(1, 4 + far, (2, others)).tolist()
    crowd = random_batch(*([mine, *theirs] for mine, theirs in zip((3, 4), lengths, strict=True)))
    src = nn.functional.pad(crowd.src, (0, far))
    padding = torch.arange(src.shape[1]) >= crowd.src_len[:, None]
    src, tgt = src.masked_fill(padding, garbage), crowd.tgt.clone()
    src[0, :3], tgt[0, :6] = alone.src, alone.tgt
    logits, weights, _ = all_at_once(model, alone)
    logits_there, weights_there, _ = all_at_once(model, crowd._replace(src=src, tgt=tgt))
    assert_close(logits_there[:1, :5], logits, atol=1e-5, rtol=1e-4)
    if weights is not None:
        assert_close(weights_there[:1, :5, :3], weights, atol=1e-5, rtol=1e-4)
        assert (weights_there[0, :, 3:] == 0).all()


@each_model
def test_every_source_word_can_change_the_output(random_batch, name, sizes):
    model, batch = model_of(name, **sizes), random_batch([4], [3])
    logits, *_ = all_at_once(model, batch)
    for s in range(4):
        src = batch.src.clone()
        src[0, s] = other(src[0, s])
        assert not torch.allclose(all_at_once(model, batch._replace(src=src))[0], logits)


@each_model
def test_the_order_of_the_source_words_matters(random_batch, name, sizes):
    model, batch = model_of(name, **sizes), random_batch([4], [3])
    batch = batch._replace(src=torch.tensor([[4, 5, 6, 7]]))
    turned = batch._replace(src=batch.src.flip(1))
    assert not torch.allclose(all_at_once(model, batch)[0], all_at_once(model, turned)[0])


@each_attentive
def test_hiding_a_source_word_changes_the_output(random_batch, name, sizes):
    """The mask alone: the decoder starts from the same state and sees the same outputs."""
    model, batch = model_of(name, **sizes), random_batch([4], [3])
    encoded = model.encoder(batch.src, batch.src_len)
    (logits, _, shown), (logits_hidden, _, hidden) = (
        model.decoder.step(batch.tgt[:, 0], model.decoder.init_state(encoded, torch.tensor([n])))
        for n in (4, 3)
    )
    assert shown[0, 3] > 0 and hidden[0, 3] == 0
    assert not torch.allclose(logits, logits_hidden)


@each_attentive
def test_weights_are_a_row_for_each_target_word(random_batch, name, sizes):
    batch = random_batch([3, 6, 1], [5, 2, 4])
    _, weights, _ = all_at_once(model_of(name, **sizes), batch)
    assert weights.shape == (3, 6, 6)
    assert_close(weights.sum(-1), torch.ones(3, 6))
    padding = torch.arange(6) >= batch.src_len[:, None]
    assert (weights.transpose(1, 2)[padding] == 0).all()


@each_attentive
def test_weights_of_every_attention_have_those_of_features_as_their_mean(random_batch, name, sizes):
    model, batch = model_of(name, **sizes), random_batch([3, 6], [5, 2])
    state = model.start(batch.src, batch.src_len)
    features, every, after = model.decoder.read(batch.tgt, state)
    config = model.config
    many = 1 if name == "rnn-attention" else config["num_layers"] * config.get("num_heads", 1)
    assert every.shape == (2, many, 7, 6)
    assert_close(every.sum(-1), torch.ones(2, many, 7))
    assert_close((features, every.mean(dim=1), after), model.decoder.features(batch.tgt, state))
    for one in range(1, many):
        assert not torch.allclose(every[:, one], every[:, one - 1])  # each has its own projections


@each(RNN_PLAIN)
def test_without_attention_there_are_no_weights(random_batch, name, sizes):
    model, batch = model_of(name, **sizes), random_batch([3, 6], [5, 2])
    state = model.start(batch.src, batch.src_len)
    assert model.decoder.read(batch.tgt, state)[1] is None
    assert model.decoder.step(batch.tgt[:, 0], state)[2] is None


# Lengths


@each_family
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
def test_a_wrong_source_length_is_named(name, lengths, named):
    with pytest.raises(ValueError, match=named):
        model_of(name).encoder(torch.full((2, 3), 5), torch.tensor(lengths))


@each_family
def test_lengths_may_be_floats(random_batch, name):
    model, batch = model_of(name), random_batch([3, 5], [1, 1])
    as_floats = batch._replace(src_len=batch.src_len.float(), tgt_len=batch.tgt_len.float())
    assert_close(model.loss(as_floats), model.loss(batch))


@each_family
def test_a_sentence_far_longer_than_any_in_training_is_translated(name):
    model = small_model(name)
    fit(model, Batches(PAIRS, *VOCABS, 64), TrainConfig(epochs=1, progress=False))
    (found,) = translate(model.cpu(), ["one two three four " * 100], beam=2, max_len=3)
    assert math.isfinite(found.score)
    if found.weights is not None:
        assert found.weights.shape == (len(found.words), 400)
        assert_close(found.weights.sum(-1), torch.ones(len(found.words)))


# Numbers


@each_model
@pytest.mark.parametrize("size", [50, 2000])
def test_the_first_loss_is_near_ln_v(random_batch, name, sizes, size):
    """A model that knows nothing gives each word about 1 / V."""
    model = model_of(name, size, **sizes)
    loss, words = model.loss(random_batch([5] * 8, [6] * 8, vocab_size=size))
    assert abs(loss / words - math.log(size)) < 0.25


@each_family
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_about_the_same(random_batch, name, dtype):
    model, batch = model_of(name), random_batch([3, 60, 1], [5, 50, 4])
    expected, expected_weights, _ = all_at_once(model, batch)
    logits, weights, state = all_at_once(model.to(dtype), batch)
    assert logits.dtype == dtype
    assert (logits.float() - expected).std() < 0.05 * expected.std()
    step, _, weights_later = model.decoder.step(batch.tgt[:, 1], state)
    assert step.isfinite().all()
    if weights is not None:
        assert_close(weights.float(), expected_weights, atol=0.05, rtol=0.05)
        assert weights_later.isfinite().all()


@each_model
def test_gradients_are_finite_and_reach_every_parameter(random_batch, name, sizes):
    model, batch = model_of(name, **sizes).train(), random_batch([3, 6, 1], [5, 2, 4])
    with torch.autograd.set_detect_anomaly(True):
        model.loss(batch)[0].backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), parameter_name
        # A bias of the keys adds one number to a row of scores, which the softmax cancels.
        assert parameter.grad.any() or parameter_name.endswith("W_k.bias"), parameter_name


@each_model
def test_each_dropout_acts_in_training_only(random_batch, name, sizes):
    model, batch = model_of(name, **sizes), random_batch([4, 3], [3, 5])
    expected = model.loss(batch)
    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    assert dropouts
    for dropout in dropouts:
        dropout.p = 0.5
        assert_close(model.eval().loss(batch), expected)
        assert not torch.isclose(model.train().loss(batch)[0], expected[0])
        dropout.p = 0.0


@each_family
def test_the_dropout_that_is_asked_for_is_everywhere(name):
    """But not on the weights of the RNNs' and the convolutional model's attention."""
    model = model_of(name, dropout=0.25)
    found = {part: m.p for part, m in model.named_modules() if isinstance(m, nn.Dropout)}
    without = () if name == "transformer" else ("attention.dropout",)
    assert {p for part, p in found.items() if not part.endswith(without)} == {0.25}
    assert {p for part, p in found.items() if part.endswith(without)} <= {0.0}


# Training and run folders


@each_family
def test_training_lowers_the_loss(name):
    model, pairs = small_model(name), PAIRS[:60]
    before = mean_loss(model, pairs)
    config = TrainConfig(epochs=4, lr=0.01, device="cpu", progress=False)
    fit(model, Batches(pairs, *VOCABS, 16), config)
    assert mean_loss(model, pairs) < 0.8 * before


@each_family
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_run_that_is_loaded_is_the_model_that_was_saved(tmp_path, name, dtype):
    model = small_model(name).to(dtype).float().eval()  # rounded once, it is rounded for good
    save_run(tmp_path, model, dtype=dtype)
    loaded = load_run(tmp_path).model
    assert loaded.config == model.config
    assert_close(loaded.state_dict(), model.state_dict(), atol=0, rtol=0)
    sentences = [pair.source for pair in PAIRS[::20]]
    before, after = translate(model, sentences, 2), translate(loaded, sentences, 2)
    assert [(t.words, t.score) for t in before] == [(t.words, t.score) for t in after]
    # Words are scored with the vectors that they are read with: still one tensor.
    assert len(list(loaded.parameters())) == len(list(model.parameters()))
    loaded.decoder.output.weight.data.zero_()
    embedding = loaded.decoder.embedding
    assert not getattr(embedding, "words", embedding).weight.any()

"""The Transformer: two heads by hand, and every part against PyTorch's own."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from small import model_of
from torch import nn
from torch.func import functional_call
from torch.testing import assert_close

from d2l_lite import MultiHeadAttention, causal_mask, length_mask
from d2l_lite.transformer import DecoderBlock, EncoderBlock, FeedForward

D, FEED_FORWARD = 8, 12
CLOSE = {"atol": 1e-5, "rtol": 1e-4}
seeds = st.integers(0, 2**31)
sizes = st.integers(1, 5)
heads = st.sampled_from([1, 2, 4, 8])


def lively(module):
    """Fill biases and norms with what is neither 0 nor 1, so that each of them counts."""
    for parameter in module.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, mean=0.5)
    return module


def linears(attention):
    return [attention.W_q, attention.W_k, attention.W_v, attention.W_o]


# PyTorch's modules, run with our parameters by their names: gradients then reach ours both ways.


def attention_names(ours):
    *ins, out = linears(ours)
    return {
        "in_proj_weight": torch.cat([linear.weight for linear in ins]),
        "in_proj_bias": torch.cat([linear.bias for linear in ins]),
        "out_proj.weight": out.weight,
        "out_proj.bias": out.bias,
    }


def block_names(block, **attentions):
    first, _, _, second = block.feed_forward
    parts = {"linear1": first, "linear2": second}
    parts |= {f"norm{number}": norm for number, norm in enumerate(block.norms, start=1)}
    names = {f"{p}.{n}": x for p, part in parts.items() for n, x in part.named_parameters()}
    for part, attention in attentions.items():
        names |= {f"{part}.{name}": tensor for name, tensor in attention_names(attention).items()}
    return names


def assert_same_gradients(ours, theirs, inputs):
    wish = torch.randn_like(theirs)
    gradients = (
        torch.autograd.grad(out, inputs, wish, retain_graph=True) for out in (ours, theirs)
    )
    for mine, other in zip(*gradients, strict=True):
        assert_close(mine, other, **CLOSE)


# Multi-head attention


def test_two_heads_by_hand():
    """All projections the identity: head 0 sees first coordinates alone, head 1 the second ones.

    q = (1, 1), keys (ln 2, 0) and (0, ln 3): scores (ln 2, 0) and (0, ln 3), weights (2/3, 1/3)
    and (1/4, 3/4). Of the values (3, 0) and (0, 4) head 0 makes 2, head 1 makes 3.
    """
    layer = MultiHeadAttention(width=2, num_heads=2)
    for linear in linears(layer):
        nn.init.eye_(linear.weight)
        nn.init.zeros_(linear.bias)
    query = torch.tensor([[[1.0, 1.0]]])
    key = torch.tensor([[[math.log(2), 0.0], [0.0, math.log(3)]]])
    value = torch.tensor([[[3.0, 0.0], [0.0, 4.0]]])
    out, weights = layer(query, key, value)
    assert_close(weights, torch.tensor([[[[2 / 3, 1 / 3]], [[1 / 4, 3 / 4]]]]))
    assert_close(out, torch.tensor([[[2.0, 3.0]]]))


def masks(batch, queries, keys):
    """Every way to say who may attend, and the mask (B, T, S) that it means."""
    lengths, per_query = (
        torch.randint(1, keys + 1, (batch,)),
        torch.randint(1, keys + 1, (batch, queries)),
    )
    some = torch.rand(batch, queries, keys) < 0.5
    some[:, :, 0] = True  # PyTorch gives NaN where nothing may be attended to
    by_length = length_mask(lengths, keys).expand(-1, queries, -1)
    return {
        "none": (None, torch.ones_like(some)),
        "lengths": (lengths, by_length),
        "length mask": (length_mask(lengths, keys), by_length),
        "lengths per query": (per_query, length_mask(per_query, keys)),
        "one per sentence": (some, some),
        "one for all": (some[0], some[:1].expand(batch, -1, -1)),
    }


@settings(max_examples=50)
@given(
    seed=seeds,
    shape=st.tuples(sizes, sizes, sizes),
    num_heads=heads,
    kind=st.sampled_from(list(masks(1, 1, 1))),
)
def test_multi_head_attention_is_pytorchs(seed, shape, num_heads, kind):
    """Outputs, the weights of each head, and the gradients of both."""
    torch.manual_seed(seed)
    batch, queries, keys = shape
    valid, mask = masks(*shape)[kind]
    layer = lively(MultiHeadAttention(D, num_heads))
    vectors = [torch.randn(batch, n, D, requires_grad=True) for n in (queries, keys, keys)]
    out, weights = layer(*vectors, valid)
    expected, expected_weights = functional_call(
        nn.MultiheadAttention(D, num_heads, batch_first=True),
        attention_names(layer),
        tuple(vectors),
        {"attn_mask": ~mask.repeat_interleave(num_heads, 0), "average_attn_weights": False},
    )
    assert_close((out, weights), (expected, expected_weights), **CLOSE)
    assert_same_gradients(out, expected, [*vectors, *layer.parameters()])
    assert_same_gradients(
        weights, expected_weights, [*vectors[:2], layer.W_q.weight, layer.W_k.bias]
    )


@given(seed=seeds, shape=st.tuples(sizes, sizes, sizes), num_heads=heads)
def test_the_heads_are_scaled_dot_products_of_pytorch(seed, shape, num_heads):
    torch.manual_seed(seed)
    layer, (batch, queries, keys) = MultiHeadAttention(D, num_heads), shape
    mask = masks(*shape)["one per sentence"][1]
    vectors = [torch.randn(batch, n, D) for n in (queries, keys, keys)]
    split = [
        linear(x).view(batch, -1, num_heads, D // num_heads).transpose(1, 2)
        for linear, x in zip(linears(layer), vectors, strict=False)
    ]
    contexts = F.scaled_dot_product_attention(*split, attn_mask=mask[:, None])
    expected = layer.W_o(contexts.transpose(1, 2).flatten(2))
    assert_close(layer(*vectors, mask)[0], expected, **CLOSE)


def test_keys_and_values_projected_once_give_the_same():
    layer, query, key, value = MultiHeadAttention(D, 2), *torch.randn(3, 2, 4, D)
    heads, lengths = layer.project(key, value), torch.tensor([4, 2])
    assert [part.shape for part in heads] == [(2, 2, 4, 4)] * 2
    out, weights = layer(query, key, value, lengths)
    for t in range(4):
        step = layer.attend(query[:, t : t + 1], heads, lengths)
        assert_close(step, (out[:, t : t + 1], weights[:, :, t : t + 1]))


def test_a_query_with_nothing_to_attend_to_gets_zeros_and_finite_gradients():
    layer, vectors = MultiHeadAttention(D, 2), torch.randn(3, 2, 4, D, requires_grad=True)
    with torch.autograd.set_detect_anomaly(True):
        out, weights = layer(*vectors, torch.tensor([0, 3]))
        out.sum().backward()
    assert (weights[0] == 0).all()
    assert_close(out[0], layer.W_o.bias.expand(4, D))
    assert vectors.grad.isfinite().all() and not vectors.grad[:, 0].any()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


def test_the_weights_come_before_dropout():
    layer, query = MultiHeadAttention(D, 2, dropout=0.5), torch.randn(2, 6, D)
    one, two = layer(query, query, query), layer(query, query, query)
    assert_close(one[1], two[1])
    assert_close(one[1].sum(-1), torch.ones(2, 2, 6))
    assert not torch.allclose(one[0], two[0])


@pytest.mark.parametrize(("width", "num_heads"), [(8, 3), (6, 4), (4, 8), (8, 0), (8, -2)])
def test_heads_that_do_not_divide_the_width_are_named(width, num_heads):
    with pytest.raises(ValueError, match=f"{num_heads} heads .* {width}"):
        MultiHeadAttention(width, num_heads)


@pytest.mark.parametrize(
    ("shapes", "valid", "named"),
    [
        (((2, 8), (2, 5, 8), (2, 5, 8)), None, r"\(2, 8\)"),
        (((2, 3, 9), (2, 5, 8), (2, 5, 8)), None, r"8.*\(2, 3, 9\)"),
        (((2, 3, 8), (2, 5, 4), (2, 5, 8)), None, r"8.*\(2, 5, 4\)"),
        (((2, 3, 8), (2, 5, 8), (2, 6, 8)), None, r"\(2, 5, 8\).*\(2, 6, 8\)"),
        (((2, 3, 8), (3, 5, 8), (3, 5, 8)), None, r"\(2, 3, 8\).*\(3, 5, 8\)"),
        (((2, 3, 8), (2, 5, 8), (2, 5, 8)), torch.tensor([1, 2, 3]), r"\(6,\)|\(3,\)"),
        (((2, 3, 8), (2, 5, 8), (2, 5, 8)), torch.tensor([1, 6]), "6 in a row of 5"),
        (((2, 3, 8), (2, 5, 8), (2, 5, 8)), torch.ones(2, 5).bool(), r"\(2, 5\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(shapes, valid, named):
    with pytest.raises(ValueError, match=named):
        MultiHeadAttention(8, 2)(*map(torch.zeros, shapes), valid)


# Blocks


def test_the_feed_forward_layers_by_hand():
    """1 → (1, -1) → the positive part (1, 0) → 1 · 3 + 0 · 5 = 3; of -1 it is 5."""
    layers = FeedForward(width=1, feed_forward_size=2)
    with torch.no_grad():
        for parameter, numbers in zip(
            layers.parameters(), ([[1], [-1]], [0, 0], [[3, 5]], [0]), strict=True
        ):
            parameter.copy_(torch.tensor(numbers, dtype=torch.float32))
    assert layers(torch.tensor([[[1.0], [-1.0]]])).tolist() == [[[3], [5]]]


@given(seed=seeds, lengths=st.lists(sizes, min_size=1, max_size=4), num_heads=heads)
def test_an_encoder_block_is_pytorchs(seed, lengths, num_heads):
    torch.manual_seed(seed)
    block = lively(EncoderBlock(D, num_heads, FEED_FORWARD))
    mask = length_mask(torch.tensor(lengths), max(lengths))
    x = torch.randn(len(lengths), max(lengths), D, requires_grad=True)
    theirs = nn.TransformerEncoderLayer(
        D, num_heads, FEED_FORWARD, dropout=0.0, batch_first=True, norm_first=True
    )
    names = block_names(block, self_attn=block.attention)
    out, weights = block(x, mask)
    expected = functional_call(theirs, names, (x,), {"src_key_padding_mask": ~mask[:, 0]})
    assert weights.shape == (len(lengths), num_heads, max(lengths), max(lengths))
    assert_close(out, expected, **CLOSE)
    assert_same_gradients(out, expected, [x, *block.parameters()])


@given(
    seed=seeds,
    lengths=st.lists(sizes, min_size=1, max_size=3),
    words=sizes,
    share=st.floats(0, 1),
    num_heads=heads,
)
def test_a_decoder_block_is_pytorchs(seed, lengths, words, share, num_heads):
    """Reading all words at once, or some of them first."""
    torch.manual_seed(seed)
    block, first = lively(DecoderBlock(D, num_heads, FEED_FORWARD)), int(share * words)
    mask = length_mask(torch.tensor(lengths), max(lengths))
    x, source = (torch.randn(len(lengths), n, D, requires_grad=True) for n in (words, max(lengths)))
    heads = block.attention.project(source, source)
    past = block.self_attention.project(x[:, :0], x[:, :0])
    outs = []
    for part in (x[:, :first], x[:, first:]):
        if part.shape[1]:
            out, past, weights = block(part, past, heads, mask)
            outs.append(out)
            assert weights.shape == (len(lengths), num_heads, part.shape[1], max(lengths))
    theirs = nn.TransformerDecoderLayer(
        D, num_heads, FEED_FORWARD, dropout=0.0, batch_first=True, norm_first=True
    )
    names = block_names(block, self_attn=block.self_attention, multihead_attn=block.attention)
    rest = {"tgt_mask": ~causal_mask(words), "memory_key_padding_mask": ~mask[:, 0]}
    expected = functional_call(theirs, names, (x, source), rest)
    out = torch.cat(outs, dim=1)
    assert_close(out, expected, **CLOSE)
    assert_same_gradients(out, expected, [x, source, *block.parameters()])


def test_a_block_without_weights_lets_everything_pass():
    """What it reads is normalised, not what goes past it."""
    encoder, decoder = EncoderBlock(D, 2, FEED_FORWARD), DecoderBlock(D, 2, FEED_FORWARD)
    for parameter in (*encoder.parameters(), *decoder.parameters()):
        nn.init.zeros_(parameter)
    x, mask = 100 * torch.randn(2, 3, D), length_mask(torch.tensor([3, 1]), 3)
    assert torch.equal(encoder(x, mask)[0], x)
    past = decoder.self_attention.project(x[:, :0], x[:, :0])
    assert torch.equal(decoder(x, past, decoder.attention.project(x, x), mask)[0], x)


def test_dropout_acts_on_all_that_is_added_and_between_the_feed_forward_layers():
    """With all of what a block finds dropped, what it read is left."""
    encoder, decoder = EncoderBlock(D, 2, FEED_FORWARD), DecoderBlock(D, 2, FEED_FORWARD)
    encoder.dropout.p = decoder.dropout.p = 1.0
    x, mask = torch.randn(2, 3, D), length_mask(torch.tensor([3, 1]), 3)
    assert torch.equal(encoder(x, mask)[0], x)
    past = decoder.self_attention.project(x[:, :0], x[:, :0])
    assert torch.equal(decoder(x, past, decoder.attention.project(x, x), mask)[0], x)
    layers = FeedForward(D, FEED_FORWARD, dropout=0.5)
    assert not torch.allclose(layers(x), layers(x))
    assert torch.equal(layers.eval()(x), layers(x))


@given(seed=seeds, words=st.integers(2, 6))
def test_without_positions_an_encoder_block_knows_no_order(seed, words):
    torch.manual_seed(seed)
    block, x, order = (
        EncoderBlock(D, 2, FEED_FORWARD),
        torch.randn(1, words, D),
        torch.randperm(words),
    )
    mask = torch.ones(1, 1, words, dtype=torch.bool)
    assert_close(block(x[:, order], mask)[0], block(x, mask)[0][:, order], **CLOSE)


# The whole


def test_the_encoder_is_embedding_blocks_and_norm(random_batch):
    encoder, batch = lively(model_of("transformer").encoder), random_batch([4, 2], [1, 1])
    mask = length_mask(batch.src_len, 4)
    x = encoder.embedding(batch.src)
    for block in encoder.blocks:
        x, _ = block(x, mask)
    outputs, state = encoder(batch.src, batch.src_len)
    expected = F.layer_norm(x, (16,), encoder.norm.weight, encoder.norm.bias)
    assert_close(outputs, expected)
    assert state is None


def test_the_decoder_is_embedding_blocks_and_norm(random_batch):
    model, batch = lively(model_of("transformer")), random_batch([4, 2], [3, 5])
    decoder, (outputs, _) = model.decoder, model.encoder(batch.src, batch.src_len)
    x, seen = decoder.embedding(batch.tgt), []
    for block in decoder.blocks:
        past = block.self_attention.project(x[:, :0], x[:, :0])
        source = block.attention.project(outputs, outputs)
        x, _, weights = block(x, past, source, length_mask(batch.src_len, 4))
        seen += weights.unbind(dim=1)
    expected = F.layer_norm(x, (16,), decoder.norm.weight, decoder.norm.bias)
    state = decoder.init_state((outputs, None), batch.src_len)
    features, every, state = decoder.read(batch.tgt, state)
    assert_close(features, expected)
    assert_close(every, torch.stack(seen, dim=1))  # block by block, in each head by head
    assert [part.shape for pair in state.past for part in pair] == [(2, 2, 7, 8)] * 4

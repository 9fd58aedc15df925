"""The convolutional model: windows by hand, against PyTorch's convolution, and how far they see."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from small import model_of
from torch import nn
from torch.testing import assert_close

from d2l_lite import ConvDecoder, ConvEncoder, GatedConvolution, length_mask

V, E, H = 11, 6, 8
HALF = math.sqrt(0.5)
seeds = st.integers(0, 2**31)


# One gated convolution


def test_a_gated_convolution_by_hand():
    """Three numbers 2, 1, 0 and windows of two, content 1 · a + 1 · b, gate 0 · a + ln 3 · b.

    Window (2, 1): content 3, gate σ(ln 3) = 3/4. Window (1, 0): content 1, gate σ(0) = 1/2.
    """
    layer = GatedConvolution(hidden_size=1, kernel_size=2)
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor([[[1.0, 1.0]], [[0.0, math.log(3)]]]))
    found = layer(torch.tensor([[[2.0], [1.0], [0.0]]]))
    assert_close(found, torch.tensor([[[9 / 4], [1 / 2]]]))


@given(seed=seeds, words=st.integers(1, 5), kernel=st.integers(1, 5), size=st.integers(1, 4))
def test_each_window_gives_one_vector(seed, words, kernel, size):
    torch.manual_seed(seed)
    layer, x = GatedConvolution(size, kernel), torch.randn(2, words + kernel - 1, size)
    nn.init.normal_(layer.conv.bias)
    found = layer(x)
    assert found.shape == (2, words, size)
    for t in range(words):
        window = x[:, t : t + kernel]  # (B, kernel, H)
        channels = torch.einsum("bkh,chk->bc", window, layer.conv.weight) + layer.conv.bias
        content, gate = channels.split(size, dim=1)
        assert_close(found[:, t], content * gate.sigmoid(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("kernel", [1, 5])
def test_the_spread_of_what_comes_in_is_about_kept_in_training(dropout, kernel):
    """Also where half of it is dropped: what is left is twice as large."""
    layer = GatedConvolution(64, kernel, dropout)
    out = layer(torch.randn(1, 2000, 64))
    assert 0.8 < out.std() < 1.4


# The encoder


def encoded_by_pytorch(encoder, sentence):
    """Conved and combined of one sentence (1, S) without padding."""
    embedded = encoder.embedding(sentence)
    x = encoder.enter(embedded).transpose(1, 2)  # (1, H, S)
    for block in encoder.blocks:
        weight, bias = block.conv.weight, block.conv.bias
        channels = F.conv1d(x, weight, bias, padding=weight.shape[2] // 2)
        x = HALF * (x + F.glu(channels, dim=1))
    conved = encoder.leave(x.transpose(1, 2))
    return conved, HALF * (conved + embedded)


@given(
    seed=seeds,
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    kernel=st.sampled_from([1, 3, 5]),
    garbage=st.integers(0, V - 1),
)
def test_the_encoder_convolves_each_sentence_by_itself(
    random_batch, seed, lengths, kernel, garbage
):
    torch.manual_seed(seed)
    encoder = ConvEncoder(V, E, H, num_layers=2, kernel_size=kernel)
    for block in encoder.blocks:
        nn.init.normal_(block.conv.bias)  # so that a window of zeros does not give zeros
    src, src_len, *_ = random_batch(lengths, lengths)
    src = F.pad(src, (0, 2)).masked_fill(~length_mask(src_len, src.shape[1] + 2)[:, 0], garbage)
    conved, combined = encoder(src, src_len)
    assert conved.shape == combined.shape == (*src.shape, E)
    for b, length in enumerate(lengths):
        expected = encoded_by_pytorch(encoder, src[b : b + 1, :length])
        found = conved[b : b + 1, :length], combined[b : b + 1, :length]
        assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_gradients_of_the_encoder_are_pytorchs():
    encoder, src = ConvEncoder(V, E, H, num_layers=2, kernel_size=3), torch.randint(4, V, (1, 5))
    ours, theirs = encoder(src, torch.tensor([5])), encoded_by_pytorch(encoder, src)
    wish = torch.randn(2, 1, 5, E)
    for one, two in zip(
        *(
            torch.autograd.grad(out, list(encoder.parameters()), tuple(wish))
            for out in (ours, theirs)
        ),
        strict=True,
    ):
        assert_close(one, two, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("layers", "kernel"), [(1, 3), (2, 3), (3, 3), (2, 5), (4, 1)])
def test_the_encoder_sees_further_with_every_layer(layers, kernel):
    """`layers` windows of `kernel` words reach layers · (kernel - 1) / 2 to each side."""
    reach, middle = layers * (kernel - 1) // 2, 7
    encoder, src = ConvEncoder(V, E, H, layers, kernel), torch.randint(4, V, (1, 15))
    conved, combined = encoder(src, torch.tensor([15]))
    for s in range(15):
        changed = src.clone()
        changed[0, s] = 4 + (src[0, s] - 3) % (V - 4)
        after, both = encoder(changed, torch.tensor([15]))
        seen = not torch.allclose(after[0, middle], conved[0, middle])
        assert seen == (abs(s - middle) <= reach)
        assert seen != torch.equal(both[0, middle], combined[0, middle])


@pytest.mark.parametrize("kernel", [0, 2, 4])
def test_an_even_kernel_has_no_middle(kernel):
    with pytest.raises(ValueError, match=f"kernel_size must be odd, not {kernel}"):
        ConvEncoder(V, E, H, 1, kernel)


# The decoder


def decoded_by_pytorch(decoder, tgt_in, conved, combined, mask):
    """Features, and weights of every block (B, blocks, T, S), with all words at once."""
    embedded = decoder.embedding(tgt_in)
    x, seen = decoder.enter(embedded), []
    eyes = torch.eye(conved.shape[1]).expand(len(conved), -1, -1)  # as values: the weights
    for block, layer in zip(decoder.blocks, decoder.attentions, strict=True):
        weight, bias = block.conv.weight, block.conv.bias
        window = F.pad(x.transpose(1, 2), (weight.shape[2] - 1, 0))
        y = F.glu(F.conv1d(window, weight, bias), dim=1).transpose(1, 2)
        query = HALF * (layer.to_query(y) + embedded)
        context, weights = (
            F.scaled_dot_product_attention(query, conved, values, attn_mask=mask)
            for values in (combined, eyes)
        )
        y = HALF * (y + layer.from_context(context * mask.sum(-1, keepdim=True).sqrt()))
        x = HALF * (x + y)
        seen.append(weights)
    return decoder.leave(x), torch.stack(seen, dim=1)


@given(
    seed=seeds,
    lengths=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 6)), min_size=1, max_size=3),
    kernel=st.integers(1, 4),
)
def test_the_decoder_is_convolution_and_attention_of_pytorch(random_batch, seed, lengths, kernel):
    """Forwards and backwards; a decoder's window may be even: it ends at the word just read."""
    torch.manual_seed(seed)
    decoder, batch = ConvDecoder(V, E, H, 2, kernel), random_batch(*zip(*lengths, strict=True))
    for block in decoder.blocks:
        nn.init.normal_(block.conv.bias)
    source = torch.randn(2, *batch.src.shape, E, requires_grad=True)
    tgt_in, mask = batch.tgt[:, :-1], length_mask(batch.src_len, batch.src.shape[1])
    features, weights, _ = decoder.read(tgt_in, decoder.init_state(tuple(source), batch.src_len))
    expected, expected_weights = decoded_by_pytorch(decoder, tgt_in, *source, mask)
    assert_close(features, expected, atol=1e-5, rtol=1e-4)
    assert_close(weights, expected_weights, atol=1e-5, rtol=1e-4)
    wish, inputs = torch.randn_like(expected), [source, *decoder.parameters()]
    for one, two in zip(
        *(torch.autograd.grad(f, inputs, wish, allow_unused=True) for f in (features, expected)),
        strict=True,
    ):
        assert_close(one, two, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("layers", "kernel"), [(1, 2), (1, 3), (2, 3), (2, 1)])
def test_the_decoder_sees_as_many_words_back_as_its_windows_hold(layers, kernel):
    """Attention is to the source: the target is seen through the windows alone."""
    decoder, tgt = ConvDecoder(V, E, H, layers, kernel), torch.randint(4, V, (1, 8))
    state = decoder.init_state((torch.randn(1, 3, E),) * 2, torch.tensor([3]))
    features, *_ = decoder.features(tgt, state)
    for t in range(8):
        changed = tgt.clone()
        changed[0, t] = 4 + (tgt[0, t] - 3) % (V - 4)
        after, *_ = decoder.features(changed, state)
        seen = not torch.allclose(after[0, -1], features[0, -1])
        assert seen == (7 - t <= layers * (kernel - 1))


def test_a_context_counts_the_words_that_it_is_the_mean_of():
    """Four equal words beside padding weigh ¼ each; their mean is the word, and √4 doubles it."""
    decoder, word = ConvDecoder(V, E, H, 1, 3), torch.randn(1, 1, E)
    found = []
    decoder.attentions[0].from_context.register_forward_hook(lambda m, i, o: found.extend(i))
    state = decoder.init_state((word.expand(1, 6, E),) * 2, torch.tensor([4]))
    _, weights, _ = decoder.features(torch.tensor([[5]]), state)
    assert_close(weights, torch.tensor([[[0.25] * 4 + [0.0] * 2]]))
    assert_close(found[0], 2 * word)


def test_every_block_has_an_attention_of_its_own():
    """One for all, as in the second text's code, would let the blocks look for one thing only."""
    decoder = ConvDecoder(V, E, H, 3, 3)
    for part in ("to_query", "from_context"):
        weights = [getattr(layer, part).weight for layer in decoder.attentions]
        assert len({weight.data_ptr() for weight in weights}) == 3


def test_a_state_holds_no_more_words_than_a_window_needs(random_batch):
    model, batch = model_of("conv", kernel_size=5), random_batch([3, 2], [9, 9])
    _, state = model(batch.src, batch.tgt, batch.src_len)
    assert [words.shape for words in state.past] == [(2, 4, 24)] * 2
    assert state.length == 11

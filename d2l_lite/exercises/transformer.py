"""Checkers of the chapter on the Transformer."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from d2l_lite.attention import causal_mask, length_mask
from d2l_lite.data import Pair
from d2l_lite.evaluation import mean_loss
from d2l_lite.exercises.checking import Right, check_function, check_prediction
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.transformer import DecoderBlock, MultiHeadAttention, TransformerDecoder


def check_shapes(prediction: dict) -> Right:
    """Shapes (tuples) and counts with B=2, S=7, D=12, N=3, F=24, two blocks, V=50."""
    layer, block = MultiHeadAttention(12, 3), DecoderBlock(12, 3, 24)
    decoder = TransformerDecoder(50, 12, 3, 24, num_layers=2).eval()
    state = decoder.init_state((torch.zeros(2, 7, 12), None), torch.tensor([7, 4]))
    _, weights, state = decoder.read(torch.ones(2, 5, dtype=torch.long), state)
    truth = {
        "queries of one head": (2, 5, 12 // 3),
        "weights over the source, all blocks": weights.shape,
        "cached keys of a block after 5 words": state.past[0][0].shape,
        "parameters of a multi-head attention": _count(layer),
        "the same with 6 heads": _count(MultiHeadAttention(12, 6)),
        "layer norms of a decoder block": len(block.norms),
    }
    texts = [
        {
            (2, 5, 12): "A head has its share of the width.",
            (2, 3, 5, 4): "Those are the queries of all heads.",
            None: "B, T, and what for each word?",
        },
        {(2, 3, 5, 7): "Both blocks attend.", None: "Every head of every block has (T, S)."},
        {(2, 3, 7, 4): "Those are the source's.", None: "A head's keys of the words read so far."},
        {4 * 12 * 12: "Each of the four has biases.", None: "Four linear layers, D to D."},
        "The width is shared among the heads: what does the number of heads change?",
        "One in front of each of its parts.",
    ]
    return check_prediction(prediction, truth, dict(zip(truth, texts, strict=True)))


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def check_split(function: Callable) -> Right:
    """A function of x (B, S, D) and the number of heads N -> (B, N, S, D / N)."""

    def right(x, heads):
        return torch.stack(x.chunk(heads, dim=-1), dim=1)

    mistakes = {
        "The shape is right and words are mixed: a head holds all numbers of some words, and "
        "should hold some numbers of all words.": lambda x, n: x.reshape(len(x), n, x.shape[1], -1),
        "Heads stand in front of words: two axes must change places.": (
            lambda x, n: x.unflatten(2, (n, -1))
        ),
        "A head takes every N-th number; each should take neighbours, as chunk does.": (
            lambda x, n: x.unflatten(2, (-1, n)).permute(0, 3, 1, 2)
        ),
    }
    cases = [
        (torch.tensor([[[11, 12, 13, 14], [21, 22, 23, 24], [31, 32, 33, 34]]]), 2),
        (torch.arange(36.0).view(2, 3, 6), 3),
    ]
    return check_function(function, right, cases, mistakes, "All words, in every head.")


def check_head_weights(function: Callable) -> Right:
    """A function of queries (B, N, T, D/N), keys (B, N, S, D/N) -> weights (B, N, T, S)."""

    def weights(query, key, size=4, dim=-1):
        return (query @ key.mT / size**0.5).softmax(dim=dim)

    settings: dict[str, tuple[int, ...]] = {
        "That is divided by the root of D. What is the size of the vectors that meet here?": (12,),
        "That is divided by the size of the vectors, and not by its root.": (16,),
        "Nothing is divided: the spread of the scores grows with the size.": (1,),
        "The softmax ran over the queries, and should run over the keys.": (4, 2),
        "The softmax ran over the heads, which are to choose on their own.": (4, 1),
    }
    mistakes: dict[str, Callable] = {
        hint: lambda q, k, how=how: weights(q, k, *how) for hint, how in settings.items()
    }
    draw = torch.Generator().manual_seed(0)
    cases = [tuple(torch.randn(2, 3, t, 4, generator=draw) for t in (2, 5))]
    return check_function(function, weights, cases, mistakes, "A head's own size.")


def check_new_rows(function: Callable) -> Right:
    """A function (past, new), how many words are cached and new -> mask (new, past + new)."""
    mistakes = {
        "New words see the first words alone, and not themselves: which rows are theirs?": (
            lambda past, new: causal_mask(past + new)[:new]
        ),
        "All words may be read, also those that a new word shall predict.": (
            lambda past, new: torch.ones(new, past + new, dtype=torch.bool)
        ),
        "The wrong way round: it may read what comes later.": (
            lambda past, new: ~causal_mask(past + new)[past:]
        ),
        "The cached words are left out.": (
            lambda past, new: torch.cat((torch.zeros(new, past).bool(), causal_mask(new)), dim=1)
        ),
    }
    cases = [(0, 3), (4, 1), (2, 3)]
    praise = "The last rows of the mask."
    return check_function(function, lambda p, n: causal_mask(p + n)[p:], cases, mistakes, praise)


def check_torch_mask(function: Callable) -> Right:
    """A function of lengths (B,) and a size S -> the key_padding_mask of PyTorch's layer (B, S)."""
    mistakes = {
        "For PyTorch's layer True means *hidden*: this attends to padding and to nothing else.": (
            lambda lengths, size: length_mask(lengths, size)[:, 0]
        )
    }
    cases = [(torch.tensor([3, 1]), 3)]
    return check_function(function, lambda n, s: ~length_mask(n, s)[:, 0], cases, mistakes)


def check_without_head(function: Callable, model: EncoderDecoder, pairs: list[Pair]) -> Right:
    """A function (W, head, N), W (D, D) of the layer W_o -> W without what the head gives.

    Measured by the loss per word of copies of `model` in which one head over the source is silent.
    """

    def keep(W, head, heads):
        return torch.arange(len(W)) // (len(W) // heads) != head

    mistakes = {
        "Rows are the numbers that come out. A head's numbers go in, and meet columns.": (
            lambda W, head, heads: W * keep(W, head, heads)[:, None]
        ),
        "One column is silent. How many numbers does a head give?": (
            lambda W, head, heads: W * (torch.arange(len(W)) != head)
        ),
        "All heads but one are silent. One should be.": (
            lambda W, head, heads: W * ~keep(W, head, heads)
        ),
    }
    cases = [(torch.arange(1.0, 17).view(4, 4), head, 2) for head in (0, 1)]
    check_function(function, lambda W, *which: W * keep(W, *which), cases, mistakes)
    losses = {"all heads": round(mean_loss(model, pairs), 3)}
    for number, block in enumerate(model.decoder.blocks):
        for head in range(block.attention.num_heads):
            changed = copy.deepcopy(model)
            layer = changed.decoder.blocks[number].attention
            layer.W_o.weight.data = function(layer.W_o.weight.data, head, layer.num_heads)
            losses[f"{number + 1}.{head + 1}"] = round(mean_loss(changed, pairs), 3)
    return Right(f"Loss per word without head (block.head): {losses}")

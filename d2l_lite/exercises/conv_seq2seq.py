"""Checkers of the chapter on convolutional seq2seq."""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from d2l_lite.attention import length_mask, masked_softmax
from d2l_lite.data import Batches, build_vocabs, load_pairs, split_pairs
from d2l_lite.evaluation import evaluate
from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction
from d2l_lite.models import build_model
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.vocab import PAD


def check_shapes(prediction: dict) -> Right:
    """Shapes (tuples) for B=2, S=9, T=6, E=16, H=24, V=40, three blocks, windows of five words."""
    sizes: dict[str, Any] = {"embed_size": 16, "hidden_size": 24, "num_layers": 3, "kernel_size": 5}
    vocabs: Any = range(30), range(40)  # what counts of a vocabulary here is its length
    model = build_model("conv", *vocabs, **sizes)
    tgt_in = torch.ones(2, 6, dtype=torch.long)
    state = model.start(torch.ones(2, 9, dtype=torch.long), torch.full((2,), 9))
    features, weights, after = model.decoder.read(tgt_in, state)
    truth = {
        "conved": state.conved.shape,
        "what a decoder block convolves, its padding included": (2, state.past[0].shape[1] + 6, 24),
        "weights of all blocks": weights.shape,
        "what one block remembers for the next step": after.past[0].shape,
        "logits": model.decoder.output(features).shape,
    }
    hints = [
        {(2, 9, 24): "It is added to the embedded words.", None: "A vector for each source word."},
        {(2, 8, 24): "That is padded for a centred window.", None: "T words of H numbers, and?"},
        {(2, 6, 9): "That is one block's, or their mean.", None: "The blocks stand behind B."},
        {(2, 5, 24): "The window's last word is the new one.", None: "It does not grow with T."},
        "A number for each word of the vocabulary, at each step.",
    ]
    return check_prediction(prediction, truth, dict(zip(truth, hints, strict=True)))


def check_source_mask(function) -> Right:
    """(scores (B, T, S), src_len (B,)) -> weights (B, T, S)."""
    late = "Padding is hidden too late: the rows no longer sum to 1."
    mistakes = {
        "Padding gets weight: nothing says where a sentence ends.": lambda s, n: s.softmax(dim=-1),
        late: lambda s, n: s.softmax(dim=-1) * length_mask(n, 3),
        "A score of 0 does not hide: e⁰ is 1.": lambda s, n: (s * length_mask(n, 3)).softmax(-1),
        "Upside down: words are hidden.": lambda s, n: masked_softmax(s, ~length_mask(n, 3)),
    }
    scores = torch.arange(12.0).reshape(2, 2, 3) / 9
    cases = [(scores, torch.tensor(lengths)) for lengths in ([3, 3], [2, 1])]
    return check_function(function, masked_softmax, cases, mistakes, "Words alone are attended to.")


def check_causal_padding(function) -> Right:
    """(x (B, H, T), kernel size k, number of <pad>) -> x padded for the windows, (B, H, T+k-1)."""
    number = "The number of <pad> stands in the vectors, as if it measured something."
    behind = "The zeros stand behind: each window reads words yet to be written."
    centred = "Padded for a centred window, which reads the next word, yet to be written."
    mistakes = {
        number: lambda x, k, pad: F.pad(x, (k - 1, 0), value=pad),
        behind: lambda x, k, _: F.pad(x, (0, k - 1)),
        centred: lambda x, k, _: F.pad(x, (k // 2, k // 2)),
    }
    cases = [(torch.arange(1.0, 5.0).reshape(1, 1, 4), 3, pad) for pad in (0, 1)]
    return check_function(function, lambda x, k, _: F.pad(x, (k - 1, 0)), cases, mistakes)


def check_projections(function) -> Right:
    """(hidden size H, embedding size E, blocks) -> `nn.ModuleList` of layers from H to E."""
    layers = function(6, 4, 3)
    if not isinstance(layers, nn.ModuleList) or len(layers) != 3:
        raise WrongAnswer("An nn.ModuleList with one layer a block is wanted, here three.")
    if any(not isinstance(x, nn.Linear) or x.weight.shape != (4, 6) for x in layers):
        raise WrongAnswer("Each layer should be an nn.Linear from H = 6 numbers to E = 4.")
    matrices = {id(layer.weight) for layer in layers}
    if len(matrices) < 3:
        raise WrongAnswer(f"{len(matrices)} matrix for 3 blocks: they share one and the same.")
    return Right("Three matrices: each block may ask in its own way.")


def check_positions(function) -> Right:
    """(T, E) -> vectors of the positions 0 … T-1, (T, E), for T as large as one likes."""
    for length in (100, 101, 500):
        try:
            vectors = function(length, 16)
        except Exception as error:  # whatever a reader's code may raise
            told = f"{length} words end in {type(error).__name__}: {error}"
            raise WrongAnswer(f"{told}. There is a way with no limit.") from None
        if getattr(vectors, "shape", None) != (length, 16):
            raise WrongAnswer(f"A tensor of shape ({length}, 16) is wanted, not {vectors!r:.80}.")
        differ = len(vectors.round(decimals=4).unique(dim=0))
        if differ < length:
            raise WrongAnswer(f"Of {length} positions only {differ} have a vector of their own.")
    if not torch.allclose(vectors[:100], function(100, 16), atol=1e-4):
        raise WrongAnswer("A position's vector changes with the length of the sentence.")
    return Right("500 words, 500 vectors, and no table.")


def check_perplexity(function) -> Right:
    """(model, batch) -> perplexity of a target word under teacher forcing, a tensor."""
    pairs = load_pairs("mini-fra", num_examples=8)
    vocabs = build_vocabs(pairs)
    model = build_model("conv", *vocabs, embed_size=16, hidden_size=16).eval()

    def mean_loss(batch):
        summed, count = model.loss(batch)
        return summed / count

    @torch.no_grad()
    def free_running(batch):
        state, word, total = model.start(batch.src, batch.src_len), batch.tgt[:, 0], 0.0
        for right in batch.tgt[:, 1:].T:  # (B,)
            logits, state, _ = model.decoder.step(word, state)  # (B, V)
            total += F.cross_entropy(logits, right, ignore_index=PAD, reduction="sum")
            word = logits.argmax(dim=-1)
        return (total / (batch.tgt_len - 1).sum()).exp()

    @torch.no_grad()
    def padding_too(batch):
        logits, _ = model(batch.src, batch.tgt[:, :-1], batch.src_len)
        return F.cross_entropy(logits.transpose(1, 2), batch.tgt[:, 1:]).exp()

    mistakes = {
        "Padding is counted as if it were words.": padding_too,
        "The decoder reads what it has written itself, not the right words.": free_running,
        "That is the loss; the perplexity is its exponential.": mean_loss,
    }
    cases, praise = [(next(iter(Batches(pairs, *vocabs))),)], "It can stand beside another model's."
    return check_function(
        lambda b: function(model, b), lambda b: mean_loss(b).exp(), cases, mistakes, praise, 1e-3
    )


def check_silence(function, model: EncoderDecoder) -> Right:
    """(model, block) -> a copy in which that decoder block's attention adds nothing; measured."""
    test, blocks = split_pairs(load_pairs("mini-fra")).test, range(len(model.decoder.blocks))
    before = copy.deepcopy(model.state_dict())
    exact = {"all": evaluate(model, test, resamples=0)["exact"]}
    for number in blocks:
        changed = function(model, number)
        if any(not torch.equal(part, before[name]) for name, part in model.state_dict().items()):
            raise WrongAnswer("It changes the model that it was given: work on a copy.")
        layers = [attention.from_context for attention in changed.decoder.attentions]
        silent = [k for k in blocks if not layers[k](torch.ones(layers[k].in_features)).any()]
        if silent != [number]:
            told = f"Asked to silence block {number}, it silences {silent or 'none'}"
            raise WrongAnswer(f"{told}: what `from_context` gives must be 0, bias included.")
        exact[f"without {number}"] = evaluate(changed, test, resamples=0)["exact"]
    return Right(f"Exact translations: {', '.join(f'{k} {v:.0%}' for k, v in exact.items())}.")

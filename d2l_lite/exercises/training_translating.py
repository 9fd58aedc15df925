"""Checkers of the exercises of the chapter on training and translating."""

import copy
import math
from functools import cache
from typing import Any

import torch
from torch.nn import functional as F

from d2l_lite.attention import length_mask
from d2l_lite.data import Batch, Batches, Pair, build_vocabs, load_pairs, split_pairs
from d2l_lite.decoding import translate
from d2l_lite.evaluation import evaluate
from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction
from d2l_lite.metrics import perplexity
from d2l_lite.models import build_model
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.training import TrainConfig, fit
from d2l_lite.vocab import BOS, EOS, PAD, tokenize


@cache
def _by_heart() -> tuple[EncoderDecoder, list[Pair]]:
    """A small model that has learned sixteen sentences by heart, and these sentences."""
    pairs = load_pairs("mini-fra", num_examples=16)
    vocabs = build_vocabs(pairs)
    sizes: dict[str, Any] = {"embed_size": 32, "hidden_size": 64, "dropout": 0.0}
    config = TrainConfig(60, 0.01, "constant", device="cpu", progress=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model("rnn-attention", *vocabs, **sizes)
        fit(model, Batches(pairs, *vocabs), config)
    return model.eval(), pairs


def check_loss_numbers(answer: dict) -> Right:
    """Four numbers on target words with the probabilities 1/2, 1/4, 1/8, 1/2, and V = 409."""
    loss = -torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 2]).log().mean().item()
    truth = {
        "loss": loss,
        "perplexity": perplexity(loss),
        "per position": 4 * loss / 10,
        "blind guess": math.log(409),
    }
    hints = {
        "loss": {1.75: "That counts in bits.", None: "A mean over words, of natural logarithms."},
        "perplexity": "It is computed from the loss, not from a mean of probabilities.",
        "per position": "Padding adds positions, and no loss of its own.",
        "blind guess": "The loss, not the perplexity, of a model that knows nothing.",
    }
    return check_prediction(answer, truth, hints, 0.01, "These numbers tell much.")


def _search(sentence: str, first=BOS, feed=True, carry=True, stop=True) -> list[str]:
    """Greedy search of at most 20 words; with another first token, or without one of the three
    things, it makes a mistake."""
    model, _ = _by_heart()
    src = torch.tensor([model.src_vocab.encode(tokenize(sentence))])  # (1, S)
    state = model.start(src, torch.tensor([src.shape[1]]))
    word = torch.tensor([first])
    words: list[int] = []
    while len(words) < 20:
        logits, new_state, _ = model.decoder.step(word, state)
        best = logits.argmax(dim=-1)  # (1,)
        if stop and best == EOS:
            break
        words.append(int(best))
        word, state = best if feed else word, new_state if carry else state
    return model.tgt_vocab.decode(words)


def check_greedy(function) -> Right:
    """A function (model, sentence) -> its greedy translation of at most 20 words, a list."""
    model, pairs = _by_heart()

    def right(sentence):
        return translate(model, [sentence])[0].words

    mistakes = {
        "<eos> ends the translation; it is no word of it.": lambda s: [*right(s), "<eos>"],
        "<bos> is read; it is no word of the translation.": lambda s: ["<bos>", *right(s)],
        "It does not stop at <eos>.": lambda s: _search(s, stop=False),
        "The first word that the decoder reads is <bos>.": lambda s: _search(s, first=EOS),
        "Each step must read the word that was just written.": lambda s: _search(s, feed=False),
        "The state that a step returns goes into the next.": lambda s: _search(s, carry=False),
    }
    cases = [(pair.source,) for pair in pairs]
    praise = f"{len(cases)} sentences agree with `translate`."
    return check_function(lambda s: function(model, s), right, cases, mistakes, praise)


def _mean_loss(batch: Batch, ahead: bool = True, masked: bool = True) -> torch.Tensor:
    """Mean cross-entropy per target word; without one of the two it makes a mistake."""
    read, written = batch.tgt[:, :-1], batch.tgt[:, 1:]  # (B, T)
    logits, _ = _by_heart()[0](batch.src, read, batch.src_len)  # (B, T, V)
    counted = (written != PAD) | (not masked)
    return F.cross_entropy(logits[counted], (written if ahead else read)[counted])


def check_loss(function) -> Right:
    """A function (model, batch) -> mean cross-entropy per target word, a tensor of one number."""
    model, pairs = _by_heart()

    def right(batch):
        summed, count = model.loss(batch)
        return summed / count

    mistakes = {
        "It asks for the word that has just been read.": lambda b: _mean_loss(b, ahead=False),
        "Padding counts: only valid positions may.": lambda b: _mean_loss(b, masked=False),
        "That is the sum over the words; the mean is wanted.": lambda b: model.loss(b)[0],
    }
    cases = [(batch,) for batch in Batches(pairs, model.src_vocab, model.tgt_vocab)]
    praise = "It asks for the next word."
    return check_function(lambda b: function(model, b), right, cases, mistakes, praise)


def check_uniform_attention(layer_class, model: EncoderDecoder) -> Right:
    """An attention class with uniform weights; it is measured in a copy of the trained model."""
    query, key = torch.randn(2, 3, 5), torch.randn(2, 4, 5)
    shape = tuple(getattr(layer_class().score(query, key), "shape", ()))
    if shape != (2, 3, 4):
        raise WrongAnswer(f"Scores are (B, T, S), here (2, 3, 4); the shape of yours is {shape}.")
    valid = length_mask(torch.tensor([2, 4]), 4).expand(2, 3, 4)
    _, weights = layer_class()(query, key, key, valid)
    if (weights * ~valid).any():
        raise WrongAnswer("Padding gets weight. Leave the mask to the layer; write `score` alone.")
    if not torch.allclose(weights, valid / valid.sum(dim=-1, keepdim=True)):
        raise WrongAnswer(f"Weights of one row differ: {weights[0, 0].tolist()}.")
    changed = copy.deepcopy(model)
    changed.decoder.attention = layer_class()
    test = split_pairs(load_pairs("mini-fra")).test
    before, after = (evaluate(m, test, resamples=0)["exact"] for m in (model, changed))
    return Right(f"Exact: {before:.1%} with attention, {after:.1%} with uniform weights.")

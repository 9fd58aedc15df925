"""Decoding: the plain form, a sentence at a time, against `translate`, on the same weights.

The plain form is that of a first lesson: the source is padded to ten words, the decoder is called
once a word, the most probable word is read next, and `<eos>` stops it. Both write the same words
but where rounding decides between two. Beam search is timed against greedy search.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout

import torch

from benchmarks.common import in_turns, sample, say, text_data
from d2l_lite import (
    BOS,
    EOS,
    Batches,
    EncoderDecoder,
    Pair,
    Seq2SeqAttentionDecoder,
    Seq2SeqEncoder,
    Vocab,
    load_run,
    tokenize,
    train_s2s_ch9,
    translate,
)
from d2l_lite.data import pad

WORDS = 10  # a sentence's longest, as in the source text
PLAIN_SHARE = 4  # one sentence in so many is translated in the plain form, which takes so long


def measure(device: str = "cpu", fast: bool = False) -> dict[str, float | str]:
    """Sentences a second of both forms for two models, and what a beam of 4 costs.

    "text" is a model of the source text's sizes, E = H = 32 and two layers, trained a little;
    "default" is the book's own trained "rnn-attention". All times are medians.
    """
    corpus, pairs, vocabs = text_data(fast)
    short = [pair.source for pair in pairs if len(tokenize(pair.source)) <= WORDS]
    short = list(dict.fromkeys(short))
    sentences = short[:: len(short) // (20 if fast else 1000) or 1][:1000]
    name = "fra-eng-rnn-attention" if "fra-eng" in corpus else "mini-fra-long-rnn-attention"
    models = {
        "text": text_model(sample(pairs, 50 if fast else 12_000), vocabs, device),
        "default": load_run(name).model.to(device),
    }
    found: dict[str, float | str] = {"corpus": corpus, "sentences": len(sentences)}
    for label, model in models.items():
        say(f"decoding: plain and ours, {label} model")
        found |= greedy(model, sentences, label, device, fast)
    say("decoding: beams")
    return found | beams(models["default"], sentences, device, fast)


def text_model(
    pairs: Sequence[Pair], vocabs: tuple[Vocab, Vocab], device: str, epochs: int = 2
) -> EncoderDecoder:
    """A model of the source text's sizes that has learnt when a sentence ends."""
    torch.manual_seed(0)
    encoder = Seq2SeqEncoder(len(vocabs[0]), 32, 32, 2)
    decoder = Seq2SeqAttentionDecoder(len(vocabs[1]), 32, 32, 2)
    model = EncoderDecoder(encoder, decoder, *vocabs)
    with redirect_stdout(sys.stderr):
        train_s2s_ch9(model, Batches(pairs, *vocabs, 64, cut=WORDS), 0.005, epochs, device)
    return model.eval()


@torch.no_grad()
def plain(model: EncoderDecoder, sentence: str) -> list[str]:
    """The words of the greedy translation, found in the plain way."""
    words = model.src_vocab.encode(tokenize(sentence))
    src, _ = pad([words, [0] * WORDS])  # the second row makes the first one wide enough
    src, src_len = src[:1].to(model.device), torch.tensor([len(words)], device=model.device)
    state = model.decoder.init_state(model.encoder(src, src_len), src_len)
    word, written = torch.tensor([[BOS]], device=model.device), []
    for _ in range(WORDS):
        logits, state = model.decoder(word, state)
        word = logits.argmax(dim=-1)  # (1, 1)
        if (number := int(word)) == EOS:
            break
        written.append(number)
    return model.tgt_vocab.decode(written)


def greedy(
    model: EncoderDecoder, sentences: list[str], label: str, device: str, fast: bool
) -> dict[str, float]:
    """Sentences a second, plain and ours, and the share of sentences that got the same words."""
    some = sentences[::PLAIN_SHARE]
    works: dict[str, Callable[[], list]] = {
        "plain": lambda: [plain(model, sentence) for sentence in some],
        "ours": lambda: [found.words for found in translate(model, sentences, max_len=WORDS)],
    }
    same = [a == b for a, b in zip(works["plain"](), works["ours"]()[::PLAIN_SHARE], strict=True)]
    taken = in_turns(works, device, 1 if fast else 3)
    slow, quick = len(some) / taken["plain"], len(sentences) / taken["ours"]
    return {
        f"{label}_plain_sentences_per_second": slow,
        f"{label}_sentences_per_second": quick,
        f"{label}_ratio": quick / slow,
        f"{label}_same_words": sum(same) / len(same),
    }


def beams(model: EncoderDecoder, sentences: list[str], device: str, fast: bool) -> dict[str, float]:
    """Seconds of greedy search and of a beam of 4: a sentence by itself, and 256 together."""
    alone, many = sentences[:: len(sentences) // 20], sentences[:256]
    works: dict[str, Callable[[], object]] = {}
    for beam in (1, 4):
        works[f"one_beam_{beam}"] = lambda k=beam: [translate(model, [s], k) for s in alone]
        works[f"256_beam_{beam}"] = lambda k=beam: translate(model, many, k)
    taken = in_turns(works, device, 1 if fast else 5)
    found = {}
    for name, count in (("one", len(alone)), ("256", 1)):
        one, four = (taken[f"{name}_beam_{beam}"] / count for beam in (1, 4))
        found |= {f"{name}_greedy_seconds": one, f"{name}_beam_4_seconds": four}
        found[f"{name}_beam_4_ratio"] = four / one
    return found

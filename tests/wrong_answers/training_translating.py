"""Plausible wrong answers to the exercises of the chapter on training and translating."""

import torch
from torch.nn import functional as F

import d2l_lite as d2l

NUMBERS = {"loss": 1.213, "perplexity": 3.364, "per position": 0.485, "blind guess": 6.014}


def start(model, sentence):
    """The decoder's state, and <bos>."""
    src = torch.tensor([model.src_vocab.encode(d2l.tokenize(sentence))])
    return model.start(src, torch.tensor([src.shape[1]])), torch.tensor([d2l.BOS])


def never_stops(model, sentence):
    (state, word), words = start(model, sentence), []
    for _ in range(20):
        logits, state, _ = model.decoder.step(word, state)
        word = logits.argmax(dim=-1)
        words.append(int(word))
    return model.tgt_vocab.decode(words)


def keeps_the_end(model, sentence):
    words = never_stops(model, sentence)
    return words[: words.index("<eos>") + 1]


def keeps_the_start(model, sentence):
    return ["<bos>", *keeps_the_end(model, sentence)[:-1]]


def always_reads_bos(model, sentence):
    (state, word), words = start(model, sentence), []
    while len(words) < 20:
        logits, state, _ = model.decoder.step(word, state)
        if logits.argmax() == d2l.EOS:
            break
        words.append(int(logits.argmax()))
    return model.tgt_vocab.decode(words)


def forgets_the_state(model, sentence):
    (state, word), words = start(model, sentence), []
    while len(words) < 20:
        word = model.decoder.step(word, state)[0].argmax(dim=-1)
        if word == d2l.EOS:
            break
        words.append(int(word))
    return model.tgt_vocab.decode(words)


def logits_of(model, batch):
    return model(batch.src, batch.tgt[:, :-1], batch.src_len)[0]


def copying(model, batch):
    logits, counted = logits_of(model, batch), batch.tgt[:, 1:] != d2l.PAD
    return F.cross_entropy(logits[counted], batch.tgt[:, :-1][counted])


def with_padding(model, batch):
    return F.cross_entropy(logits_of(model, batch).flatten(0, 1), batch.tgt[:, 1:].flatten())


def untrained():
    pairs = d2l.load_pairs("mini-fra", num_examples=4)
    sizes = {"embed_size": 4, "hidden_size": 4}
    return d2l.build_model("rnn-attention", *d2l.build_vocabs(pairs), **sizes)


class PerQuery(d2l.Attention):
    """One score for each query, and none for each key."""

    def score(self, query, projected_key):
        return torch.zeros(query.shape[:2])


class Turned(d2l.Attention):
    """Source and target positions changed places."""

    def score(self, query, projected_key):
        return torch.zeros(len(query), projected_key.shape[1], query.shape[1])


class Unmasked(d2l.Attention):
    """The same weight for every position, padding too."""

    def score(self, query, projected_key):
        return torch.zeros(*query.shape[:2], projected_key.shape[1])

    def attend(self, query, projected_key, value, valid=None):
        return super().attend(query, projected_key, value)


WRONG = {
    "check_loss_numbers": [
        ({**NUMBERS, "loss": 1.75}, "in bits"),
        ({**NUMBERS, "loss": 4.852}, "A mean over words"),
        ({**NUMBERS, "perplexity": 2.909}, "from the loss"),
        ({**NUMBERS, "per position": 1.213}, "Padding adds positions"),
        ({**NUMBERS, "blind guess": 409}, "not the perplexity"),
    ],
    "check_greedy": [
        (keeps_the_end, "<eos> ends the translation"),
        (keeps_the_start, "<bos> is read"),
        (never_stops, "does not stop"),
        (always_reads_bos, "just written"),
        (forgets_the_state, "goes into the next"),
    ],
    "check_loss": [
        (copying, "just been read"),
        (with_padding, "Padding counts"),
        (lambda model, batch: model.loss(batch)[0], "the mean is wanted"),
    ],
    "check_uniform_attention": [
        ([PerQuery, untrained()], r"yours is \(2, 3\)"),
        ([Turned, untrained()], r"yours is \(2, 4, 3\)"),
        ([Unmasked, untrained()], "Padding gets weight"),
        ([d2l.DotAttention, untrained()], "Weights of one row differ"),
    ],
}

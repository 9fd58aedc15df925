"""What the tests of search, training and runs share: a language of numbers, small models."""

from itertools import product

import torch
from torch import nn

from d2l_lite import Batches, Decoder, Encoder, EncoderDecoder, Pair, build_model, build_vocabs
from d2l_lite.rnn import ATTENTIONS, CONTEXTS, QUERIES

NUMBERS = {"one": "un", "two": "deux", "three": "trois", "four": "quatre", "five": "cinq"}
SIZES = {"embed_size": 16, "hidden_size": 24, "dropout": 0.0}
SMALL = {
    "rnn": SIZES,
    "rnn-attention": SIZES,
    "conv": {**SIZES, "num_layers": 2},
    "transformer": {
        "width": 16,
        "num_heads": 2,
        "feed_forward_size": 24,
        "num_layers": 2,
        "dropout": 0.0,
    },
}

_TIED = {"tied": True, "own": False}
# Every decoder that the RNNs can have: a model's name, and what to change in its sizes.
RNN_PLAIN = {f"{c}-{t}": ("rnn", {"context": c, "tied": _TIED[t]}) for c in CONTEXTS for t in _TIED}
RNN_ATTENTIVE = {
    f"{a}-{q}-{t}": ("rnn-attention", {"attention": a, "query": q, "tied": _TIED[t]})
    for a in ATTENTIONS
    for q in QUERIES
    for t in _TIED
}


def _count(words):
    links = tuple((position, position) for position in range(len(words)))
    return Pair(" ".join(words), " ".join(NUMBERS[word] for word in words), links)


PAIRS = [_count(words) for length in (1, 2, 3) for words in product(NUMBERS, repeat=length)]
VOCABS = build_vocabs(PAIRS)


def small_model(name="rnn-attention", vocabs=VOCABS, seed=0, scale=1.0, **sizes):
    """A model without training; `scale` above 1 makes its choices definite and varied."""
    torch.manual_seed(seed)
    model = build_model(name, *vocabs, **{**SMALL[name], **sizes})
    for parameter in model.parameters():
        parameter.data.mul_(scale)
    return model


def model_of(name, size=11, **sizes):
    """A model without training of `size` words a side, which have numbers alone."""
    return small_model(name, (range(size), range(size)), **sizes).eval()


def all_at_once(model, batch):
    """Logits (B, T, V), weights (B, T, S) or None, and the state after teacher forcing."""
    state = model.start(batch.src, batch.src_len)
    features, weights, state = model.decoder.features(batch.tgt[:, :-1], state)
    return model.decoder.output(features), weights, state


class PlainEncoder(Encoder):
    """A reader's encoder, to the source text's signature: lengths unread, outputs time-first."""

    def __init__(self, vocab_size, embed_size, num_hiddens, num_layers, dropout=0, **kwargs):
        super().__init__(**kwargs)
        self.words = nn.Embedding(vocab_size, embed_size)
        self.cells = nn.LSTM(embed_size, num_hiddens, num_layers, dropout=dropout)

    def forward(self, X, *args):
        return self.cells(self.words(X.T))


class PlainDecoder(Decoder):
    """A reader's decoder, to the same signatures, with neither `step` nor `select`."""

    def __init__(self, vocab_size, embed_size, num_hiddens, num_layers, dropout=0, **kwargs):
        super().__init__(**kwargs)
        self.words = nn.Embedding(vocab_size, embed_size)
        self.cells = nn.LSTM(embed_size, num_hiddens, num_layers, dropout=dropout)
        self.logits = nn.Linear(2 * num_hiddens, vocab_size)

    def init_state(self, enc_outputs, enc_valid_len, *args):
        outputs, cells = enc_outputs
        return outputs.transpose(0, 1), cells, enc_valid_len

    def forward(self, X, state):
        memory, cells, valid_len = state  # (B, S, H)
        outputs, cells = self.cells(self.words(X.T), cells)
        scores = outputs.transpose(0, 1) @ memory.transpose(1, 2)  # (B, T, S)
        if valid_len is not None:
            hidden = torch.arange(memory.shape[1]) >= valid_len[:, None]
            scores = scores.masked_fill(hidden[:, None], -1e9)
        context = scores.softmax(-1) @ memory
        logits = self.logits(torch.cat((outputs.transpose(0, 1), context), dim=-1))
        return logits, (memory, cells, valid_len)


def plain_model(seed=0, scale=1.0, vocabs=VOCABS):
    """The reader's two classes as one model."""
    torch.manual_seed(seed)
    encoder, decoder = (
        kind(len(vocab), 16, 24, 1)
        for kind, vocab in zip((PlainEncoder, PlainDecoder), vocabs, strict=True)
    )
    model = EncoderDecoder(encoder, decoder, *vocabs)
    for parameter in model.parameters():
        parameter.data.mul_(scale)
    return model


class Interrupted(Batches):
    """The user presses Ctrl-C in the middle of the second epoch."""

    def __iter__(self):
        for number, batch in enumerate(super().__iter__()):
            if self.epoch == 1 and number == 2:
                raise KeyboardInterrupt
            yield batch

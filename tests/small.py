"""What the tests of search, training and runs share: a language of numbers, small models."""

from itertools import product

import torch
from torch import nn

from d2l_lite import Batches, Decoder, Encoder, EncoderDecoder, Pair, build_model, build_vocabs

NUMBERS = {"one": "un", "two": "deux", "three": "trois", "four": "quatre", "five": "cinq"}
SIZES = {"embed_size": 16, "hidden_size": 24, "dropout": 0.0}


def _count(words):
    links = tuple((position, position) for position in range(len(words)))
    return Pair(" ".join(words), " ".join(NUMBERS[word] for word in words), links)


PAIRS = [_count(words) for length in (1, 2, 3) for words in product(NUMBERS, repeat=length)]
VOCABS = build_vocabs(PAIRS)


def small_model(name="rnn-attention", vocabs=VOCABS, seed=0, scale=1.0, **sizes):
    """A model without training; `scale` above 1 makes its choices definite and varied."""
    torch.manual_seed(seed)
    model = build_model(name, *vocabs, **{**SIZES, **sizes})
    for parameter in model.parameters():
        parameter.data.mul_(scale)
    return model


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

"""Wrong answers to the exercises on convolutional seq2seq."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

import d2l_lite as d2l

SHAPES = {
    "conved": (2, 9, 16),
    "what a decoder block convolves, its padding included": (2, 10, 24),
    "weights of all blocks": (2, 3, 6, 9),
    "what one block remembers for the next step": (2, 4, 24),
    "logits": (2, 6, 40),
}
VOCABS = d2l.build_vocabs(d2l.load_pairs("mini-fra", num_examples=8))
SIZES = {"embed_size": 8, "hidden_size": 8, "num_layers": 2}
MODEL = d2l.build_model("conv", *VOCABS, **SIZES).eval()
TABLE = nn.Embedding(100, 16)


def mask(scores, src_len):
    return d2l.length_mask(src_len, scores.shape[2])


def free_running(model, batch):
    """The perplexity of a decoder that reads its own words."""
    state, word, right = model.start(batch.src, batch.src_len), batch.tgt[:, 0], batch.tgt[:, 1:]
    logits = []
    for _ in range(right.shape[1]):
        scores, state, _ = model.decoder.step(word, state)
        word = scores.argmax(dim=-1)
        logits.append(scores)
    counted = d2l.length_mask(batch.tgt_len - 1, right.shape[1])[:, 0]
    return F.cross_entropy(torch.stack(logits, dim=1)[counted], right[counted]).exp()


def padding_counted(model, batch):
    logits, _ = model(batch.src, batch.tgt[:, :-1], batch.src_len)
    return F.cross_entropy(logits.flatten(0, 1), batch.tgt[:, 1:].flatten()).exp()


def loss(model, batch):
    summed, count = model.loss(batch)
    return summed / count


def silenced(model, *numbers, layer="from_context"):
    """A copy in which the given layer of some blocks' attentions is all zeros."""
    changed = copy.deepcopy(model)
    for number in numbers:
        for parameter in getattr(changed.decoder.attentions[number], layer).parameters():
            nn.init.zeros_(parameter)
    return changed


def in_place(model, number):
    """Silences the block in a copy, and meddles with the model that it was given."""
    changed = silenced(model, number)
    model.decoder.output.bias.data += 1
    return changed


WRONG = {
    "check_shapes": [
        ({**SHAPES, "conved": (2, 9, 24)}, "added to the embedded words"),
        (
            {**SHAPES, "what a decoder block convolves, its padding included": (2, 8, 24)},
            "a centred window",
        ),
        ({**SHAPES, "weights of all blocks": (2, 6, 9)}, "one block's"),
        ({**SHAPES, "what one block remembers for the next step": (2, 5, 24)}, "the new one"),
        ({**SHAPES, "what one block remembers for the next step": (2, 6, 24)}, "not grow"),
        ({**SHAPES, "logits": (2, 6, 24)}, "each word of the vocabulary"),
    ],
    "check_source_mask": [
        (lambda s, n: s.softmax(dim=-1), "Padding gets weight"),
        (lambda s, n: s.softmax(dim=-1) * mask(s, n), "no longer sum to 1"),
        (lambda s, n: (s * mask(s, n)).softmax(dim=-1), "does not hide"),
        (lambda s, n: d2l.masked_softmax(s, ~mask(s, n)), "Upside down"),
        (lambda s, n: s.masked_fill_(~mask(s, n), -torch.inf).softmax(dim=-1), "in place"),
    ],
    "check_causal_padding": [
        (lambda x, k, pad: F.pad(x, (k - 1, 0), value=pad), "number of <pad> stands"),
        (lambda x, k, pad: F.pad(x, (0, k - 1)), "stand behind"),
        (lambda x, k, pad: F.pad(x, (k // 2, k // 2)), "centred window"),
        (lambda x, k, pad: F.pad(x, (k, 0)), r"shape is \(1, 1, 7\)"),
    ],
    "check_projections": [
        (lambda h, e, n: nn.ModuleList([nn.Linear(h, e)] * n), "1 matrix for 3 blocks"),
        (lambda h, e, n: nn.ModuleList(nn.Linear(e, h) for _ in range(n)), "H = 6 .* E = 4"),
        (lambda h, e, n: [nn.Linear(h, e) for _ in range(n)], "ModuleList"),
    ],
    "check_positions": [
        (lambda length, size: TABLE(torch.arange(length)), "101 words end in IndexError"),
        (
            lambda length, size: TABLE(torch.arange(length) % 100).detach(),
            "Of 101 positions only 100",
        ),
        (
            lambda length, size: TABLE(torch.arange(length).clamp(max=99)).detach(),
            "Of 101 positions only 100",
        ),
        (
            lambda length, size: torch.linspace(0, 9, length)[:, None] * torch.ones(size),
            "changes with the length",
        ),
        (lambda length, size: ..., r"shape \(100, 16\)"),
    ],
    "check_perplexity": [
        (free_running, "has written itself"),
        (loss, "exponential"),
        (padding_counted, "counted as if"),
    ],
    "check_silence": [
        ([lambda model, number: silenced(model), MODEL], "silences none"),
        ([lambda model, number: silenced(model, 0, 1), MODEL], r"silences \[0, 1\]"),
        ([lambda model, number: silenced(model, 1 - number), MODEL], r"block 0, .* \[1\]"),
        (
            [lambda model, number: silenced(model, number, layer="to_query"), MODEL],
            "from_context",
        ),
        ([in_place, copy.deepcopy(MODEL)], "work on a copy"),
    ],
}

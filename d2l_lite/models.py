"""A model by its name and sizes."""

from typing import Any

from d2l_lite.rnn import build_rnn
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.vocab import Vocab

# What each model is made of unless one says otherwise: sizes that suit 30,000 to 200,000 pairs of
# up to 30 words and two processor cores.
_RNN = {
    "embed_size": 160,
    "hidden_size": 416,
    "num_layers": 1,
    "dropout": 0.4,
    "bidirectional": True,
    "tied": True,
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "rnn": {**_RNN, "context": "last"},
    "rnn-attention": {**_RNN, "attention": "additive", "query": "after"},
}


def build_model(name: str, src_vocab: Vocab, tgt_vocab: Vocab, **sizes: Any) -> EncoderDecoder:
    """A new model with random weights, drawn from torch's random state.

    Args:
        name: a key of `DEFAULTS`: "rnn" or "rnn-attention".
        sizes: what to change in `DEFAULTS[name]`: embed_size, hidden_size, num_layers, dropout,
            bidirectional (encoder), tied; for "rnn" context ("start", "last", "mean"); for
            "rnn-attention" attention (a key of `rnn.ATTENTIONS`) and query ("before", "after").

    Returns:
        The model; `model.config` says how to build it again.

    Raises:
        ValueError: unknown model, size or choice, or a size that is no positive whole number.
    """
    if name not in DEFAULTS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(DEFAULTS)}")
    for size in sizes:
        if size not in DEFAULTS[name]:
            raise ValueError(f"{name} has no {size!r}; it has {', '.join(DEFAULTS[name])}")
    config = {**DEFAULTS[name], **sizes}
    _check_numbers(config)
    model = EncoderDecoder(
        *build_rnn(len(src_vocab), len(tgt_vocab), **config), src_vocab, tgt_vocab
    )
    model.config = {"model": name, **config}
    return model


def _check_numbers(config: dict[str, Any]) -> None:
    for size in ("embed_size", "hidden_size", "num_layers"):
        if not isinstance(config[size], int) or config[size] < 1:
            raise ValueError(f"{size} must be a positive whole number, not {config[size]!r}")
    if not isinstance(config["dropout"], int | float) or not 0 <= config["dropout"] < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, not {config['dropout']!r}")

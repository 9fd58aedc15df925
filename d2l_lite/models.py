"""A model by its name and sizes."""

from collections.abc import Callable
from typing import Any

from torch import nn

from d2l_lite.conv import build_conv
from d2l_lite.rnn import build_rnn
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.transformer import build_transformer
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
    "conv": {
        "embed_size": 160,
        "hidden_size": 192,
        "num_layers": 4,
        "kernel_size": 3,
        "dropout": 0.3,
    },
    "transformer": {
        "width": 160,
        "num_heads": 4,
        "feed_forward_size": 480,
        "num_layers": 3,
        "dropout": 0.2,
    },
}
_RECIPES: dict[str, dict[str, Any]] = {
    "rnn": {"epochs": 16, "lr": 0.003, "batch_size": 128},
    "rnn-attention": {"epochs": 16, "lr": 0.003, "batch_size": 128},
    "conv": {"epochs": 16, "lr": 0.003, "batch_size": 128},
    "transformer": {"epochs": 16, "lr": 0.002, "batch_size": 128},
}
BUILDERS: dict[str, Callable[..., tuple[nn.Module, nn.Module]]] = {
    "rnn": build_rnn,
    "rnn-attention": build_rnn,
    "conv": build_conv,
    "transformer": build_transformer,
}


def build_model(name: str, src_vocab: Vocab, tgt_vocab: Vocab, **sizes: Any) -> EncoderDecoder:
    """A new model with random weights, drawn from torch's random state.

    Args:
        name: a key of `DEFAULTS`: "rnn", "rnn-attention", "conv" or "transformer".
        sizes: what to change in `DEFAULTS[name]`. All have num_layers and dropout. The RNNs have
            embed_size, hidden_size, bidirectional (encoder) and tied, "rnn" also context ("start",
            "last", "mean"), "rnn-attention" also attention (a key of `rnn.ATTENTIONS`) and query
            ("before", "after"). "conv" has embed_size, hidden_size and kernel_size, "transformer"
            width, num_heads and feed_forward_size.

    Returns:
        The model; `model.config` says how to build it again.

    Raises:
        ValueError: unknown model, size or choice, or a size that is no positive whole number,
            or two that do not fit together.
    """
    _check_name(name)
    for size in sizes:
        if size not in DEFAULTS[name]:
            raise ValueError(f"{name} has no {size!r}; it has {', '.join(DEFAULTS[name])}")
    config = {**DEFAULTS[name], **sizes}
    _check_numbers(name, config)
    parts = BUILDERS[name](len(src_vocab), len(tgt_vocab), **config)
    model = EncoderDecoder(*parts, src_vocab, tgt_vocab)
    model.config = {"model": name, **config}
    return model


def recipe(name: str) -> dict[str, Any]:
    """How a model is best trained on such a corpus: epochs, lr (one-cycle) and batch_size.

    Raises:
        ValueError: unknown model.
    """
    _check_name(name)
    return dict(_RECIPES[name])


def _check_name(name: str) -> None:
    if name not in DEFAULTS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(DEFAULTS)}")


def _check_numbers(name: str, config: dict[str, Any]) -> None:
    for size, default in DEFAULTS[name].items():
        if type(default) is int and (type(config[size]) is not int or config[size] < 1):
            raise ValueError(f"{size} must be a positive whole number, not {config[size]!r}")
    if not isinstance(config["dropout"], int | float) or not 0 <= config["dropout"] < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, not {config['dropout']!r}")

"""What every experiment does alike: train a model in its folder, and put it into the book."""

from pathlib import Path
from typing import Any

import torch

import d2l_lite as d2l


def train(
    model: d2l.EncoderDecoder, parts: d2l.Split, settings: dict, folder: Path, about: dict
) -> dict[str, Any]:
    """Train a model in `folder`, or go on with it there; returns what its record says of that.

    `settings` gives batch_size and training (fields of `TrainConfig`), `about` data and seed.
    """
    vocabs, seed = (model.src_vocab, model.tgt_vocab), about["seed"]
    config = d2l.TrainConfig(
        **settings["training"], seed=seed, folder=folder, resume=True, about=about, progress=False
    )
    batches = d2l.Batches(parts.train, *vocabs, settings["batch_size"], seed)
    history = d2l.fit(model, batches, config, parts.valid)
    return {
        "config": {**model.config, "batch_size": settings["batch_size"], **settings["training"]},
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "seconds": sum(history["seconds"]),
        "history": list(history),
    }


def ship(folder: Path, name: str) -> None:
    """Put the model of a run into the book, in half precision."""
    model, config, history = d2l.load_run(folder)
    shipped = Path(__file__).parents[1] / "book" / "models" / name
    d2l.save_run(shipped, model, history, config["about"], torch.float16)

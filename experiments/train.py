"""What every experiment does alike: train a model in its folder, and put it into the book."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import d2l_lite as d2l


def defaults(family: str) -> dict[str, Any]:
    """The settings of `python -m d2l_lite train` for a family and a corpus such as fra-eng."""
    training = d2l.recipe(family)
    batch_size = training.pop("batch_size")
    return {"sizes": {}, "batch_size": batch_size, "training": training, "min_count": 2}


def train(
    build: Callable[..., d2l.EncoderDecoder],
    parts: d2l.Split,
    settings: dict,
    folder: Path,
    about: dict,
) -> tuple[d2l.EncoderDecoder, dict[str, Any]]:
    """Train a model in `folder`, or go on with it there; returns it, and what to record of that.

    `build` makes the model from two vocabularies and `settings["sizes"]`. `settings` also gives
    min_count, batch_size and training (fields of `TrainConfig`), `about` data and seed.
    """
    seed = about["seed"]
    vocabs = d2l.build_vocabs(parts.train, min_count=settings["min_count"])
    torch.manual_seed(seed)
    model = build(*vocabs, **settings["sizes"])
    config = d2l.TrainConfig(
        **settings["training"], seed=seed, folder=folder, resume=True, about=about, progress=False
    )
    batches = d2l.Batches(parts.train, *vocabs, settings["batch_size"], seed)
    history = d2l.fit(model, batches, config, parts.valid)
    return model, {
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

"""Run folders: a trained model, how it was made, and how its training went."""

import copy
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model

from d2l_lite.models import build_model
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.vocab import SPECIALS, Vocab

FORMAT = 1  # of the run folder; raised when an older reader would misread a new one
MODELS = Path(__file__).parent.parent / "book" / "models"  # in a checkout of the book

CONFIG, WEIGHTS, HISTORY = "config.json", "model.safetensors", "history.jsonl"


class Run(NamedTuple):
    model: EncoderDecoder  # in eval mode, with both vocabularies
    config: dict[str, Any]  # "model": see build_model; "about": what was given to save_run
    history: list[dict[str, Any]]  # one entry an epoch


def save_run(
    folder: str | os.PathLike,
    model: EncoderDecoder,
    history: list[dict[str, Any]] = (),
    about: dict[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a run folder: `model.safetensors`, `config.json`, `history.jsonl`.

    Each file is written under another name and then renamed, so that none is ever half there.

    Args:
        about: what to keep with the model besides (data, training settings).
        dtype: type of the stored weights; float16 halves the file.

    Raises:
        ValueError: the model was not made by `build_model`, or has no vocabularies.
    """
    if model.config is None or model.src_vocab is None or model.tgt_vocab is None:
        raise ValueError("only a model made by build_model, with its vocabularies, can be saved")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "format": FORMAT,
        "model": model.config,
        "about": about or {},
        "source_words": model.src_vocab.words[len(SPECIALS) :],
        "target_words": model.tgt_vocab.words[len(SPECIALS) :],
    }
    save_weights(folder, model, dtype)
    write_text(folder / CONFIG, json.dumps(config, ensure_ascii=False, indent=0) + "\n")
    save_history(folder, history)


def save_weights(folder: Path, model: EncoderDecoder, dtype: torch.dtype = torch.float32) -> None:
    """Write `model.safetensors` alone."""
    partial = folder / (WEIGHTS + ".part")
    save_model(copy.deepcopy(model).to("cpu", dtype), str(partial))
    partial.replace(folder / WEIGHTS)


def save_history(folder: Path, history: list[dict[str, Any]]) -> None:
    """Write `history.jsonl` alone: a line for each epoch."""
    write_text(folder / HISTORY, "".join(json.dumps(epoch) + "\n" for epoch in history))


def write_text(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def load_run(name: str | os.PathLike, device: torch.device | str = "cpu") -> Run:
    """Load a run: a folder, or one that ships with the book by its name.

    Raises:
        FileNotFoundError: there is no such folder, or it holds no run.
        ValueError: the run is damaged, or of another version.
    """
    folder = _find(name)
    config = _read_config(folder)
    try:
        vocabs = Vocab(config["source_words"]), Vocab(config["target_words"])
        sizes = dict(config["model"])
        model = build_model(sizes.pop("model"), *vocabs, **sizes)
        load_model(model, str(folder / WEIGHTS))
        lines = (folder / HISTORY).read_text(encoding="utf-8").splitlines()
        history = [json.loads(line) for line in lines]
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"the run {folder} is not whole: {error.filename or error} is missing"
        ) from None
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"the run {folder} is damaged: {error}") from error
    model.to(device).eval()
    return Run(model, {"model": config["model"], "about": config["about"]}, history)


def _find(name: str | os.PathLike) -> Path:
    for folder in (Path(name), MODELS / name):
        if folder.is_dir():
            if not (folder / CONFIG).is_file():
                raise FileNotFoundError(f"the folder {folder} holds no run: {CONFIG} is missing")
            return folder
    shipped = sorted(path.name for path in MODELS.glob("*/")) if MODELS.is_dir() else []
    raise FileNotFoundError(
        f"no run {os.fspath(name)!r}: give a folder that `train` has written, or one of the "
        f"book's: {', '.join(shipped) or 'none here'}"
    )


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        found = config["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"the run {folder} is damaged: cannot read {CONFIG}: {error}") from None
    if found != FORMAT:
        raise ValueError(f"the run {folder} is of format {found}; this d2l_lite reads {FORMAT}")
    return config

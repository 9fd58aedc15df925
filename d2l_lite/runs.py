"""Run folders: a trained model, how it was made, and how its training went."""

import copy
import json
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model

from d2l_lite.bookfiles import book_file, book_files
from d2l_lite.models import build_model
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.vocab import SPECIALS, Vocab

FORMAT = 1  # of the run folder; raised when an older reader would misread a new one
MODELS = "book/models"  # where the runs are that ship with the book

CONFIG, WEIGHTS, HISTORY = "config.json", "model.safetensors", "history.jsonl"
RESUME = "resume.pt"


def try_gpu() -> torch.device:
    """The first of cuda, mps, cpu that this machine has."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


class Run(NamedTuple):
    model: EncoderDecoder  # in eval mode, with both vocabularies
    config: dict[str, Any]  # "model": see build_model; "about": what was given to save_run
    history: list[dict[str, Any]]  # one entry an epoch


def save_run(
    folder: str | os.PathLike[str],
    model: EncoderDecoder,
    history: Sequence[dict[str, Any]] = (),
    about: dict[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a run folder: `model.safetensors`, `history.jsonl`, `config.json`.

    Each file is written under another name and then renamed, so that none is ever half there. The
    configuration comes last: a folder that has it is whole.

    Args:
        about: what to keep with the model besides (data, training settings).
        dtype: type of the stored weights; float16 halves the file.

    Raises:
        ValueError: the model was not made by `build_model`, or has no vocabularies; `about` does
            not fit into JSON.
        OSError: the folder cannot be written to.
    """
    folder = check_saveable(folder, model, about)
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "format": FORMAT,
        "model": model.config,
        "about": about or {},
        "source_words": model.src_vocab.words[len(SPECIALS) :],
        "target_words": model.tgt_vocab.words[len(SPECIALS) :],
    }
    stored = copy.deepcopy(model).to("cpu", dtype)
    _write(folder / WEIGHTS, lambda path: save_model(stored, str(path)))
    lines = "".join(json.dumps(epoch) + "\n" for epoch in history)
    _write(folder / HISTORY, lambda path: path.write_text(lines, encoding="utf-8"))
    text = json.dumps(config, ensure_ascii=False, indent=0) + "\n"
    _write(folder / CONFIG, lambda path: path.write_text(text, encoding="utf-8"))


def check_saveable(
    folder: str | os.PathLike[str], model: EncoderDecoder, about: dict[str, Any] | None
) -> Path:
    """Fail now, and not after hours, if the model could not be saved in the folder."""
    try:
        json.dumps(about)
    except TypeError as error:
        raise ValueError(f"what is noted about a run must fit into JSON: {error}") from None
    if model.config is None or model.src_vocab is None or model.tgt_vocab is None:
        raise ValueError("only a model made by build_model, with its vocabularies, can be saved")
    folder = Path(folder)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        raise OSError(f"cannot write a run to {folder}: {existing} is no folder one can write to")
    return folder


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    partial = path.with_name(path.name + ".part")
    write(partial)
    partial.chmod(0o644)  # safetensors writes for its owner alone
    partial.replace(path)


def save_checkpoint(folder: Path, checkpoint: dict[str, Any]) -> None:
    """Write `resume.pt`: all that a training needs to go on."""
    _write(folder / RESUME, lambda path: torch.save(checkpoint, path))


def load_checkpoint(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """Read `resume.pt`; None where there is none.

    Raises:
        ValueError: the file is damaged.
    """
    path = folder / RESUME
    if not path.exists():
        return None
    try:
        checkpoint = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"the checkpoint {path} is damaged: {_first_line(error)}") from None
    if not isinstance(checkpoint, dict):
        raise ValueError(f"the checkpoint {path} is damaged: it holds no state of a training")
    return checkpoint


def load_run(name: str | os.PathLike[str], device: torch.device | str = "cpu") -> Run:
    """Load a run: a folder, or one that ships with the book by its name; see `book_file`.

    Raises:
        FileNotFoundError: there is no such run, or it is not whole.
        ValueError: the run is damaged, or of another version.
    """
    folder = _find(name)
    config = _read_config(folder)
    try:
        sizes = dict(config["model"])
        with torch.random.fork_rng(devices=[]):  # loading must not change what is drawn later
            model = build_model(sizes.pop("model"), *_vocabs(config), **sizes)
        load_model(model, str(folder / WEIGHTS))
        history = _read_history(folder / HISTORY)
        about = config["about"]
    except FileNotFoundError as error:
        missing = error.filename or error
        raise FileNotFoundError(f"the run {folder} is not whole: {missing} is missing") from None
    except KeyError as error:
        raise ValueError(f"the run {folder} is damaged: {CONFIG} lacks {error}") from None
    except RuntimeError:
        raise ValueError(f"the run {folder} is damaged: {WEIGHTS} does not fit {CONFIG}") from None
    except (TypeError, ValueError, SafetensorError) as error:
        raise ValueError(f"the run {folder} is damaged: {_first_line(error)}") from None
    model.to(device).eval()
    return Run(model, {"model": config["model"], "about": about}, history)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _vocabs(config: dict[str, Any]) -> tuple[Vocab, Vocab]:
    sides = config["source_words"], config["target_words"]
    for words in sides:
        if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
            raise ValueError(f"a vocabulary in {CONFIG} is no list of words")
    source, target = map(Vocab, sides)
    return source, target


def _read_history(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    history = [json.loads(line) for line in lines]
    for number, epoch in enumerate(history, start=1):
        if not isinstance(epoch, dict):
            raise ValueError(f"line {number} of {HISTORY} is no epoch")
    return history


def _find(name: str | os.PathLike[str]) -> Path:
    """The folder of a run: one that is there, or one of the book's by its name."""
    if (folder := Path(name)).is_dir():
        if not (folder / CONFIG).is_file():
            raise FileNotFoundError(f"the folder {folder} holds no run: {CONFIG} is missing")
        return folder
    shipped = sorted({Path(file).parent.name for file in book_files() if MODELS in file})
    if os.fspath(name) not in shipped:
        none = "none here: they come with a clone of the book, or a d2l_lite from the book's site"
        raise FileNotFoundError(
            f"no run {os.fspath(name)!r}: give a folder that `train` has written, or one of the "
            f"book's: {', '.join(shipped) or none}"
        )
    for file in (WEIGHTS, HISTORY, CONFIG):
        folder = book_file(f"{MODELS}/{name}/{file}").parent
    return folder


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        found = config["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"the run {folder} is damaged: cannot read {CONFIG}: {error}") from None
    if found != FORMAT:
        raise ValueError(f"the run {folder} is of format {found}; this d2l_lite reads {FORMAT}")
    return config

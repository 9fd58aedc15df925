"""A trained model as one JavaScript file, which `translator.js` reads in a reader's browser.

The file works from a disk as from a server: it is a classic script that puts one object into the
global `d2lWeights`, so that a page can hold several. That object has the sizes of the model, the
rules that cut a sentence into words, both vocabularies, and all weights as one text in base 85,
four bytes in five letters. Its checksum (Adler-32) tells the reader's browser of any damage.
"""

import base64
import copy
import json
import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2l_lite import vocab
from d2l_lite.data import MAX_WORDS
from d2l_lite.runs import load_run
from d2l_lite.seq2seq import EncoderDecoder

FORMAT = 1  # of the file; raised when an older translator.js would misread a new one
EXPORTED = "rnn-attention"
SIZES = ("num_layers", "bidirectional", "attention", "query")


def export(
    run: str | os.PathLike[str], path: str | os.PathLike[str], precision: str = "int8"
) -> float:
    """Write the model of a run as a file for the translator that runs in a browser.

    Args:
        run: a run folder, or one that ships with the book by its name; its model must be
            "rnn-attention", of any sizes.
        path: the file to write, `.js`; its name without the ending is the model's name there.
        precision: how a number of a matrix is stored. "int8": a whole number from -127 to 127,
            times a scale that its row shares. "float16" and "float32": as such. Biases are float32.

    Returns:
        How far the stored weights are off, as a share of their size (both root mean square).

    Raises:
        ValueError: another kind of model, an unknown precision, a path that is no `.js`, or weights
            that the precision cannot hold.
        OSError: there is no such run, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".js":
        raise ValueError(f"the file for the browser must end in .js, not {path.name!r}")
    _check_precision(precision)
    model, config, _ = load_run(run)
    if config["model"]["model"] != EXPORTED:
        raise ValueError(
            f"the model of {os.fspath(run)} is {config['model']['model']!r}; the translator in the "
            f"browser can run {EXPORTED!r} alone: export a run of that kind"
        )
    content, error = _content(model, precision)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    path.write_text(
        f"// A translator made with d2l_lite: {precision} weights, off by {error:.2%} of their "
        f"size.\n(globalThis.d2lWeights ??= {{}})[{json.dumps(path.stem)}] = "
        f"{{checksum: {zlib.adler32(text.encode())}, content:\n{text}\n}};\n",
        encoding="utf-8",
    )
    return error


def rounded(model: EncoderDecoder, precision: str) -> EncoderDecoder:
    """A copy of the model with the weights that the file holds: it shows what precision costs."""
    _check_precision(precision)
    model = copy.deepcopy(model)
    with torch.no_grad():
        for _, weights in model.named_parameters():
            _, restored = _store(weights, precision)
            weights.copy_(torch.from_numpy(restored))
    return model


def _check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")


def _content(model: EncoderDecoder, precision: str) -> tuple[dict[str, Any], float]:
    """All that the browser needs to know, in a form that JSON can hold; how far it is off."""
    parameters, blocks, lost, whole = [], [], 0.0, 0.0
    # A matrix that two layers share comes once, under its first name.
    for key, weights in model.named_parameters():
        rows, columns = _matrix(weights).shape
        stored, restored = _store(weights, precision)
        if not np.isfinite(restored).all():
            raise ValueError(f"{key} holds a number that {precision} cannot: try float32")
        exact = _matrix(weights).reshape(restored.shape)
        lost += float(np.square(exact - restored).sum())
        whole += float(np.square(exact).sum())
        parameters.append([key, rows, columns, precision if rows > 1 else "float32"])
        blocks += [part.tobytes() + bytes(-part.nbytes % 4) for part in stored]  # whole fours
    content = {
        "format": FORMAT,
        "sizes": {size: (model.config or {})[size] for size in SIZES},
        "maxWords": MAX_WORDS,
        "patterns": _patterns(),
        "sourceWords": model.src_vocab.words,
        "targetWords": model.tgt_vocab.words,
        "parameters": parameters,
        "weights": base64.b85encode(b"".join(blocks)).decode(),
    }
    return content, (lost / whole) ** 0.5


# How numbers are stored: what stands in the file, and what the browser makes of it.


def _matrix(weights: Tensor) -> np.ndarray:
    """Weights as rows and columns; a vector is one row."""
    return np.atleast_2d(weights.detach().float().cpu().numpy()).astype("<f4")


def _store(weights: Tensor, precision: str) -> tuple[list[np.ndarray], np.ndarray]:
    """The arrays that go into the file, and the weights that come out of them."""
    matrix = _matrix(weights)
    # One row is small, and often a bias: it keeps all its digits.
    stored, restored = PRECISIONS[precision if len(matrix) > 1 else "float32"](matrix)
    return stored, restored.reshape(weights.shape)


def _int8(matrix: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Each row in steps of 1/127 of its largest number, so that a large one spoils one row only."""
    scales = np.abs(matrix).max(axis=1, keepdims=True) / 127
    scales[scales == 0] = 1
    steps = np.rint(matrix / scales).astype("int8")
    return [scales, steps], steps * scales


def _float16(matrix: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which `_content` reports
        halves = matrix.astype("<f2")
    return [halves], halves.astype("<f4")


def _float32(matrix: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    return [matrix], matrix


PRECISIONS: dict[str, Callable[[np.ndarray], tuple[list[np.ndarray], np.ndarray]]] = {
    "int8": _int8,
    "float16": _float16,
    "float32": _float32,
}


# The rules of vocab.py as regular expressions of JavaScript, with its flag v.

_SPACE = "".join(rf"\u{ord(c):04x}" for c in map(chr, range(0x3001)) if c.isspace())
# To Python these speak of all of Unicode, to JavaScript of English alone.
_CLASSES = {
    r"\w": r"[\p{L}\p{N}_]",
    r"\W": r"[^\p{L}\p{N}_]",
    r"\d": r"\p{Nd}",
    r"\s": f"[{_SPACE}]",
}


def _patterns() -> dict[str, str]:
    names = {
        "token": vocab.TOKEN,
        "noSpaceBefore": vocab.NO_SPACE_BEFORE,
        "noSpaceAfter": vocab.NO_SPACE_AFTER,
        "ideographs": vocab.IDEOGRAPHS,
    }
    return {name: _in_javascript(pattern.pattern) for name, pattern in names.items()}


def _in_javascript(pattern: str) -> str:
    """A pattern of vocab.py in JavaScript."""
    pattern = pattern.replace(f"[{vocab.MARKS}]", r"[\p{M}&&[\u0300-\uffff]]")
    # With the flag v a parenthesis in brackets needs its backslash.
    brackets = r"\[(?:\\.|[^\]\\])*\]"
    pattern = re.sub(brackets, lambda m: re.sub(r"(?<!\\)[()]", r"\\\g<0>", m.group()), pattern)
    return re.sub(r"\\[wWds]", lambda m: _CLASSES[m.group()], pattern)

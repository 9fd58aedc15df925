"""Sentence pairs: corpora by name or path, a split that does not leak, padded batches."""

import hashlib
import math
import os
import zipfile
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from d2l_lite import minifra
from d2l_lite.bookfiles import cache_folder, download
from d2l_lite.vocab import BOS, EOS, PAD, Vocab, count_tokens, tokenize

FRA_ENG_URL = "http://d2l-data.s3-accelerate.amazonaws.com/fra-eng.zip"
FRA_ENG_SHA1 = "94646ad1522d915e7b0f9296181140edcf86a4f5"
_BUILT_IN = {"mini-fra": {}, "mini-fra-long": {"long": True}}
CORPORA = (*_BUILT_IN, "fra-eng")
MAX_WORDS = 500  # what is longer is no sentence, and in a batch it would fill the memory


class Pair(NamedTuple):
    """A sentence and its translation, as they stand in the corpus.

    `alignment`, where there is a gold one: (source word, target word) positions after `tokenize`.
    """

    source: str
    target: str
    alignment: tuple[tuple[int, int], ...] | None = None


class Split(NamedTuple):
    train: list[Pair]
    valid: list[Pair]
    test: list[Pair]


class Batch(NamedTuple):
    """Word numbers, padded with `PAD`, and valid lengths; target rows are `<bos>` … `<eos>`."""

    src: Tensor  # (B, S)
    src_len: Tensor  # (B,)
    tgt: Tensor  # (B, 1 + T)
    tgt_len: Tensor  # (B,), <bos> counted

    def to(self, device: torch.device | str) -> "Batch":
        return Batch(*(tensor.to(device) for tensor in self))


def load_pairs(
    corpus: str | os.PathLike[str],
    num_examples: int | None = None,
    min_len: int | None = None,
    max_len: int | None = None,
) -> list[Pair]:
    """The sentence pairs of a corpus, in its order.

    Args:
        corpus: "mini-fra" (built in), "mini-fra-long" (built in, up to 30 words), "fra-eng" (looked
            for in $D2L_LITE_DATA, then in the user's cache, then downloaded), or the path of a
            UTF-8 file with `source<TAB>target` lines, plain or zipped; more columns are ignored.
        num_examples: read the first lines only.
        min_len, max_len: drop pairs with fewer or more words after `tokenize` on either side.

    Raises:
        ValueError: `num_examples` or a length is not positive; the corpus is unknown, empty, not
            UTF-8, or has a line without a tab; no pair is left.
        FileNotFoundError: there is no such file, or fra-eng is nowhere to be had.
    """
    _check_numbers(num_examples=num_examples, min_len=min_len, max_len=max_len)
    if corpus in _BUILT_IN:
        pairs = _generate(corpus)[:num_examples]
    else:
        path = _fra_eng() if corpus == "fra-eng" else _existing(corpus)
        pairs = _parse(_read_text(path), path, num_examples)
    return keep_lengths(pairs, min_len, max_len)


@cache
def _generate(corpus: str) -> list[Pair]:
    return [Pair(*pair) for pair in minifra.generate(**_BUILT_IN[corpus])]


def keep_lengths(
    pairs: list[Pair], min_len: int | None = None, max_len: int | None = None
) -> list[Pair]:
    """The pairs with `min_len` to `max_len` words on both sides; see `load_pairs`."""
    _check_numbers(min_len=min_len, max_len=max_len)
    if min_len is None and max_len is None:
        return pairs
    shortest, longest = min_len or 1, max_len or math.inf
    kept = [
        pair
        for pair in pairs
        if all(shortest <= len(tokenize(side)) <= longest for side in (pair.source, pair.target))
    ]
    if not kept:
        raise ValueError(
            f"none of the {len(pairs)} pairs has at least {shortest} and at most {longest} words "
            "on both sides"
        )
    return kept


def _check_numbers(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and not (isinstance(number, int) and number >= 1):
            raise ValueError(f"{name} must be a whole number from 1, not {number}")


def _existing(corpus: str | os.PathLike[str]) -> Path:
    path = Path(corpus)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "neither a file nor a known corpus"
        raise FileNotFoundError(
            f"{os.fspath(corpus)!r} is {what}; give the path of a file with "
            f"source<TAB>target lines, or one of: {', '.join(CORPORA)}"
        )
    return path


def _read_text(path: Path) -> str:
    """The text of a UTF-8 file, or of the one text file in a zip (read, never unpacked)."""
    data = path.read_bytes()
    try:
        if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            with zipfile.ZipFile(path) as archive:
                data = archive.read(_text_member(archive, path))
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        wrong = f"byte {error.start} is {data[error.start]:#04x}"
        raise ValueError(f"{path} is not UTF-8: {wrong}; save it as UTF-8") from None
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"cannot read the zip {path}: {error}") from None


def _text_member(archive: zipfile.ZipFile, path: Path) -> str:
    """The archive's text file; names that begin with an underscore are about the corpus."""
    names = [name for name in archive.namelist() if name.lower().endswith((".txt", ".tsv"))]
    names = [
        name for name in names if not any(part.startswith(("_", ".")) for part in name.split("/"))
    ]
    if len(names) != 1:
        found = ", ".join(names) or "none"
        raise ValueError(f"the zip {path} must hold one .txt or .tsv file; found: {found}")
    return names[0]


def _parse(text: str, path: Path, num_examples: int | None) -> list[Pair]:
    """Pairs from `source<TAB>target` lines; blank lines are passed over."""
    pairs = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip(" "):
            continue
        source, tab, rest = line.partition("\t")
        source, target = source.strip(), rest.partition("\t")[0].strip()
        if not tab:
            raise ValueError(f"line {number} of {path} has no tab: {shorten(line)!r}")
        if not (source and target):
            raise ValueError(f"line {number} of {path} has an empty sentence: {shorten(line)!r}")
        pairs.append(Pair(source, target))
        if len(pairs) == num_examples:
            break
    if not pairs:
        raise ValueError(f"{path} is empty; it needs lines of source<TAB>target")
    return pairs


def shorten(text: str, width: int = 60) -> str:
    """`text` for an error message: its first characters and, if there are more, dots."""
    return text if len(text) <= width else text[:width] + "…"


def find_fra_eng() -> Path | None:
    """Where the fra-eng archive lies: in $D2L_LITE_DATA, in the user's cache, or nowhere yet."""
    folders = [Path(os.environ["D2L_LITE_DATA"])] if os.environ.get("D2L_LITE_DATA") else []
    for folder in (*folders, cache_folder()):
        if (folder / "fra-eng.zip").is_file():
            return folder / "fra-eng.zip"
    return None


def _fra_eng() -> Path:
    path = cache_folder() / "fra-eng.zip"
    try:
        return find_fra_eng() or download(FRA_ENG_URL, path, FRA_ENG_SHA1, "SHA-1")
    except (OSError, HTTPException) as error:
        raise FileNotFoundError(
            f"the corpus fra-eng is not here and could not be downloaded ({error}). Three ways to "
            f"get it: go online and try again; put fra-eng.zip from {FRA_ENG_URL} into "
            f"{path.parent}; or set D2L_LITE_DATA to a folder that holds it (now "
            f"{os.environ.get('D2L_LITE_DATA') or 'not set'}). The built-in corpus mini-fra needs "
            "none of this."
        ) from None


def normalize(sentence: str) -> str:
    """What makes two sentences the same one: lower case, single spaces.

    The apostrophes ' and ’ make two of one, though `tokenize` reads them alike: the recorded runs
    have been split so. Of the 167,130 sources of fra-eng 36 have the second.
    """
    return " ".join(sentence.lower().split())


def split_of(source: str) -> str:
    """The part, "train", "valid" or "test", that a source sentence falls into.

    It depends on the sentence alone, so all its translations stay together and a corpus that grows
    keeps its split: 2 % test, 2 % valid.
    """
    digest = hashlib.sha256(normalize(source).encode()).hexdigest()
    place = int(digest[:8], 16) % 100
    return "test" if place < 2 else "valid" if place < 4 else "train"


def split_pairs(pairs: Sequence[Pair]) -> Split:
    """Pairs by the part that their source falls into, in their order."""
    parts: dict[str, list[Pair]] = {"train": [], "valid": [], "test": []}
    for pair in pairs:
        parts[split_of(pair.source)].append(pair)
    return Split(**parts)


def build_vocabs(pairs: Sequence[Pair], min_count: int = 1) -> tuple[Vocab, Vocab]:
    """Source and target vocabulary of the training pairs: words seen `min_count` times or more."""
    sides = ([pair.source for pair in pairs], [pair.target for pair in pairs])
    source, target = (Vocab.of_counts(count_tokens(side), min_count) for side in sides)
    return source, target


class Batches:
    """Batches of sentence pairs, in a new order each epoch, each cut to its longest sentence.

    The order depends on `seed` and the epoch alone: set `epoch` to go back to one. It advances by
    itself each time the batches have been gone through.

    Args:
        group: put sentences of about the same length together, so that little is padded.
        cut: cut rows at this many numbers, as the source text does; `<eos>` may be lost.

    Raises:
        ValueError: no pairs, a number too small, or a sentence that `encode` refuses.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        src_vocab: Vocab,
        tgt_vocab: Vocab,
        batch_size: int = 64,
        seed: int = 0,
        group: bool = True,
        cut: int | None = None,
    ):
        _check_numbers(batch_size=batch_size, cut=cut)
        if cut == 1:
            raise ValueError("cut must be at least 2, not 1: a row of one number has no word")
        if not pairs:
            raise ValueError("no sentence pairs to make batches of")
        self.batch_size, self.seed, self.group, self.epoch = batch_size, seed, group, 0
        self.cut = cut
        self.src = _Rows(encode(pair.source, src_vocab, cut) for pair in pairs)
        self.tgt = _Rows([BOS, *encode(pair.target, tgt_vocab, cut), EOS][:cut] for pair in pairs)

    def __repr__(self) -> str:
        return (
            f"Batches({len(self.src.lengths)} pairs, batch_size={self.batch_size}, "
            f"seed={self.seed}, group={self.group}, cut={self.cut})"
        )

    def __len__(self) -> int:
        return math.ceil(len(self.src.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for rows in self._order():
            yield Batch(*self.src.padded(rows), *self.tgt.padded(rows))
        self.epoch += 1

    def _order(self) -> list[Tensor]:
        """Row numbers, a tensor for each batch."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        src_len, tgt_len = self.src.lengths, self.tgt.lengths
        rows = torch.randperm(len(src_len), generator=generator)
        if not self.group:
            return list(rows.split(self.batch_size))
        # A stable sort keeps the random order among sentences of the same two lengths.
        lengths = src_len * (tgt_len.max() + 1) + tgt_len
        batches = rows[lengths[rows].argsort(stable=True)].split(self.batch_size)
        return [batches[i] for i in torch.randperm(len(batches), generator=generator)]


class _Rows:
    """Rows of numbers of any length, one behind the other, from which batches are padded."""

    def __init__(self, rows: Iterable[Sequence[int]]):
        lengths, numbers = array("q"), array("q")  # as in a tensor: 8 bytes a number
        for row in rows:
            lengths.append(len(row))
            numbers.extend(row)
        self.lengths, self.numbers = (
            torch.frombuffer(part, dtype=torch.long) for part in (lengths, numbers)
        )
        self.starts = self.lengths.cumsum(0) - self.lengths

    def padded(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The given rows as one tensor (B, longest), filled up with `PAD`; their lengths (B,)."""
        lengths = self.lengths[rows]
        columns = torch.arange(int(lengths.max()))
        outside = columns >= lengths[:, None]  # (B, longest)
        places = (self.starts[rows][:, None] + columns).masked_fill(outside, 0)
        return self.numbers[places].masked_fill(outside, PAD), lengths


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of numbers as one tensor (B, longest), filled up with `PAD`, and their lengths (B,)."""
    return _Rows(rows).padded(torch.arange(len(rows)))


def encode(sentence: str, vocab: Vocab, cut: int | None = None) -> list[int]:
    """A sentence as word numbers, its first `cut` words only if that is given.

    Raises:
        ValueError: the sentence has no word, or more than `MAX_WORDS`.
    """
    words = tokenize(sentence)[:cut]
    if not words:
        raise ValueError(f"the sentence {sentence!r} has no word in it")
    if len(words) > MAX_WORDS:
        raise ValueError(
            f"a sentence of {len(words)} words; the longest that is taken has {MAX_WORDS}: "
            f"{shorten(sentence)!r}"
        )
    return vocab.encode(words)

"""Files of the book that are not in the package: from a checkout, else fetched from its site once.

A wheel that is published with the book holds `published.json`: the address of the book's files and
the SHA-256 of each. A checkout has no such file and needs none.
"""

import hashlib
import json
import os
import urllib.request
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any

import platformdirs
from tqdm.auto import tqdm

CHECKOUT = Path(__file__).resolve().parents[1]
STAMP = Path(__file__).with_name("published.json")
RECORDS = "experiments/*.json*", "benchmarks/cpu.json", "benchmarks/cuda.json"
PATTERNS = *RECORDS, "book/models/*/*.json*", "book/models/*/*.safetensors"


def book_file(name: str) -> Path:
    """A file of the book, by its path in it: `book_file("experiments/contexts.jsonl")`.

    In a checkout it is the file itself. Elsewhere it is a copy in the user's cache, fetched when it
    is asked for the first time from the address that the published wheel bears, and checked.

    Raises:
        FileNotFoundError: there is no such file, or it is not in the cache and could not be had.
    """
    if name not in (there := book_files()):
        none = "none, with no clone of the book around this d2l_lite and no address of one in it"
        names = ", ".join(there) or none
        raise FileNotFoundError(f"the book has no file {name!r}; there are: {names}")
    if (CHECKOUT / name).is_file():
        return CHECKOUT / name
    address, files = _published()
    path = _place(name, files)
    if path.is_file():
        return path
    try:
        return download(address + name, path, files[name])
    except (OSError, HTTPException) as error:
        raise FileNotFoundError(
            f"{name} is not in the cache ({path.parent}) and could not be fetched from "
            f"{address + name}: {error}. Go online and try again; if the book was published anew, "
            "install d2l_lite from there."
        ) from None


def book_files() -> list[str]:
    """What `book_file` takes here: the records of experiments and benchmarks, shipped models."""
    here = {path for pattern in PATTERNS for path in CHECKOUT.glob(pattern)}
    names = {path.relative_to(CHECKOUT).as_posix() for path in here if ".old." not in path.name}
    return sorted(names | set(_published()[1]))


def _published() -> tuple[str, dict[str, str]]:
    """The address of the published files, and the SHA-256 of each by name; empty in a checkout."""
    if not STAMP.is_file():
        return "", {}
    stamp: dict[str, Any] = json.loads(STAMP.read_text(encoding="utf-8"))
    return stamp["address"], stamp["files"]


def _place(name: str, files: dict[str, str]) -> Path:
    """Where in the cache a published file belongs.

    A folder there bears the hash of all that it may hold, so the files of a model that lie together
    belong together, and those of an older book do not get in the way.
    """
    folder = PurePosixPath(name).parent
    beside = sorted(pair for pair in files.items() if PurePosixPath(pair[0]).parent == folder)
    key = hashlib.sha256(json.dumps(beside).encode()).hexdigest()[:12]
    return cache_folder() / f"{folder.name}-{key}" / PurePosixPath(name).name


def cache_folder() -> Path:
    """The user's cache folder for d2l_lite; it need not exist."""
    return platformdirs.user_cache_path("d2l_lite")


def download(url: str, path: Path, digest: str, algorithm: str = "SHA-256") -> Path:
    """Fetch `url` to a temporary name, check it, and only then give it its name.

    Raises:
        OSError, HTTPException: it cannot be fetched or written, or its digest is another.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with urllib.request.urlopen(url, timeout=30) as response, partial.open("wb") as file:
            size = int(response.headers.get("Content-Length", 0)) or None
            with tqdm(total=size, unit="B", unit_scale=True, desc=path.name) as bar:
                while chunk := response.read(1 << 16):
                    file.write(chunk)
                    bar.update(len(chunk))
        found = hashlib.new(algorithm.replace("-", ""), usedforsecurity=False)
        found.update(partial.read_bytes())
        if found.hexdigest() != digest:
            raise OSError(f"{url} has {algorithm} {found.hexdigest()}, not {digest}")
        return partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

"""Files of the book: in a checkout, from where the book was published, or a reason why not."""

import hashlib
import json
import shutil
import socket

import platformdirs
import pytest
from serving import Quiet, serving
from small import small_model

from d2l_lite import book_file, bookfiles, load_run, save_run
from d2l_lite.bookfiles import book_files

RECORD, OTHER = "experiments/runs.jsonl", "experiments/facts.json"
MODEL = "book/models/numbers"


asked = []  # what the server was asked for


class Noting(Quiet):
    """Serves a folder and notes what was asked for."""

    def do_GET(self):
        asked.append(self.path)
        super().do_GET()


@pytest.fixture
def book(tmp_path):
    """A small book: its folder."""
    folder = tmp_path / "book-of-someone"
    (folder / "experiments").mkdir(parents=True)
    (folder / RECORD).write_text('{"seed": 0}\n', encoding="utf-8")
    (folder / OTHER).write_text("{}", encoding="utf-8")
    save_run(folder / MODEL, small_model(), [{"epoch": 1}])
    return folder


@pytest.fixture
def address(book):
    """Where the book is served."""
    asked.clear()
    with serving(Noting, directory=book) as server:
        yield f"{server}/"


@pytest.fixture
def nowhere():
    """An address where nothing answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/"


@pytest.fixture
def wheel(tmp_path, monkeypatch, book):
    """A function that plays a wheel, published at an address, outside of any checkout.

    Returns the cache folder, which is empty.
    """
    paths = [path for path in book.rglob("*") if path.is_file()]
    files = {
        path.relative_to(book).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }

    def publish(address, **other):
        (tmp_path / "site-packages").mkdir(exist_ok=True)
        stamp = tmp_path / "site-packages" / "published.json"
        stamp.write_text(json.dumps({"address": address, "files": files | other}))
        monkeypatch.setattr(bookfiles, "STAMP", stamp)
        monkeypatch.setattr(bookfiles, "CHECKOUT", stamp.parent)
        return tmp_path / "cache" / "d2l_lite"

    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setenv("no_proxy", "*")
    return publish


def test_in_a_checkout_it_is_the_file_itself_and_nothing_is_fetched(
    book, wheel, nowhere, monkeypatch
):
    cache = wheel(nowhere)
    monkeypatch.setattr(bookfiles, "CHECKOUT", book)
    assert book_file(RECORD) == book / RECORD
    assert not cache.exists()


def test_the_real_checkout_has_records_and_models_and_no_stamp():
    assert not bookfiles.STAMP.exists()
    assert {"experiments/contexts.jsonl", "experiments/families_costs.json"} <= set(book_files())
    names = [name for name in book_files() if name.startswith("book/models/")]
    assert {name.split("/")[3] for name in names} == {
        "config.json",
        "history.jsonl",
        "model.safetensors",
    }
    assert all(book_file(name).is_file() for name in book_files())


def test_elsewhere_it_is_fetched_once_and_kept(book, wheel, address):
    cache = wheel(address)
    path = book_file(RECORD)
    assert path.read_bytes() == (book / RECORD).read_bytes()
    assert path.name == "runs.jsonl" and path.parent.parent == cache
    assert book_file(RECORD) == path
    assert asked == [f"/{RECORD}"]
    assert [found.name for found in path.parent.iterdir()] == ["runs.jsonl"]


def test_a_model_is_loaded_by_name_from_files_that_lie_together(book, wheel, address):
    cache = wheel(address)
    assert load_run("numbers").history == load_run(book / MODEL).history == [{"epoch": 1}]
    (folder,) = cache.iterdir()
    assert {path.name for path in folder.iterdir()} == {
        path.name for path in (book / MODEL).iterdir()
    }
    with pytest.raises(FileNotFoundError, match=r"no run 'letters'.*: numbers"):
        load_run("letters")


def test_a_book_published_anew_does_not_mix_with_the_old_one(book, wheel, address, nowhere):
    """The other files of the folder change as well, so that no run is made of two."""
    wheel(address)
    old = book_file(RECORD), book_file(f"{MODEL}/config.json")
    (book / RECORD).write_text("new", encoding="utf-8")
    wheel(address, **{RECORD: hashlib.sha256(b"new").hexdigest()})
    new = book_file(RECORD), book_file(f"{MODEL}/config.json")
    assert new[0].read_text() == "new" and old[0].read_text() != "new"
    assert new[1] == old[1] and new[0].parent == book_file(OTHER).parent != old[0].parent


def test_offline_the_address_and_the_empty_cache_are_named(wheel, nowhere):
    cache = wheel(nowhere)
    with pytest.raises(FileNotFoundError) as caught:
        book_file(RECORD)
    for part in (RECORD, str(cache), nowhere + RECORD, "Go online"):
        assert part in str(caught.value)
    assert not any(path.is_file() for path in cache.rglob("*"))


def test_another_content_is_refused_and_not_kept(book, wheel, address):
    cache = wheel(address)
    right = hashlib.sha256((book / RECORD).read_bytes()).hexdigest()
    (book / RECORD).write_text("changed on the way", encoding="utf-8")
    found = hashlib.sha256(b"changed on the way").hexdigest()
    with pytest.raises(FileNotFoundError, match=f"SHA-256 {found}, not {right}.* anew"):
        book_file(RECORD)
    assert not any(path.is_file() for path in cache.rglob("*"))


@pytest.mark.parametrize("name", ["experiments/none.jsonl", "/etc/hostname", "..", ""])
def test_an_unknown_name_is_answered_with_those_that_are_there(wheel, nowhere, name):
    wheel(nowhere)
    with pytest.raises(FileNotFoundError, match=f"no file '{name}'.*{MODEL}/config.json.*{RECORD}"):
        book_file(name)


def test_without_checkout_and_stamp_it_says_that_there_is_neither(tmp_path, wheel, monkeypatch):
    wheel("")
    monkeypatch.setattr(bookfiles, "STAMP", tmp_path / "none.json")
    with pytest.raises(FileNotFoundError, match=r"no file .*: none, .* no clone .* no address"):
        book_file(RECORD)


def test_old_records_are_no_files_of_the_book(book, monkeypatch):
    monkeypatch.setattr(bookfiles, "CHECKOUT", book)
    shutil.copy(book / RECORD, book / "experiments" / "runs.old.jsonl")
    (book / MODEL / "resume.pt").write_bytes(b"")
    assert {name for name in book_files() if "old" in name or "resume" in name} == set()
    assert RECORD in book_files()

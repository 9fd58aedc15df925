"""Corpora from files, the split, batches, and where fra-eng comes from."""

import hashlib
import http.server
import io
import os
import random
import socket
import zipfile
from itertools import islice
from pathlib import Path

import platformdirs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from serving import serving

from d2l_lite import (
    BOS,
    EOS,
    PAD,
    Batches,
    Pair,
    Vocab,
    build_vocabs,
    data,
    load_pairs,
    split_of,
    split_pairs,
    tokenize,
)
from d2l_lite.data import CORPORA, find_fra_eng, pad

TWO = "Go.\tVa !\nI won!\tJ'ai gagné !\n"
TWO_PAIRS = [Pair("Go.", "Va !"), Pair("I won!", "J'ai gagné !")]


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def damaged(archive):
    """The same bytes with the compressed data overwritten."""
    return archive[:60] + b"\xff" * 20 + archive[80:]


@pytest.fixture
def corpus(tmp_path):
    """A function: the content of a corpus file -> its path."""

    def write(content, name="corpus.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# Files


@pytest.mark.parametrize(
    "content",
    [
        TWO,
        TWO.rstrip("\n"),
        "\ufeff" + TWO,
        TWO.replace("\n", "\r\n"),
        TWO.replace("\n", "\r"),
        TWO.replace("\n", "\tCC-BY 2.0\tanother column\n"),
        TWO.replace("\n", "\n\n"),
        " Go. \tVa !\xa0\n I won!\t J'ai gagné !",
        zipped({"fra-eng/fra.txt": TWO, "fra-eng/_about.txt": "about", "__MACOSX/._fra.txt": "x"}),
        zipped({"two.TSV": "\ufeff" + TWO.replace("\n", "\r\n"), "readme.md": "not this"}),
    ],
    ids="plain no-last-newline bom crlf cr columns blank-lines spaces zip zip-tsv".split(),
)
def test_every_way_to_store_two_pairs(corpus, content):
    path = corpus(content)
    assert load_pairs(path) == load_pairs(str(path)) == TWO_PAIRS


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "corpus.tsv is empty"),
        ("\ufeff\n\r\n  \n", "corpus.tsv is empty"),
        (TWO + "no tab in here\n" + TWO, "line 3 of .*corpus.tsv .*'no tab in here'"),
        ("\r\n" + TWO.replace("\n", "\r\n") + "x" * 9999, "line 4 .*'x{60}…'"),
        (TWO + "Hi.\t \n", r"line 3 of .*corpus.tsv has an empty sentence: 'Hi\.\\t"),
        (TWO + "\tSalut !\n", "line 3 .*empty sentence"),
        (TWO + "\t\n", "line 3 .*empty sentence"),
        ("Go.\tVa !\nÉtat\tState".encode("latin-1"), "not UTF-8: byte 9 is 0xc9"),
        (b"\xef\xbb\xbfGo\xff\t", "not UTF-8: byte 5 is 0xff"),
        (TWO.encode("utf-16"), "not UTF-8: byte 0 is 0xff"),
        (zipped({"a.csv": TWO, "b.bin": "x"}), "must hold one .txt or .tsv file; found: none"),
        (zipped({"a.txt": TWO, "b.tsv": TWO}), "must hold one .* found: a.txt, b.tsv"),
        (zipped({"_about.txt": TWO}), "found: none"),
        (zipped({"a.txt": ""}), "is empty"),
        (zipped({"a.txt": "État\t".encode("latin-1")}), "not UTF-8: byte 0 is 0xc9"),
        (damaged(zipped({"a.txt": random.Random(0).randbytes(200)})), "cannot read the zip"),
        (damaged(zipped({"a.txt": TWO * 1000})), "cannot read the zip"),
        (zipped({"a.txt": TWO})[:80], "cannot read the zip"),
    ],
)
def test_a_file_that_is_no_corpus_says_why(corpus, content, named):
    with pytest.raises(ValueError, match=named):
        load_pairs(corpus(content))


@pytest.mark.parametrize("name", ["fra-engl", "no/such/file.tsv", "."])
def test_an_unknown_corpus_is_named_beside_the_known(name):
    with pytest.raises(FileNotFoundError, match=f"'{name}'.* {', '.join(CORPORA)}"):
        load_pairs(name)


def test_num_examples_takes_the_first_lines(corpus):
    path = corpus(TWO + "the third line is never looked at")
    assert load_pairs(path, num_examples=1) == TWO_PAIRS[:1]
    assert load_pairs(path, num_examples=2) == TWO_PAIRS
    assert load_pairs(corpus(TWO), num_examples=99) == TWO_PAIRS


def test_lengths_count_words_of_both_sides_and_drop_whole_pairs(corpus):
    """Words: "go ." 2, "va !" 2; "i won !" 3, "j' ai gagné !" 4; "i 'm ok ." 4, "ok !" 2."""
    path = corpus(TWO + "I'm OK.\tOK !\n")
    third = Pair("I'm OK.", "OK !")
    assert load_pairs(path, max_len=4) == [*TWO_PAIRS, third]
    assert load_pairs(path, max_len=3) == TWO_PAIRS[:1]
    assert load_pairs(path, min_len=3) == TWO_PAIRS[1:]
    assert load_pairs(path, min_len=3, max_len=4) == TWO_PAIRS[1:]
    assert load_pairs(path, num_examples=2, max_len=2) == TWO_PAIRS[:1]
    for sizes, named in (({"min_len": 5}, "5"), ({"min_len": 4, "max_len": 3}, "4 .* 3")):
        with pytest.raises(ValueError, match=f"none of the 3 pairs .*{named}"):
            load_pairs(path, **sizes)


@pytest.mark.parametrize("name", ["num_examples", "min_len", "max_len"])
@pytest.mark.parametrize("number", [0, -1, 2.5, "three"])
@pytest.mark.parametrize("source", ["mini-fra", "fra-eng", "missing.tsv"])
def test_a_number_that_is_none_is_named_before_anything_is_read(source, name, number):
    with pytest.raises(ValueError, match=f"{name} .*{number}"):
        load_pairs(source, **{name: number})


def test_the_built_in_corpus_comes_with_alignments():
    pairs = load_pairs("mini-fra", num_examples=2000, max_len=6)
    assert 0 < len(pairs) < 2000
    for pair in pairs:
        source, target = tokenize(pair.source), tokenize(pair.target)
        assert max(len(source), len(target)) <= 6
        assert pair.alignment
        assert all(0 <= s < len(source) and 0 <= t < len(target) for s, t in pair.alignment)


def test_the_built_in_corpus_has_a_long_form():
    assert load_pairs("mini-fra-long", num_examples=9000, min_len=16)


def test_a_corpus_file_has_no_alignments(corpus):
    assert [pair.alignment for pair in load_pairs(corpus(TWO))] == [None, None]


# The split


@pytest.mark.parametrize(
    ("source", "digits", "place", "part"),
    [
        ("Close it.", "d4224898", 0, "test"),
        ("Use this.", "660cf895", 1, "test"),
        ("I helped.", "85343d56", 2, "valid"),
        ("Get down!", "1b0f04cf", 3, "valid"),
        ("Be kind.", "906d8c88", 4, "train"),
        ("I'm OK.", "5cfff579", 93, "train"),
        ("I won!", "f56add1f", 43, "train"),
        ("Go.", "45fa8e4a", 30, "train"),
    ],
)
def test_split_by_hand(source, digits, place, part):
    """`printf 'go.' | sha256sum` begins 45fa8e4a, 1,174,048,330 in decimal: place 30, train."""
    assert int(digits, 16) % 100 == place
    assert split_of(source) == part


@given(
    words=st.lists(st.text("abcXYZé.!'", min_size=1), min_size=1),
    spaces=st.lists(st.sampled_from([" ", "\xa0", "\u202f", "\t", "  ", " \xa0\n"]), min_size=3),
)
def test_case_and_kinds_of_space_do_not_change_the_part(words, spaces):
    text = " ".join(words)
    between = random.Random(0).choices(spaces, k=len(words) - 1)
    spaced = spaces[0] + "".join(map("".join, zip(words, [*between, spaces[1]], strict=True)))
    for other in (spaced, text.upper(), text.lower(), spaced.swapcase()):
        assert split_of(other) == split_of(text)


def test_shares_are_near_2_2_and_96_percent():
    """Of 20,000 sentences 400 ± 20 (one standard deviation) are expected in test and in valid."""
    generator = random.Random(0)
    parts = [split_of(f"{generator.getrandbits(40):x} {i}") for i in range(20_000)]
    assert abs(parts.count("test") - 400) < 100
    assert abs(parts.count("valid") - 400) < 100
    assert parts.count("train") == 20_000 - parts.count("test") - parts.count("valid")


@given(st.lists(st.builds(Pair, st.text("ab ", min_size=1, max_size=3), st.text("xy", max_size=1))))
def test_split_keeps_every_pair_in_order_and_translations_together(pairs):
    split = split_pairs(pairs)
    assert sum(map(len, split)) == len(pairs)
    for name, part in zip(split._fields, split, strict=True):
        assert part == [pair for pair in pairs if split_of(pair.source) == name]


# Vocabularies and batches


def test_vocabularies_are_built_per_side():
    """English: "!" twice, "i" twice, "win" and "won" once each; French: "!" and "j'" twice."""
    pairs = [Pair("I win!", "J'ai !"), Pair("I won!", "J'y !")]
    source, target = build_vocabs(pairs)
    assert source.words[4:] == ["!", "i", "win", "won"]
    assert target.words[4:] == ["!", "j'", "ai", "y"]
    assert [vocab.words[4:] for vocab in build_vocabs(pairs, min_count=2)] == [
        ["!", "i"],
        ["!", "j'"],
    ]


WORDS = [f"w{i}" for i in range(300)]
VOCAB = Vocab(WORDS)


def numbered(lengths):
    """Pairs that can be told apart: pair i is its word, repeated to the wanted two lengths."""
    return [
        Pair(" ".join([word] * source), " ".join([word] * target))
        for word, (source, target) in zip(WORDS, lengths, strict=False)
    ]


def rows(batches):
    """Source and target rows of one epoch, without padding, in order."""
    return [
        (tuple(src[:n].tolist()), tuple(tgt[:m].tolist()))
        for batch in batches
        for src, n, tgt, m in zip(*batch, strict=True)
    ]


def padding(batches):
    return sum(int((batch.src == PAD).sum() + (batch.tgt == PAD).sum()) for batch in batches)


def many(count=300):
    generator = random.Random(0)
    return numbered([(generator.randint(1, 9), generator.randint(1, 9)) for _ in range(count)])


def test_a_batch_by_hand():
    """w0 is number 4, w1 is 5. Targets begin with <bos>, end with <eos>, and count both."""
    (batch,) = Batches(numbered([(2, 1), (1, 3)]), VOCAB, VOCAB, group=False, seed=1)
    first = int(batch.src[0, 0] == 5)
    assert batch.src.tolist()[first] == [4, 4] and batch.src.tolist()[1 - first] == [5, PAD]
    assert batch.tgt.tolist()[first] == [BOS, 4, EOS, PAD, PAD]
    assert batch.tgt.tolist()[1 - first] == [BOS, 5, 5, 5, EOS]
    assert batch.src_len.tolist()[first] == 2 and batch.tgt_len.tolist()[first] == 3
    assert batch.to("cpu").src.equal(batch.src)


@given(
    lengths=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=40),
    batch_size=st.integers(1, 12),
    seed=st.integers(0, 1000),
    group=st.booleans(),
)
def test_each_pair_comes_once_an_epoch_and_nothing_is_padded_in_vain(
    lengths, batch_size, seed, group
):
    pairs = numbered(lengths)
    batches = Batches(pairs, VOCAB, VOCAB, batch_size, seed, group)
    for _ in range(2):
        epoch = list(batches)
        assert len(epoch) == len(batches) == -(-len(pairs) // batch_size)
        assert all(len(batch.src) <= batch_size for batch in epoch)
        expected = [
            (tuple([4 + i] * source), (BOS, *[4 + i] * target, EOS))
            for i, (source, target) in enumerate(lengths)
        ]
        assert sorted(rows(epoch)) == expected
        for batch in epoch:
            for words, length in ((batch.src, batch.src_len), (batch.tgt, batch.tgt_len)):
                assert words.shape[1] == length.max()
                assert torch.equal((words != PAD).sum(1), length)


@pytest.mark.parametrize("group", [True, False])
def test_the_order_depends_on_seed_and_epoch_alone(group):
    batches, again, other = (
        Batches(many(), VOCAB, VOCAB, 16, seed=seed, group=group) for seed in (3, 3, 4)
    )
    first, second = rows(batches), rows(batches)
    assert batches.epoch == 2
    assert first != second
    torch.manual_seed(99)
    assert rows(again) == first
    assert rows(other) not in (first, second)
    batches.epoch = 0
    assert [rows(batches), rows(batches)] == [first, second]


def test_an_epoch_broken_off_is_not_counted():
    batches = Batches(many(), VOCAB, VOCAB, 16)
    assert len(rows(islice(batches, 3))) == 48
    assert batches.epoch == 0


def test_groups_pad_less_and_still_come_in_random_order():
    grouped, ungrouped = (list(Batches(many(), VOCAB, VOCAB, 16, group=g)) for g in (True, False))
    assert padding(grouped) < padding(ungrouped) / 2
    lengths = [int(batch.src_len.max()) for batch in grouped]
    assert lengths != sorted(lengths) and lengths != sorted(lengths, reverse=True)


def test_cut_truncates_rows_as_the_source_text_does():
    """<bos> w w w <eos> cut at 4 has no <eos> left."""
    (batch,) = Batches(numbered([(6, 3)]), VOCAB, VOCAB, cut=4)
    assert batch.src.tolist() == [[4, 4, 4, 4]]
    assert batch.tgt.tolist() == [[BOS, 4, 4, 4]]
    assert (batch.src_len.item(), batch.tgt_len.item()) == (4, 4)


def test_one_long_sentence_does_not_widen_the_other_batches():
    batches = Batches(numbered([(3, 3)] * 200 + [(500, 500)]), VOCAB, VOCAB, batch_size=8)
    assert sorted(batch.src.shape[1] for batch in batches)[-2:] == [3, 500]


@pytest.mark.parametrize("lengths", [(10_000, 3), (3, 10_000)])
def test_a_sentence_of_10_000_words_is_refused_unless_it_is_cut(lengths):
    with pytest.raises(ValueError, match=r"10000 words; .* 500: 'w"):
        Batches(numbered([lengths]), VOCAB, VOCAB)
    (batch,) = Batches(numbered([lengths]), VOCAB, VOCAB, cut=10)
    assert batch.src.shape[1] <= 10
    assert batch.tgt.shape[1] <= 10


def test_unknown_words_are_numbered_as_unknown():
    (batch,) = Batches([Pair("w0 new", "other w1")], VOCAB, VOCAB)
    assert VOCAB.decode(batch.src[0]) == ["w0", "<unk>"]
    assert VOCAB.decode(batch.tgt[0]) == ["<bos>", "<unk>", "w1", "<eos>"]


@pytest.mark.parametrize(
    ("pairs", "sizes", "named"),
    [
        ([], {}, "no sentence pairs"),
        (TWO_PAIRS, {"batch_size": 0}, "batch_size .* 0"),
        (TWO_PAIRS, {"batch_size": -4}, "batch_size .* -4"),
        (TWO_PAIRS, {"cut": 0}, "cut .* 0"),
        (TWO_PAIRS, {"cut": 1}, "cut .* 1"),
        (TWO_PAIRS, {"cut": -1}, "cut .* -1"),
        ([Pair(" \t", "x")], {}, r"' \\t'"),
        ([Pair("x", "  ")], {}, "'  '"),
    ],
)
def test_batches_that_cannot_be_made_say_why(pairs, sizes, named):
    with pytest.raises(ValueError, match=named):
        Batches(pairs, VOCAB, VOCAB, **sizes)


def test_pad_by_hand():
    padded, lengths = pad([[7], [8, 9]])
    assert padded.tolist() == [[7, PAD], [8, 9]] and lengths.tolist() == [1, 2]


# Where fra-eng comes from

ARCHIVE = zipped({"fra-eng/fra.txt": TWO, "fra-eng/_about.txt": "about"})


class Files(http.server.BaseHTTPRequestHandler):
    """/good has the archive; /short says that it is longer than it is; the rest is missing."""

    def do_GET(self):
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(ARCHIVE) + 9 * (self.path == "/short")))
        self.end_headers()
        self.wfile.write(ARCHIVE)

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture(scope="module")
def server():
    with serving(Files) as address:
        yield address


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, no data folder, and an address where nothing answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}/fra-eng.zip"
    monkeypatch.delenv("D2L_LITE_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(data, "FRA_ENG_URL", nowhere)
    monkeypatch.setattr(data, "FRA_ENG_SHA1", hashlib.sha1(ARCHIVE).hexdigest())
    return tmp_path / "cache" / "d2l_lite"


def put(folder, content=ARCHIVE):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fra-eng.zip").write_bytes(content)


def test_the_data_folder_comes_before_the_cache(cache, tmp_path, monkeypatch):
    put(cache, zipped({"cached.txt": "cache\tcache"}))
    assert load_pairs("fra-eng") == [Pair("cache", "cache")]
    monkeypatch.setenv("D2L_LITE_DATA", str(tmp_path / "folder"))
    assert find_fra_eng() == cache / "fra-eng.zip"
    put(tmp_path / "folder")
    assert find_fra_eng() == tmp_path / "folder" / "fra-eng.zip"
    assert load_pairs("fra-eng") == TWO_PAIRS


def test_a_download_is_kept_and_never_unpacked(cache, server, monkeypatch):
    monkeypatch.setattr(data, "FRA_ENG_URL", f"{server}/good")
    assert load_pairs("fra-eng") == TWO_PAIRS
    assert [path.name for path in cache.iterdir()] == ["fra-eng.zip"]
    assert (cache / "fra-eng.zip").read_bytes() == ARCHIVE
    monkeypatch.setattr(data, "FRA_ENG_URL", f"{server}/missing")
    assert load_pairs("fra-eng") == TWO_PAIRS


@pytest.mark.parametrize(
    ("page", "sha1", "why"),
    [
        ("good", "0" * 40, f"SHA-1 {hashlib.sha1(ARCHIVE).hexdigest()}, not {'0' * 40}"),
        ("short", None, "could not be downloaded"),
        ("missing", None, "404"),
    ],
)
def test_a_download_gone_wrong_leaves_nothing_behind(cache, server, monkeypatch, page, sha1, why):
    monkeypatch.setattr(data, "FRA_ENG_URL", f"{server}/{page}")
    # A body that is too short has a SHA-1 of its own.
    monkeypatch.setattr(data, "FRA_ENG_SHA1", sha1 or hashlib.sha1(ARCHIVE + b"x" * 9).hexdigest())
    with pytest.raises(FileNotFoundError, match=why):
        load_pairs("fra-eng")
    assert not list(cache.iterdir())


def test_offline_the_three_ways_to_get_it_are_named(cache):
    with pytest.raises(FileNotFoundError) as caught:
        load_pairs("fra-eng")
    message = str(caught.value)
    for way in ("Three ways", "go online", str(cache), "D2L_LITE_DATA", "mini-fra"):
        assert way in message
    assert not list(cache.iterdir())


# The real corpus

FRA_ENG = Path(os.environ.get("D2L_LITE_DATA", "")) / "fra-eng.zip"


@pytest.mark.skipif(not FRA_ENG.is_file(), reason="no fra-eng.zip in the folder $D2L_LITE_DATA")
def test_fra_eng_as_it_was_measured():
    """167,130 lines; of the first 50,000, 646 sentences with 1,033 references are for the test."""
    pairs = load_pairs("fra-eng")
    assert len(pairs) == 167_130
    assert pairs[0] == Pair("Go.", "Va !")
    first = load_pairs("fra-eng", num_examples=50_000)
    assert first == pairs[:50_000]
    split = split_pairs(first)
    assert len(split.test) == 1_033
    assert len({pair.source for pair in split.test}) == 646
    sources = [{" ".join(pair.source.lower().split()) for pair in part} for part in split]
    assert sources[0].isdisjoint(sources[1] | sources[2]) and sources[1].isdisjoint(sources[2])

"""Words: where they are cut, that nothing is lost, how they are numbered."""

import unicodedata
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from d2l_lite import BOS, EOS, PAD, UNK, Vocab, detokenize, tokenize
from d2l_lite.vocab import TOKEN, _cut, count_tokens

SENTENCES = {
    "I'm OK.": "i 'm ok .",
    "Don't! I can't, we won't": "do n't ! i ca n't , we wo n't",
    "Tom's dogs' tails": "tom 's dogs ' tails",
    "I'd've gone; they'll stay.": "i 'd 've gone ; they 'll stay .",
    "You shouldn't've gone.": "you should n't 've gone .",
    "L'ami n'est pas là.": "l' ami n' est pas là .",
    "Qu'est-ce que c'est ?": "qu' est -ce que c' est ?",
    "Vas-tu à l'école ?": "vas -tu à l' école ?",
    "Y a-t-il une peut-être grand-mère aujourd'hui ?": (
        "y a -t-il une peut-être grand-mère aujourd'hui ?"
    ),
    "Quelqu'un jusqu'ici, presqu'île": "quelqu'un jusqu' ici , presqu'île",
    "Donne-le-moi !": "donne -le -moi !",
    "At 5:30 it cost $1,234.50 (50%).": "at 5:30 it cost $ 1,234.50 ( 50 % ) .",
    "私はtomです。": "私 は tom で す 。",
    "<unk> is a word": "<unk> is a word",
    "  two\xa0kinds\u202fof\tspace ": "two kinds of space",
    "": "",
}

ENGLISH = "i dog Tom can it do 's 'm 'll don't couldn't $ 3.50 dogs'".split()
FRENCH = "l' qu' jusqu' n’ ami école aujourd'hui vas -tu -t-il « » là".split()
IDEOGRAPHS = ["日", "本"]
EITHER = '. , ! ? ( ) " … - — <unk> 10 %'.split()
SPACES = ("", " ", "\xa0")


def texts(pieces):
    """Any sequence of `pieces` with and without spaces: what a corpus may hold, and worse."""
    glued = st.tuples(st.sampled_from(pieces), st.sampled_from(SPACES)).map("".join)
    return st.lists(glued, max_size=8).map("".join)


@pytest.mark.parametrize(("text", "words"), SENTENCES.items())
def test_hand_cut_sentences(text, words):
    assert tokenize(text) == words.split()


@pytest.mark.parametrize("text", SENTENCES)
def test_detokenize_is_undone_by_tokenize(text):
    assert tokenize(detokenize(tokenize(text))) == tokenize(text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("l' ami n' est pas là .", "l'ami n'est pas là."),
        ("i do n't know tom 's ( big ) dog !", "i don't know tom's (big) dog!"),
        ("vas -tu ?", "vas-tu?"),
        ("c' qu' il dit", "c'qu'il dit"),
        ("日 本 語 。", "日本語 。"),
        ("", ""),
    ],
)
def test_detokenize_writes_as_a_reader_does(words, text):
    assert detokenize(words.split()) == text


@given(st.one_of(texts(ENGLISH + EITHER), texts(FRENCH + EITHER), texts(IDEOGRAPHS + EITHER)))
def test_words_survive_a_round_trip(text):
    words = tokenize(text)
    assert tokenize(detokenize(words)) == words


@given(st.one_of(st.text(max_size=20), texts(ENGLISH + FRENCH + IDEOGRAPHS + EITHER)))
def test_nothing_is_lost_but_case_and_space(text):
    lowered = unicodedata.normalize("NFC", text.lower()).replace("’", "'")
    assert "".join(tokenize(text)) == "".join(lowered.split())


@given(st.one_of(st.text(max_size=20), texts(ENGLISH + FRENCH + IDEOGRAPHS + EITHER)))
def test_no_word_is_empty_or_holds_a_space(text):
    assert all(word and not any(map(str.isspace, word)) for word in tokenize(text))


def test_one_word_however_its_accents_are_stored():
    """é is one code point, or an e and an accent; ' has a typographic form."""
    assert tokenize("e\u0301te\u0301 l’ami") == tokenize("été l'ami") == ["été", "l'", "ami"]


def test_vocab_numbers_frequent_words_first_and_ties_by_spelling():
    """Counts: a 3, b 2, c 2, d 1. The special words take 0 to 3, so a is 4, b 5, c 6."""
    vocab = Vocab.build([["c", "a", "b"], ["b", "a", "c"], ["a", "d"]], min_count=2)
    assert vocab.words == ["<pad>", "<bos>", "<eos>", "<unk>", "a", "b", "c"]
    assert len(vocab) == 7
    assert "a" in vocab and "d" not in vocab
    assert vocab.encode(["b", "d", "a"]) == [5, UNK, 4]
    assert vocab.decode([PAD, BOS, EOS, UNK, 6]) == ["<pad>", "<bos>", "<eos>", "<unk>", "c"]


def test_special_words_in_the_text_take_no_second_number():
    vocab = Vocab.build([["<unk>", "a", "<pad>"]])
    assert vocab.words[4:] == ["a"]
    assert vocab.encode(["<unk>"]) == [UNK]


@given(st.lists(st.lists(st.text("abcde", min_size=1, max_size=3), max_size=6), max_size=6))
def test_decode_undoes_encode(sentences):
    vocab = Vocab.build(sentences)
    for words in sentences:
        assert vocab.decode(vocab.encode(words)) == words


def test_numbers_may_come_from_a_tensor():
    assert Vocab(["a"]).decode(torch.tensor([4, 2])) == ["a", "<eos>"]


@pytest.mark.parametrize("number", [5, -1])
def test_a_number_outside_the_vocabulary_is_named(number):
    with pytest.raises(IndexError, match=rf"word number {number} .* 5 words"):
        Vocab(["a"]).decode([4, number])


@pytest.mark.parametrize("words", [["a", "b", "a"], ["b", "<pad>", "a", "<pad>"]])
def test_a_word_that_is_there_twice_is_named(words):
    with pytest.raises(ValueError, match=f"'{words[-1]}'.* twice"):
        Vocab(words)


@settings(max_examples=20)
@given(
    st.lists(st.text("aé'’- n\u0301\u2003", max_size=12) | st.sampled_from(["L’ami", "don't go"]))
)
def test_tokens_are_counted_as_if_all_were_cut(texts):
    counts = Counter(token for text in texts for token in tokenize(text))
    assert count_tokens(texts) == counts
    assert Vocab.of_counts(counts).words == Vocab.build(map(tokenize, texts)).words


@settings(max_examples=50)
@given(st.text() | st.text("aà'’- n\u0301\u2003\x85l1,.Σ", max_size=20))
def test_no_rule_looks_beyond_a_space(text):
    normal = unicodedata.normalize("NFC", text.lower()).replace("’", "'")
    assert tokenize(text) == TOKEN.findall(normal)


def test_what_is_remembered_of_a_corpus_has_a_limit():
    assert _cut.cache_info().maxsize == 1 << 16

"""Words: cut a sentence into tokens, number them, and put a sentence together again.

One rule set serves every language. Text is lower-cased and punctuation stands alone. The French
elisions (l', qu', ...), the pronouns after a hyphen (-vous, -t-il, ...) and the English clitics
('s, n't, ...) become tokens of their own, because a translation often moves them on their own.
Chinese and Japanese characters are one token each.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain, pairwise, zip_longest

PAD, BOS, EOS, UNK = range(4)
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")

_ELISION = r"(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu)'"
_CLITIC = r"'(?:s|m|re|ve|ll|d)(?!\w)"
_NEGATION = r"n't(?!\w)"
_PRONOUN = (
    r"-(?:t-)?(?:je|tu|ils?|elles?|on|nous|vous|ce|moi|toi|lui|leur|les?|la|là|ci|y|en)(?!\w)"
)
_IDEOGRAPH = r"[\u3040-\u30ff\u3400-\u9fff]"
# In many scripts (Hindi, Thai, vocalised Arabic) a letter carries marks, which are not \\w.
MARKS = "".join(chr(c) for c in range(0x300, 0x10000) if unicodedata.category(chr(c))[0] == "M")
_LETTER = rf"[^\W\u3040-\u30ff\u3400-\u9fff][{MARKS}]*"
# A word may hold an apostrophe or a hyphen (aujourd'hui, peut-être), but not one that begins a
# clitic or a pronoun; and it ends before n't.
_WORD = (
    rf"{_LETTER}(?:(?!{_NEGATION}){_LETTER}"
    rf"|(?!{_CLITIC})'(?={_LETTER})|(?!{_PRONOUN})-(?={_LETTER}))*"
)
TOKEN = re.compile(
    rf"{_IDEOGRAPH}|<unk>|\d+(?:[.,:]\d+)+|(?<!\w){_ELISION}(?=\w)"
    rf"|(?<=\w)(?:{_CLITIC}|{_NEGATION}|{_PRONOUN})|{_WORD}|[^\w\s]"
)
NO_SPACE_BEFORE = re.compile(rf"[.,!?;:)\]%…]|{_CLITIC}|{_NEGATION}|{_PRONOUN}")
NO_SPACE_AFTER = re.compile(rf"{_ELISION}|[(\[¿¡]")
IDEOGRAPHS = re.compile(rf"{_IDEOGRAPH}{{2}}")


def tokenize(text: str) -> list[str]:
    """Cut `text` into lower-cased tokens.

    >>> tokenize("I don't know Tom's friend.")
    ['i', 'do', "n't", 'know', 'tom', "'s", 'friend', '.']
    >>> tokenize("L’ami n'est pas là, vas-tu ?")
    ["l'", 'ami', "n'", 'est', 'pas', 'là', ',', 'vas', '-tu', '?']
    """
    return list(chain.from_iterable(map(_cut, _chunks(text))))


def count_tokens(texts: Iterable[str]) -> Counter[str]:
    """How often each token occurs in the texts. What occurs often need not be cut often."""
    counts: Counter[str] = Counter()
    for chunk, times in Counter(chain.from_iterable(map(_chunks, texts))).items():
        for token in _cut(chunk):
            counts[token] += times
    return counts


def _chunks(text: str) -> list[str]:
    """What stands between spaces, in lower case."""
    return unicodedata.normalize("NFC", text.lower()).replace("’", "'").split()


@lru_cache(maxsize=1 << 16)
def _cut(chunk: str) -> tuple[str, ...]:
    """The tokens of a chunk: no rule looks further than to the next space.

    A corpus of a million chunks has few different ones, so the last ones are remembered.
    """
    return tuple(TOKEN.findall(chunk))


def detokenize(tokens: Iterable[str]) -> str:
    """Put tokens of ordinary text together: cut again by `tokenize`, they are the same ones.

    >>> detokenize(["l'", 'ami', "n'", 'est', 'pas', 'là', '.'])
    "l'ami n'est pas là."
    """
    tokens = list(tokens)
    gaps = ["" if _is_glued(*pair) else " " for pair in pairwise(tokens)]
    return "".join(chain.from_iterable(zip_longest(tokens, gaps, fillvalue="")))


@cache
def _is_glued(left: str, right: str) -> bool:
    """Whether no space stands between two tokens, as a reader expects and `tokenize` can undo."""
    expected = (
        NO_SPACE_BEFORE.fullmatch(right)
        or NO_SPACE_AFTER.fullmatch(left)
        or IDEOGRAPHS.fullmatch(left + right)
    )
    # A clitic is one only after a letter, and an elision only before one.
    before = "" if left[0].isalnum() and left != "n't" else "b"
    after = "a" if right[-1] == "'" else ""
    tokens = tokenize(before + left + right + after)
    return bool(expected) and tokens[bool(before) :][:2] == [left, right]


class Vocab:
    """Words and their numbers. The four special words come first: <pad>, <bos>, <eos>, <unk>.

    Args:
        words: the words in the order of their numbers, the special words left out.

    Raises:
        ValueError: a word occurs twice.
    """

    def __init__(self, words: Iterable[str]):
        self.words = [*SPECIALS, *words]
        self._numbers = {word: number for number, word in enumerate(self.words)}
        if len(self._numbers) < len(self.words):
            twice = next(word for word, count in Counter(self.words).items() if count > 1)
            raise ValueError(f"the word {twice!r} is in the vocabulary twice")

    @classmethod
    def build(cls, sentences: Iterable[Sequence[str]], min_count: int = 1) -> "Vocab":
        """The words that occur `min_count` times or more in tokenised sentences, frequent first."""
        return cls.of_counts(Counter(chain.from_iterable(sentences)), min_count)

    @classmethod
    def of_counts(cls, counts: Counter[str], min_count: int = 1) -> "Vocab":
        """The tokens that were counted `min_count` times or more, frequent first."""
        counts = counts.copy()
        for special in SPECIALS:
            counts.pop(special, None)
        frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(word for word, count in frequent if count >= min_count)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The number of each token; a word that is not in the vocabulary becomes `UNK`."""
        return [self._numbers.get(token, UNK) for token in tokens]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """The word of each number.

        Raises:
            IndexError: a number is negative or not below the vocabulary's size.
        """
        numbers = [int(number) for number in numbers]
        for number in numbers:
            if not 0 <= number < len(self):
                raise IndexError(
                    f"word number {number} is outside a vocabulary of {len(self)} words"
                )
        return [self.words[number] for number in numbers]

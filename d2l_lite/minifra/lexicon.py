"""The words of mini-fra: three tables (`nouns.tsv`, `adjectives.tsv`, `verbs.tsv`), read once.

A `-` stands for a form or a use that a word does not have. The columns with several entries hold
*kinds*: the sorts of things a noun belongs to, an adjective describes, a verb takes as its subject
or object. A noun's own English word counts as one of its kinds, and `people` means any person.
"""

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple, TypeVar


class Noun(NamedTuple):
    en: str
    plural: str
    fr: str
    fr_plural: str
    gender: str
    h: str
    kinds: frozenset


class Adjective(NamedTuple):
    en: str
    m: str
    f: str
    m_plural: str
    f_plural: str
    m_vowel: str
    position: str
    attributive: frozenset
    predicative: frozenset

    def form(self, gender: str, plural: bool) -> str:
        """The French form that agrees with a noun of this gender and number."""
        if plural:
            return self.f_plural if gender == "f" else self.m_plural
        return self.f if gender == "f" else self.m


class Verb(NamedTuple):
    en: str
    third: str
    ing: str
    past: str
    particle: str
    je: str
    tu: str
    il: str
    ils: str
    participle: str
    aux: str
    frame: str
    present: str
    tenses: str
    subjects: frozenset
    objects: frozenset
    dets: str
    places: frozenset


Row = TypeVar("Row", Noun, Adjective, Verb)
_SETS = {"kinds", "attributive", "predicative", "subjects", "objects", "places"}


def _read(name: str, row_type: type[Row]) -> tuple[Row, ...]:
    """The rows of a table, in its order; a column named in `_SETS` becomes a set of kinds."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return tuple(
        row_type._make(kinds_of(row[c]) if c in _SETS else row[c] for c in row_type._fields)
        for row in rows
    )


def kinds_of(entry: str) -> frozenset[str]:
    """The kinds that an entry lists; `people` is any of person, kin and name."""
    return frozenset(entry.replace("people", "person kin name").split()) - {"-"}


NOUNS = tuple(n._replace(kinds=n.kinds | {n.en}) for n in _read("nouns.tsv", Noun))
ADJECTIVES = _read("adjectives.tsv", Adjective)
VERBS = _read("verbs.tsv", Verb)
ASPIRATED = {form for n in NOUNS if n.h == "aspirated" for form in (n.fr, n.fr_plural)}


@cache
def nouns_of(kinds: frozenset) -> tuple[Noun, ...]:
    """The nouns that belong to one of `kinds`, in the order of the table."""
    return tuple(noun for noun in NOUNS if noun.kinds & kinds)


@cache
def attributes_of(noun: Noun) -> tuple[Adjective, ...]:
    """The adjectives that may stand beside `noun`."""
    return tuple(adjective for adjective in ADJECTIVES if adjective.attributive & noun.kinds)


@cache
def predicates_of(kinds: frozenset) -> tuple[Adjective, ...]:
    """The adjectives that may follow `be` after a subject of these kinds."""
    return tuple(adjective for adjective in ADJECTIVES if adjective.predicative & kinds)


def elides(word: str) -> bool:
    """Whether `word` begins with a vowel sound, before which *le*, *de*, *que* … lose their e."""
    return word == "y" or (word[0] in "aeéêhioôœu" and word not in ASPIRATED)

"""Phrases built in two languages at once, each word carrying the links of its alignment.

A word is `(text, links)`, where `links` is an integer whose bits name meanings. An English and a
French word are aligned when they share a bit. Each meaning that a phrase adds takes a new bit, and
*du* (*de* + *le*) has the bits of both its parts, so that alignments survive every change of order.

What is linked to what:

- A noun, name, adjective, adverb, pronoun, preposition or punctuation mark: to its counterpart.
- An article, demonstrative, possessive or number: to the French determiner; *some* to both words of
  *de la*; the *a* or *any* of a negated object to *de*.
- *'s*: to *de* and to the French article that it replaces (*Tom's dog*: **le** chien **de** Tom).
- A verb, with its particle (*looking for*: *cherche*): to the French participle or finite verb, in
  an affirmative past to both (*ate*: *a mangé*).
- An auxiliary (*is*, *do*, *did*): to the French finite verb (*did eat*: *a* + *mangé*), and at the
  head of a question to *est-ce que* as well. *Is* as a main verb is treated alike.
- *n't* or *not*: to *ne* and to *pas*.

So every word of both languages is linked.
"""

from random import Random
from typing import NamedTuple

from d2l_lite.minifra.lexicon import Noun, Verb, attributes_of, elides, kinds_of, nouns_of

Words = list[tuple[str, int]]


class Phrase(NamedTuple):
    """A piece of sentence in both languages; the rest is for agreement."""

    en: Words
    fr: Words
    person: int = 2  # 0 to 3: je, tu, il or elle, ils or elles
    gender: str = "m"
    plural: bool = False
    kinds: frozenset = frozenset()


class Repeated(Exception):
    """The sentence cannot go on, most often because a word would come twice; it is dropped."""


SUBJECTS = (  # English, French, person, gender, plural; `I`, `you` and `they` count as masculine
    ("i", "je", 0, "m", False),
    ("you", "tu", 1, "m", False),
    ("he", "il", 2, "m", False),
    ("she", "elle", 2, "f", False),
    ("they", "ils", 3, "m", True),
)
OBJECTS = (  # English, French direct, French indirect, person, gender, plural
    ("me", "me", "me", 0, "m", False),
    ("you", "te", "te", 1, "m", False),
    ("him", "le", "lui", 2, "m", False),
    ("her", "la", "lui", 2, "f", False),
    ("them", "les", "leur", 3, "m", True),
)
DETERMINERS = {  # masculine, feminine, plural
    "the": ("le", "la", "les"),
    "this": ("ce", "cette", "ces"),
    "a": ("un", "une", "des"),
    "my": ("mon", "ma", "mes"),
    "your": ("ton", "ta", "tes"),
    "his": ("son", "sa", "ses"),
    "her": ("son", "sa", "ses"),
    "their": ("leur", "leur", "leurs"),
}
BEFORE_VOWEL = {"ce": "cet", "ma": "mon", "ta": "ton", "sa": "son"}
POSSESSIVES = ("my", "your", "his", "her", "their")
NUMBERS = (("two", "deux"), ("three", "trois"), ("four", "quatre"), ("five", "cinq"))
PASSING = ("dirty", "tired", "sick", "sad")
COLOURS = ("red", "green", "blue", "white", "black")
DETS = {  # what a noun phrase may begin with; "my": any possessive; "'s": somebody's
    "old": ("the", "the", "the", "this", "my", "'s"),
    "new": ("a",),
    "any": ("the", "the", "this", "a", "a", "a", "my", "'s"),
    "one": ("a", "a", "my", "'s"),
    "the": ("the",),
    "goods": ("the", "this", "a", "a"),
    "made": ("the", "a", "a"),
    "place": ("the", "the", "the", "my", "'s"),
    "owner": ("the", "the", "this"),
}
AVOIR = ("ai", "as", "a", "ont")
ETRE = ("suis", "es", "est", "sont")
ELIDED = {"je", "me", "te", "le", "la", "ne", "de", "que", "ce"}
CONTRACTED = {("à", "le"): "au", ("à", "les"): "aux", ("de", "le"): "du", ("de", "les"): "des"}
PEOPLE = kinds_of("person kin name")


class Grammar:
    """Builds phrases at random. Words already used in the sentence are not used again."""

    def __init__(self, seed: int):
        # `random()` is the one method whose numbers Python promises never to change.
        self.random = Random(seed).random
        self.reset()

    def reset(self):
        self.used = set()
        self.bit = 1
        self.elles = False  # whether *they* could be meant as *elles*

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def pick(self, options):
        return options[int(self.random() * len(options))]

    def unused(self, options):
        """One of `options` whose first entry or name is new to the sentence."""
        for _ in range(4):
            choice = self.pick(options)
            if choice[0] not in self.used:
                self.used.add(choice[0])
                return choice
        raise Repeated

    def link(self) -> int:
        self.bit <<= 1
        return self.bit

    def word(self, en: str, fr: str) -> Phrase:
        """English words and French words that mean the same, all linked to each other."""
        link = self.link()
        return Phrase([(w, link) for w in en.split()], [(w, link) for w in fr.split()])

    def before(self, en: str, fr: str, noun: Phrase) -> Phrase:
        """A preposition or a conjunction and what it stands before."""
        return join(self.word(en, fr), noun)

    # Noun phrases

    def noun_phrase(
        self, kinds, dets="any", negated=False, adjectives=0.35, plurals=0.3, avoid=()
    ) -> Phrase:
        """A noun of one of `kinds` with its determiner and adjectives, but none of `avoid`."""
        noun = self.unused(nouns_of(kinds))
        link = self.link()
        if "name" in noun.kinds:
            words = [(noun.en.lower(), link)], [(noun.fr.lower(), link)]
            return Phrase(*words, gender=noun.gender, kinds=noun.kinds)
        singular = dets == "one" or noun.plural == "-" or "place" in noun.kinds
        plural = not singular and self.chance(plurals)
        self.elles |= plural and noun.gender == "f"
        en, before, after = self.adjectives(noun, plural, adjectives, avoid)
        en = [*en, (noun.plural if plural else noun.en, link)]
        fr = [*before, (noun.fr_plural if plural else noun.fr, link), *after]
        choice = self.choose_determiner(noun, dets, plural)
        tail: Words = []
        if choice == "'s":
            det_en, det_fr, tail = self.possession(noun, plural)
        elif choice == "a":
            det_en, det_fr = self.indefinite(noun, plural, plural and bool(before), negated)
        else:
            det_en, det_fr = self.definite(noun, plural, choice, fr[0][0])
        agreement = 3 if plural else 2, noun.gender, plural, noun.kinds
        return Phrase(det_en + en, det_fr + fr + tail, *agreement)

    def adjectives(self, noun: Noun, plural: bool, chance: float, avoid) -> tuple[Words, ...]:
        """English adjectives, and the French ones before and after the noun: at most one each."""
        options = attributes_of(noun)
        if not options or not self.chance(chance):
            return [], [], []
        chosen = [self.pick(options)]
        if chosen[0].en in avoid:
            raise Repeated
        colours = [adjective for adjective in options if adjective.en in COLOURS]
        if colours and chosen[0].position == "before" and self.chance(0.2):
            chosen.append(self.pick(colours))
        en, before, after = [], [], []
        for adjective in chosen:
            link = self.link()
            en.append((adjective.en, link))
            form = adjective.form(noun.gender, plural)
            if adjective.position == "after":
                after.append((form, link))
            else:
                vowel = noun.gender == "m" and not plural and elides(noun.fr)
                before.append((adjective.m_vowel if vowel else form, link))
        return en, before, after

    def choose_determiner(self, noun: Noun, dets: str, plural: bool) -> str:
        choice = self.pick(DETS[dets])
        if "kin" in noun.kinds:  # somebody's sister, or a sister that one has
            if dets == "owner":
                return "my"
            return "a" if dets == "new" else self.pick(("my", "my", "'s"))
        alone = "owned" not in noun.kinds or (plural and "person" in noun.kinds)
        if choice in ("my", "'s") and alone:
            return "a" if dets == "one" else "the"
        return choice

    def possession(self, noun: Noun, plural: bool) -> tuple[Words, Words, Words]:
        """*Tom's*: *le* … *de Tom*. No long chain: not *my sister's brother's*."""
        kinds = ("name", "name", "kin", "person")
        kind = self.pick(kinds[:2] if noun.kinds & PEOPLE else kinds)
        owner = self.noun_phrase(frozenset((kind,)), "owner", adjectives=0.0, plurals=0.0)
        link = self.link()
        article = (DETERMINERS["the"][2 if plural else noun.gender == "f"], link)
        return [*owner.en, ("'s", link)], [article], [("de", link), *owner.fr]

    def definite(self, noun: Noun, plural: bool, choice: str, following: str):
        """*the*, *this* or a possessive; *ma* becomes *mon* where a vowel follows."""
        link = self.link()
        en = self.pick(POSSESSIVES) if choice == "my" else choice
        form = DETERMINERS[en][2 if plural else noun.gender == "f"]
        if elides(following):
            form = BEFORE_VOWEL.get(form, form)
        return [("these" if plural and en == "this" else en, link)], [(form, link)]

    def indefinite(self, noun: Noun, plural: bool, preposed: bool, negated: bool):
        """*a*, *some* or a number; *de* after *pas* and in *de belles fleurs*."""
        link = self.link()
        mass = "mass" in noun.kinds
        if plural and self.chance(0.4):
            en, form = self.pick(NUMBERS)
            return [(en, link)], [(form, link)]
        en = ("any" if negated else "some") if mass or plural else "a"
        if preposed or negated:
            return [(en, link)], [("de", link)]
        if mass:
            return [(en, link)], [("de", link), ("la" if noun.gender == "f" else "le", link)]
        return [(en, link)], [(DETERMINERS["a"][2 if plural else noun.gender == "f"], link)]

    def place(self, kinds) -> Phrase:
        """Where: *in* a garden, *at* a market, *on* a beach, *on* or *under* a table."""
        noun = self.noun_phrase(kinds, "place", adjectives=0.1, plurals=0.0)
        if "furniture" in noun.kinds:
            en, fr = self.pick((("on", "sur"), ("under", "sous")))
            return self.before(en, fr, noun)
        en = next(kind for kind in ("in", "at", "on") if kind in noun.kinds)
        return self.before(en, {"in": "dans", "at": "à", "on": "sur"}[en], noun)

    # Clauses

    def clause(
        self, subject, verb, past=False, negated=False, asked=0, clitic=None, rest=(), often=False,
        agree=None,
    ) -> Phrase:  # fmt: skip
        """Subject and verb, its pronoun (`clitic`), other complements and adverbs (`rest`).

        `asked` holds the links of *est-ce que* in a question, else 0; `agree` is a direct object
        that stands before the verb, with which a participle after *avoir* agrees.
        """
        main = self.link()
        negation = self.link() if negated else 0
        helper, words = english_verb(subject, verb, past, negated or asked, often)
        aux = self.link() if helper and words else main
        en = [(w, main) for w in words]
        adverb = self.word("often", "souvent") if often else Phrase([], [])
        no = [("not" if helper == "am" else "n't", negation)] if negated else []
        if asked:
            en = [(helper, aux | asked), *subject.en, *en]
        else:
            en = [*subject.en, *([(helper, aux)] if helper else []), *no, *adverb.en, *en]
        if clitic:
            en += clitic.en
        agree = subject if verb.aux == "être" else agree or (verb.frame == "object" and clitic)
        finite, participle = french_verb(subject, verb, past, agree)
        fr = [(w, asked) for w in ("est", "-ce", "que")] if asked else []
        fr += subject.fr + ([("ne", negation)] if negated else []) + (clitic.fr if clitic else [])
        fr.append((finite, aux if past else main | aux))
        fr += [("pas", negation)] if negated else []
        fr += adverb.fr + ([(participle, main)] if past else [])
        for phrase in rest:
            en += phrase.en
            fr += phrase.fr
        return Phrase(en, fr, subject.person, subject.gender, subject.plural, subject.kinds)


def join(*phrases: Phrase) -> Phrase:
    """The phrases one after the other; agreement is with the last."""
    en = [word for phrase in phrases for word in phrase.en]
    fr = [word for phrase in phrases for word in phrase.fr]
    return phrases[-1]._replace(en=en, fr=fr)


def english_verb(subject, verb, past, support, often) -> tuple[str, list[str]]:
    """The auxiliary ("" for none) and the other words of an English verb."""
    third = subject.person == 2 and not subject.plural
    particle = [verb.particle] if verb.particle != "-" else []
    be = "are" if subject.plural or subject.person == 1 else ("am", "", "is")[subject.person]
    if verb.present == "be":
        return be, []
    if past:
        return ("did", [verb.en, *particle]) if support else ("", [verb.past, *particle])
    if verb.present == "progressive" and not often:
        return be, [verb.ing, *particle]
    if support:
        return ("does" if third else "do"), [verb.en, *particle]
    return "", [verb.third if third else verb.en, *particle]


def french_verb(subject: Phrase, verb: Verb, past: bool, agree) -> tuple[str, str]:
    """The finite verb and the participle ("" in the present), which agrees with `agree`."""
    if not past:
        return (verb.je, verb.tu, verb.il, verb.ils)[subject.person], ""
    form = verb.participle
    if agree:
        form += "e" * (agree.gender == "f") + "s" * agree.plural
    return (ETRE if verb.aux == "être" else AVOIR)[subject.person], form


def elide(words: Words) -> Words:
    """*le arbre* becomes *l' arbre*, and then *de le* becomes *du*, with the links of both."""
    written: Words = []
    for i, (text, links) in enumerate(words):
        if text in ELIDED and i + 1 < len(words) and elides(words[i + 1][0]):
            text = text[:-1] + "'"
        if written and (contracted := CONTRACTED.get((written[-1][0], text))):
            text, links = contracted, links | written.pop()[1]
        written.append((text, links))
    return written


def a_or_an(words: Words) -> Words:
    """*a apple* becomes *an apple*."""
    following = [*words[1:], (".", 0)]
    return [
        ("an" if text == "a" and after[0] in "aeiou" else text, links)
        for (text, links), (after, _) in zip(words, following, strict=True)
    ]

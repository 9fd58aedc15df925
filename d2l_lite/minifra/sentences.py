"""What mini-fra says: the sentences of both corpora, and `generate`."""

import re

from d2l_lite.minifra.clauses import (
    BE,
    BE_AS_HAVE,
    IDIOMS,
    MOVABLE,
    OBTAINING,
    ONGOING,
    PAST,
    PRESENT,
    USING,
    Clauses,
    verbs_among,
)
from d2l_lite.minifra.grammar import (
    PASSING,
    PEOPLE,
    SUBJECTS,
    Phrase,
    Repeated,
    Words,
    a_or_an,
    elide,
    join,
)
from d2l_lite.minifra.lexicon import NOUNS, VERBS, kinds_of, nouns_of, predicates_of
from d2l_lite.vocab import detokenize

Aligned = tuple[str, str, tuple[tuple[int, int], ...]]  # source, target, linked words

SHORT_PAIRS, LONG_PAIRS, MOST_PAIRS = 11_000, 12_000, 30_000
SHORT_WORDS, LONG_WORDS = 12, 30

OPINIONS = [verb for verb in VERBS if verb.frame == "that"]
ASKABLE = [v for v in ONGOING if v.frame == "object" and not v.objects >= PEOPLE]
COMMANDS = [v for v in ONGOING if v.frame == "object" and v.dets == "old"]
TIRING = verbs_among(ONGOING, "work play sing read write wash help go eat talk")
WEARY = [adjective for adjective in predicates_of(PEOPLE) if adjective.en in ("tired", "sick")]
NEEDS = dict(zip(("eat", "drink"), IDIOMS, strict=False))  # one is hungry, thirsty
DOING = [verb for verb in ONGOING if verb.en not in ("arrive", "leave")]
SHOWN = kinds_of("kin thing vehicle animal place")
QUESTION_WORDS = (
    ("who", "qui"), ("what", "que"), ("where", "où"), ("when", "quand"), ("why", "pourquoi"),
)  # fmt: skip
MARKS = {"question": "?", "open_question": "?", "command": "!"}
SHORT_KINDS = (
    *("statement",) * 13, "question", "question", "open_question", "command", "there_is", "this_is",
)  # fmt: skip
LONG_KINDS = (  # a method, the number of clauses, how likely a noun takes a relative clause
    *(("short", 1, 0.0),) * 7,
    ("because", 2, 0.0), ("because", 2, 0.3), ("follow_up", 2, 0.0), ("follow_up", 2, 0.4),
    ("several", 1, 0.0), ("several", 2, 0.0), ("several", 2, 0.4), ("several", 2, 0.7),
    *(("several", 3, 0.0), ("several", 3, 0.4)) * 3, ("several", 4, 0.0), ("several", 4, 0.0),
    ("opinion", 1, 0.3), ("opinion", 2, 0.0), ("opinion", 2, 0.4), ("opinion", 2, 0.7),
    ("opinion", 3, 0.0), ("opinion", 3, 0.4),
)  # fmt: skip
_NAMES = "|".join(f"{noun.en}|{noun.fr}" for noun in NOUNS if "name" in noun.kinds).lower()
ENGLISH_CAPITALS = re.compile(rf"^.|\b(?:i|{_NAMES})\b")
FRENCH_CAPITALS = re.compile(rf"^.|\b(?:{_NAMES})\b")


class Sentences(Clauses):
    """Sentences without their final mark; `pair` adds it."""

    # Short sentences

    def statement(self) -> Phrase:
        negated = self.chance(0.25)
        if self.chance(0.25):
            return self.state(negated)
        return self.event(self.pick((PAST, PRESENT)), negated=negated)

    def question(self) -> Phrase:
        asked = self.link()
        if self.chance(0.3):
            return self.state(asked=asked)
        return self.event(self.pick((PAST, PRESENT)), asked=asked)

    def open_question(self) -> Phrase:
        """*who*, *what*, *where*, *when* and *why*."""
        en, fr = self.pick(QUESTION_WORDS)
        word = self.word(en, fr)
        if en == "who":
            return self.event(self.pick((PAST, PRESENT)), word._replace(kinds=PEOPLE))
        if en == "where" and self.chance(0.5):
            noun = self.noun_phrase(MOVABLE, "old")
            where = word._replace(plural=noun.plural, person=noun.person)
            return join(self.clause(where, BE), noun)
        asked, past = self.link(), en == "when" or self.chance(0.5)
        if en == "what":
            nothing = Phrase([], [])
            return join(word, self.event(ASKABLE, None, past, asked=asked, antecedent=nothing))
        verbs = PAST if past else ONGOING
        if en == "where":  # nothing that has a place already
            verbs = [v for v in verbs if v.places and v.frame not in ("to", "from", "at")]
        return join(word, self.event(verbs, None, past, asked=asked, where=False))

    def command(self) -> Phrase:
        """*Open the door!* To one person, as *you* always is."""
        verb = self.verb(COMMANDS)
        link, negation = self.link(), self.link() if self.chance(0.25) else 0
        en = [(word, link) for word in (verb.en, verb.particle) if word != "-"]
        fr = [(verb.je, link)]
        if negation:
            en = [("do", link), ("n't", negation), *en]
            fr = [("ne", negation), *fr, ("pas", negation)]
        return join(Phrase(en, fr), self.noun_phrase(verb.objects, "old"))

    def there_is(self) -> Phrase:
        negated = self.chance(0.2)
        kinds = self.pick((MOVABLE - PEOPLE, kinds_of("person")))
        noun = self.noun_phrase(kinds, "new", negated)
        there = self.word("there", "il y")
        subject, y = there._replace(fr=there.fr[:1], plural=noun.plural), Phrase([], there.fr[1:])
        rest = [noun, self.place(self.whereabouts(noun))]
        return self.clause(subject, BE_AS_HAVE, negated=negated, clitic=y, rest=rest)

    def this_is(self) -> Phrase:
        noun = self.noun_phrase(SHOWN, "one")
        return self.clause(self.word("this", "ce"), BE, negated=self.chance(0.2), rest=[noun])

    # Long sentences

    def several(self, clauses: int, that=False) -> Phrase:
        """Clauses side by side: *A, B and C*; *A while B*; *that A and that B*."""
        verbs, together = self.pick((PAST, DOING)), False
        phrases: list[Phrase] = []
        for left in range(clauses, 0, -1):
            if phrases:
                together = verbs is DOING and clauses == 2 and self.chance(0.5)
                words = ("while", "pendant que") if together else ("and", "et")
                phrases.append(self.word(*(words if left == 1 else (",", ","))))
            if that and not together:
                phrases.append(self.word("that", "que"))
            # Later on not *he*, who could not do two things at a time, or would have to be someone.
            subject = self.subject(PEOPLE, rows=SUBJECTS[:2]) if left < clauses else None
            phrases.append(self.event(verbs, subject))
        return join(*phrases)

    def opinion(self, clauses: int) -> Phrase:
        verb = self.verb(OPINIONS)
        subject = self.subject(PEOPLE, rows=SUBJECTS[2 if verb.en == "say" else 0 :])
        return join(self.clause(subject, verb), self.several(clauses, that=True))

    def because(self, clauses: int) -> Phrase:
        """*Tom isn't working because he is tired*; *Anna is eating because she is hungry*."""
        need = self.pick((None, *NEEDS))
        verbs = verbs_among(ONGOING, need) if need else TIRING
        event = self.event(verbs, past=False, negated=not need, where=not need)
        who = self.pronoun_for(event)
        if need:
            feeling = self.word(*NEEDS[need])
        else:
            adjective = self.pick(WEARY)
            feeling = self.word(adjective.en, adjective.form(who.gender, who.plural))
        reason = self.clause(who, BE_AS_HAVE if need else BE, rest=[feeling])
        return join(event, self.word("because", "parce que"), reason)

    def follow_up(self, clauses: int) -> Phrase:
        """*Tom bought an apple and he ate it* (*but he didn't eat it*)."""
        first, second = self.verb(OBTAINING), self.verb(USING)
        subject = self.subject(PEOPLE)
        both = frozenset(n.en for n in nouns_of(first.objects) if n.kinds & second.objects)
        if not both:
            raise Repeated
        noun = self.thing(both, first.dets, avoid=PASSING)
        before = self.clause(subject, first, past=True, rest=[noun])
        negated = self.chance(0.4) and second.en != "lose"
        conjunction = self.word("but", "mais") if negated else self.word("and", "et")
        again, it = self.pronoun_for(subject), self.object_for(noun)
        after = self.clause(again, second, True, negated, clitic=it)
        return join(before, conjunction, after)

    def pair(self, long: bool) -> Aligned:
        """A sentence in both languages and its alignment."""
        self.reset()
        kind, clauses, self.relatives = self.pick(LONG_KINDS) if long else ("short", 1, 0.0)
        if kind == "short":
            kind = self.pick(SHORT_KINDS)
            phrase = getattr(self, kind)()
        else:
            phrase = getattr(self, kind)(clauses)
        mark = MARKS.get(kind, ".")
        end = self.word(mark, mark)
        en, fr = a_or_an(phrase.en + end.en), elide(phrase.fr + end.fr)
        if max(len(en), len(fr)) > (LONG_WORDS if long else SHORT_WORDS):
            raise Repeated
        return aligned(en, fr)


def aligned(en: Words, fr: Words) -> Aligned:
    """Two finished sentences as text, and the positions of words that share a link."""
    french = [links for _, links in fr]
    links = [(i, j) for i, (_, mine) in enumerate(en) for j, its in enumerate(french) if mine & its]
    return written(en, ENGLISH_CAPITALS), written(fr, FRENCH_CAPITALS), tuple(links)


def written(words, capitals) -> str:
    """The sentence as one writes it, with capitals and, in French, a space before ? and !."""
    text = capitals.sub(lambda m: m[0].capitalize(), detokenize(word for word, _ in words))
    if capitals is FRENCH_CAPITALS and text[-1] in "?!":
        text = f"{text[:-1]}\u202f{text[-1]}"  # a narrow no-break space
    return text


def generate(num_pairs: int | None = None, seed: int = 0, long: bool = False) -> list[Aligned]:
    """Distinct sentence pairs with their word alignments, in random order.

    Args:
        num_pairs: how many, 1 to 30,000; by default 11,000 short or 12,000 long pairs. The first N
            pairs are the same however many are asked for.
        seed: another seed gives other sentences; the same seed gives the same on every platform.
        long: ask for sentences of up to 30 words, with relative clauses and several clauses.

    Returns:
        `(source, target, alignment)` triples: an English and a French sentence, and the sorted
        pairs (source word, target word) of positions after `tokenize`, from 0.

    Raises:
        ValueError: num_pairs is not between 1 and 30,000.
    """
    if num_pairs is None:
        num_pairs = LONG_PAIRS if long else SHORT_PAIRS
    if not 1 <= num_pairs <= MOST_PAIRS:
        raise ValueError(f"num_pairs must be between 1 and {MOST_PAIRS:,}, not {num_pairs}")
    sentences = Sentences(seed)
    pairs: dict[tuple[str, str], Aligned] = {}
    while len(pairs) < num_pairs:
        try:
            pair = sentences.pair(long)
        except Repeated:
            continue
        pairs.setdefault(pair[:2], pair)
    return list(pairs.values())

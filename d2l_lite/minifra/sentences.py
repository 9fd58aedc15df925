"""What mini-fra says: clauses that make sense, the sentences of both corpora, and the corpora.

French has one form for each English sentence. *You* is always *tu*; *I*, *you* and *they* count as
masculine, but *they* after *because* or as a second mention takes the gender of what it stands
for, as *it* does; a question is asked with *est-ce que*. The simple past is the passé composé, and
the present progressive is the present.
"""

import re

from d2l_lite.minifra.grammar import (
    NUMBERS,
    OBJECTS,
    PEOPLE,
    SUBJECTS,
    Grammar,
    Phrase,
    Repeated,
    a_or_an,
    elide,
    join,
)
from d2l_lite.minifra.lexicon import NOUNS, VERBS, nouns_of, predicates_of
from d2l_lite.vocab import detokenize

SHORT_PAIRS, LONG_PAIRS, MOST_PAIRS = 11_000, 13_000, 30_000
SHORT_WORDS, LONG_WORDS = 12, 30

BE = next(verb for verb in VERBS if verb.frame == "be")
BE_AS_HAVE = next(verb for verb in VERBS if verb.en == "have")._replace(present="be", frame="be")
EVENTS = [verb for verb in VERBS if verb.frame not in ("be", "that")]
PAST = [verb for verb in EVENTS if verb.tenses != "present"]
PRESENT = [verb for verb in EVENTS if verb.tenses != "past"]
ONGOING = [verb for verb in PRESENT if verb.present == "progressive" and verb.tenses == "both"]
LASTING = [verb for verb in PRESENT if verb not in ONGOING]  # loves, knows, is wearing …
OPINIONS = [verb for verb in VERBS if verb.frame == "that"]
ASKABLE = [v for v in ONGOING if v.frame == "object" and not v.objects >= PEOPLE]
COMMANDS = [v for v in ONGOING if v.frame == "object" and v.dets == "old"]
TOLD = [verb for verb in PAST if verb.en not in ("leave", "go", "see", "look", "want")]
OBTAINING = [verb for verb in PAST if verb.en in ("buy", "find")]
USING = [v for v in PAST if v.en in ("eat", "drink", "read", "wash", "lose", "open")]
HANDLING = [*OBTAINING, *USING, *(v for v in PAST if v.en in ("write", "close", "sing"))]
MEETING = [v for v in PAST if v.objects >= PEOPLE and v.frame == "object"]
TIRING = [v for v in ONGOING if v.en in "work play sing read write wash help go eat talk".split()]

NAMES, FURNITURE = frozenset(("name",)), frozenset(("furniture",))
THINGS = frozenset("thing furniture place vehicle animal mass opening song".split())
MOVABLE = frozenset("thing animal kin name person".split())
SHOWN = frozenset("kin thing vehicle animal place".split())
PLACES = {  # where a subject of this kind can be or do something; people anywhere
    "pet": frozenset(("garden", "house", "kitchen")),
    "animal": frozenset(("garden", "park")),
    "dish": frozenset(("kitchen",)),
    "transport": frozenset(("station",)),
}
ANYWHERE = frozenset(("in", "at", "beach"))
IDIOMS = (("hungry", "faim"), ("thirsty", "soif"), ("right", "raison"), ("afraid", "peur"))
AGES = (*NUMBERS[2:], ("six", "six"), ("ten", "dix"))
QUESTION_WORDS = (
    ("who", "qui"), ("what", "que"), ("where", "où"), ("when", "quand"), ("why", "pourquoi"),
)  # fmt: skip
MARKS = {"question": "?", "open_question": "?", "command": "!"}
SHORT_KINDS = (
    *("statement",) * 13, "question", "question", "open_question", "command", "there_is", "this_is",
)  # fmt: skip
LONG_KINDS = (  # a method, the number of clauses, how likely a noun takes a relative clause
    *(("short", 1, 0.0),) * 3,
    ("because", 2, 0.0), ("because", 2, 0.3), ("follow_up", 2, 0.0), ("follow_up", 2, 0.4),
    ("several", 1, 0.0), ("several", 2, 0.0), ("several", 2, 0.4), ("several", 2, 0.7),
    *(("several", 3, 0.0), ("several", 3, 0.4)) * 3, ("several", 4, 0.0), ("several", 4, 0.0),
    ("opinion", 1, 0.3), ("opinion", 2, 0.0), ("opinion", 2, 0.4), ("opinion", 2, 0.7),
    ("opinion", 3, 0.0), ("opinion", 3, 0.4),
)  # fmt: skip
_NAMES = "|".join(f"{noun.en}|{noun.fr}" for noun in NOUNS if "name" in noun.kinds).lower()
ENGLISH_CAPITALS = re.compile(rf"^.|\b(?:i|{_NAMES})\b")
FRENCH_CAPITALS = re.compile(rf"^.|\b(?:{_NAMES})\b")


class Sentences(Grammar):
    """Clauses that make sense, and the sentences of both corpora without their final mark."""

    relatives = 0.0  # how likely a noun with an article takes a relative clause

    def drop(self):
        raise Repeated

    # Noun phrases that depend on what was said before

    def subject(self, kinds, new=False, rows=SUBJECTS, adjectives=0.2) -> Phrase:
        """Who or what a verb is said of; `rows`: the pronouns it may be."""
        if kinds >= PEOPLE and self.chance(0.35):
            rows = [r for r in rows if r[0] not in self.used and not (r[4] and self.elles)]
            row = self.pick(rows) if rows else self.drop()
            self.used |= {row[0]} if row[2] < 2 else set()
            return self.pronoun(row)
        if kinds >= PEOPLE and self.chance(0.35):
            kinds = NAMES
        dets = "any" if new and self.chance(0.3) else "old"
        return self.thing(kinds, dets, adjectives=adjectives)

    def pronoun(self, row) -> Phrase:
        en, fr, person, gender, plural = row
        return self.word(en, fr)._replace(person=person, gender=gender, plural=plural, kinds=PEOPLE)

    def pronoun_for(self, noun: Phrase, forms=("il", "elle", "ils", "elles")) -> Phrase:
        """A second mention: *it* has the gender of the French noun."""
        if noun.person < 2:
            return self.pronoun(SUBJECTS[noun.person])
        thing = "it" if forms[0] == "le" or not noun.kinds & PEOPLE else ""
        en = "they" if noun.plural else thing or ("she" if noun.gender == "f" else "he")
        if forms[0] == "le":
            en = "them" if noun.plural else "it"
        fr = forms[2 * noun.plural + (noun.gender == "f")]
        return self.word(en, fr)._replace(
            person=noun.person, gender=noun.gender, plural=noun.plural, kinds=noun.kinds
        )

    def clitic(self, subject: Phrase, indirect: bool) -> Phrase:
        """An object pronoun, for a person who is not the subject."""
        options = [row for row in OBJECTS if row[3] != subject.person or row[3] == 2]
        en, direct, dative, *agreement = self.pick(options)
        if en == "them" and self.elles:
            self.drop()
        return self.pronoun((en, dative if indirect else direct, *agreement))

    def thing(self, kinds, dets="any", negated=False, adjectives=0.35) -> Phrase:
        """A noun phrase, sometimes with a relative clause."""
        if dets not in ("any", "old") or not self.chance(self.relatives):
            return self.noun_phrase(kinds, dets, negated, adjectives)
        noun = self.noun_phrase(kinds, "the", adjectives=adjectives)
        if noun.kinds & {"mass", "place", "kin", "name"}:
            return noun
        self.relatives, before = 0.0, self.relatives
        noun = self.relative(noun)
        self.relatives = before
        return noun

    def relative(self, noun: Phrase) -> Phrase:
        """The noun with *who*: *qui* as subject, or with *that*: *que* as object."""
        if "person" in noun.kinds and self.chance(0.6):
            who = self.word("who", "qui")
            clause = self.event(self.pick((TOLD, LASTING)), noun._replace(en=who.en, fr=who.fr))
        else:
            verbs = MEETING if "person" in noun.kinds else HANDLING
            verbs = [verb for verb in verbs if verb.objects & noun.kinds] or self.drop()
            which = self.word("that", "que")
            subject = self.subject(self.pick((NAMES, PEOPLE)))
            clause = join(which, self.event(verbs, subject, past=True, antecedent=noun))
        return noun._replace(en=noun.en + clause.en, fr=noun.fr + clause.fr)

    # Clauses

    def verb(self, verbs, subject=None):
        """A verb new to the sentence, which can be said of `subject`."""
        if subject:
            verbs = [verb for verb in verbs if verb.subjects & subject.kinds]
        verb = self.pick(verbs) if verbs else self.drop()
        if verb.participle in self.used:
            self.drop()
        self.used.add(verb.participle)
        return verb

    def event(
        self, verbs, subject=None, past=None, negated=False, asked=0, where=True, antecedent=None
    ) -> Phrase:
        """Something that happens or happened: a verb with its complements and adverbs.

        `antecedent`: the direct object where it stands before, in a question or a relative clause.
        """
        past = verbs in (PAST, TOLD) if past is None else past
        verb = self.verb(verbs, subject)
        plain = where and not (negated or asked)
        subject = subject or self.subject(verb.subjects, plain, SUBJECTS[1 if asked else 0 :])
        places = self.places(verb, subject)
        clitic, rest = self.complements(verb, subject, places, negated, antecedent)
        if where and verb.frame not in ("to", "from", "at") and self.chance(0.25 * bool(places)):
            rest.append(self.place(places))
        often = False
        if where and past and self.chance(0.12):
            rest.append(self.word(*self.unused((("yesterday", "hier"),))))
        elif plain and not past and verb in ONGOING and self.chance(0.15):
            often = verb.past != verb.en and self.chance(0.5)
            rest += [] if often else [self.word(*self.unused((("now", "maintenant"),)))]
        return self.clause(subject, verb, past, negated, asked, clitic, rest, often, antecedent)

    def places(self, verb, subject):
        """The places where `subject` can do this."""
        kind = next((kind for kind in PLACES if kind in subject.kinds), None)
        if not kind or not verb.places:
            return verb.places
        return frozenset(n.en for n in nouns_of(verb.places) if n.kinds & PLACES[kind])

    def complements(self, verb, subject, places, negated, antecedent):
        """The pronoun before the French verb, or None, and what stands after it."""
        clitic, rest = None, []
        if verb.frame == "object" and not antecedent:
            if verb.objects >= PEOPLE and self.chance(0.4):
                clitic = self.clitic(subject, indirect=False)
            else:
                rest.append(self.thing(verb.objects, verb.dets, negated))
        elif verb.frame in ("give", "dative"):
            if self.chance(0.5):
                clitic = self.clitic(subject, indirect=True)
            if verb.frame == "give":
                rest.append(self.noun_phrase(verb.objects, verb.dets, negated))
            elif clitic:
                clitic = clitic._replace(en=[("to", clitic.en[0][1]), *clitic.en])
            if not clitic:
                rest.append(self.before("to", "à", self.noun_phrase(PEOPLE, "old", adjectives=0.1)))
        elif verb.frame in ("to", "from"):
            french = "à" if verb.frame == "to" else "de"
            rest.append(self.before(verb.frame, french, self.noun_phrase(places, "old")))
        elif verb.frame == "at":
            rest.append(self.place(places))
        return clitic, rest

    def state(self, negated=False, asked=0) -> Phrase:
        """How or where somebody or something is."""
        kind = self.pick(("adjective", "adjective", "adjective", "place", "idiom", "age"))
        kinds = {"adjective": self.pick((PEOPLE, THINGS)), "place": MOVABLE}.get(kind, PEOPLE)
        noun = self.subject(kinds, adjectives=0.2 * (kind == "place"))
        if kind == "adjective":
            options = predicates_of(NAMES if noun.kinds == PEOPLE else noun.kinds)
            adjective = self.unused(options) if options else self.drop()
            said = [self.word(adjective.en, adjective.form(noun.gender, noun.plural))]
        elif kind == "place":
            said = [self.place(self.whereabouts(noun))]
        elif kind == "idiom":
            said = [self.word(*self.unused(IDIOMS))]
        else:
            said = [self.word(*self.pick(AGES)), self.word("years old", "ans")]
        verb = BE if kind in ("adjective", "place") else BE_AS_HAVE
        return self.clause(noun, verb, False, negated, asked, rest=said)

    def whereabouts(self, noun: Phrase) -> frozenset:
        if noun.kinds & PEOPLE:
            return ANYWHERE
        return next((PLACES[k] for k in ("pet", "animal") if k in noun.kinds), FURNITURE)

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
        return join(word, self.event(PAST if past else ONGOING, asked=asked, where=False))

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
        kinds = self.pick((MOVABLE - PEOPLE, frozenset(("person",))))
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
        verbs = self.pick((PAST, ONGOING))
        phrases = []
        for left in range(clauses, 0, -1):
            if phrases:
                together = verbs is ONGOING and clauses == 2 and self.chance(0.5)
                words = ("while", "pendant que") if together else ("and", "et")
                phrases.append(self.word(*(words if left == 1 else (",", ","))))
                # Nobody does two things at a time: in the present, *he* could be the one before.
                rows = SUBJECTS if verbs is PAST else SUBJECTS[:2]
                subject = self.subject(PEOPLE, rows=rows)
            else:
                together, subject = False, None
            if that and not together:
                phrases.append(self.word("that", "que"))
            phrases.append(self.event(verbs, subject))
        return join(*phrases)

    def opinion(self, clauses: int) -> Phrase:
        verb = self.verb(OPINIONS)
        return join(self.clause(self.subject(PEOPLE), verb), self.several(clauses, that=True))

    def because(self, clauses: int) -> Phrase:
        """*Tom isn't working because he is tired*; *Anna is eating an apple because she is hungry*."""
        verb = self.pick((None, *ONGOING[:2]))
        event = self.event([verb] if verb else TIRING, past=False, negated=not verb, where=not verb)
        who = self.pronoun_for(event)
        if verb:
            feeling = self.word(*IDIOMS[ONGOING.index(verb)])
        else:
            adjective = self.pick([a for a in predicates_of(PEOPLE) if a.en in ("tired", "sick", "sad")])
            feeling = self.word(adjective.en, adjective.form(who.gender, who.plural))
        reason = self.clause(who, BE_AS_HAVE if verb else BE, rest=[feeling])
        return join(event, self.word("because", "parce que"), reason)

    def follow_up(self, clauses: int) -> Phrase:
        """*Tom bought an apple and he ate it* (*but he didn't eat it*)."""
        first, second = self.verb(OBTAINING), self.verb(USING)
        subject = self.subject(PEOPLE)
        both = frozenset(n.en for n in nouns_of(first.objects) if n.kinds & second.objects)
        noun = self.thing(both or self.drop())
        before = self.clause(subject, first, past=True, rest=[noun])
        negated = self.chance(0.4) and second.en != "lose"
        conjunction = self.word("but", "mais") if negated else self.word("and", "et")
        it = self.pronoun_for(noun, ("le", "la", "les", "les"))
        after = self.clause(self.pronoun_for(subject), second, True, negated, clitic=it)
        return join(before, conjunction, after)

    def pair(self, long: bool) -> tuple[str, str, tuple[tuple[int, int], ...]]:
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
            self.drop()
        links = tuple((i, j) for i, (_, a) in enumerate(en) for j, (_, b) in enumerate(fr) if a & b)
        return written(en, ENGLISH_CAPITALS), written(fr, FRENCH_CAPITALS), links


def written(words, capitals) -> str:
    """The sentence as one writes it, with capitals and, in French, a space before ? and !."""
    text = capitals.sub(lambda m: m[0].capitalize(), detokenize(word for word, _ in words))
    if capitals is FRENCH_CAPITALS and text[-1] in "?!":
        text = f"{text[:-1]}\u202f{text[-1]}"  # a narrow no-break space
    return text


def generate(num_pairs: int | None = None, seed: int = 0, long: bool = False) -> list[tuple]:
    """Distinct sentence pairs with their word alignments, in random order.

    Args:
        num_pairs: how many, 1 to 30,000; by default 11,000 short or 13,000 long pairs. The first N
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
    sentences, pairs = Sentences(seed), {}
    while len(pairs) < num_pairs:
        try:
            pair = sentences.pair(long)
        except Repeated:
            continue
        pairs.setdefault(pair[:2], pair)
    return list(pairs.values())

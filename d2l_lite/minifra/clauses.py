"""Clauses that make sense: who does what to whom and where, or how something is.

French has one form for each English clause. The present progressive is the present, the simple
past is the passé composé. *You* is always *tu*. *I*, *you* and *they* count as masculine, but
where *they*, *them* or *it* is a second mention, it takes the gender of what it stands for; *they*
and *them* are said of nobody else once a feminine plural has been mentioned.
"""

from d2l_lite.minifra.grammar import (
    NUMBERS,
    OBJECTS,
    PASSING,
    PEOPLE,
    SUBJECTS,
    Grammar,
    Phrase,
    Repeated,
    join,
)
from d2l_lite.minifra.lexicon import VERBS, Verb, kinds_of, nouns_of, predicates_of

EVENTS = [verb for verb in VERBS if verb.frame not in ("be", "that")]
PAST = [verb for verb in EVENTS if verb.tenses != "present"]
PRESENT = [verb for verb in EVENTS if verb.tenses != "past"]
ONGOING = [verb for verb in PRESENT if verb.present == "progressive" and verb.tenses == "both"]
LASTING = [v for v in PRESENT if v not in ONGOING and v.en != "see"]  # loves, is wearing …


def verbs_among(verbs: list[Verb], words: str) -> list[Verb]:
    """Those of `verbs` whose English word is one of `words`."""
    return [verb for verb in verbs if verb.en in words.split()]


BE = next(verb for verb in VERBS if verb.frame == "be")
BE_AS_HAVE = verbs_among(PRESENT, "have")[0]._replace(present="be", frame="be")  # *is hungry*
HABITS = verbs_among(ONGOING, "talk go come stay play sleep work help wait listen")
TOLD = [verb for verb in PAST if verb.en not in ("leave", "go", "see", "look")]
OBTAINING = verbs_among(PAST, "buy find")
USING = verbs_among(PAST, "eat drink read wash lose open")
HANDLING = [*OBTAINING, *USING, *verbs_among(PAST, "write close sing")]
MEETING = [verb for verb in PAST if verb.objects >= PEOPLE and verb.frame == "object"]

NAMES, FURNITURE = kinds_of("name"), kinds_of("furniture")
THINGS = kinds_of("thing furniture place vehicle animal mass opening song")
MOVABLE = kinds_of("thing animal kin name person")
YOUNG = kinds_of("name young dog cat brother sister friend")
ANYWHERE = kinds_of("in at beach")
PLACES = {  # where a subject of this kind can be or do something; people anywhere
    "pet": kinds_of("garden house kitchen"),
    "animal": kinds_of("garden park"),
    "dish": kinds_of("kitchen"),
    "transport": kinds_of("station"),
}
IDIOMS = (("hungry", "faim"), ("thirsty", "soif"), ("right", "raison"), ("afraid", "peur"))
SUBJECT_KINDS = {"place": MOVABLE, "idiom": PEOPLE, "age": YOUNG}
AGES = (*NUMBERS[2:], ("six", "six"), ("ten", "dix"))


class Clauses(Grammar):
    """Subjects, events and states that make sense, and second mentions of them."""

    relatives = 0.0  # how likely a noun with an article takes a relative clause
    told = 0  # how many relative clauses there have been

    # Noun phrases that depend on what was said before

    def subject(self, kinds, new=False, rows=SUBJECTS, adjectives=0.2) -> Phrase:
        """Who or what a verb is said of; `rows`: the pronouns it may be."""
        rows = [r for r in rows if r[0] not in self.used and not (r[4] and self.elles)]
        if rows and "name" in kinds and kinds != NAMES and self.chance(0.35):
            row = self.pick(rows)
            self.used |= {row[0]} if row[2] < 2 else set()
            return self.pronoun(row)
        if "name" in kinds and self.chance(0.35):
            kinds = NAMES
        dets = "any" if new and self.chance(0.3) else "old"
        return self.thing(kinds, dets, adjectives=adjectives)

    def pronoun(self, row) -> Phrase:
        en, fr, person, gender, plural = row
        return self.word(en, fr)._replace(person=person, gender=gender, plural=plural, kinds=PEOPLE)

    def pronoun_for(self, noun: Phrase) -> Phrase:
        """The subject of a second mention, with the gender of the French noun."""
        if noun.person < 2:
            return self.pronoun(SUBJECTS[noun.person])
        person = "she" if noun.gender == "f" else "he"
        en = "they" if noun.plural else person if noun.kinds & PEOPLE else "it"
        return self.mention(noun, en, ("il", "elle", "ils", "elles"))

    def object_for(self, noun: Phrase) -> Phrase:
        """*it* or *them*, for a thing that was mentioned."""
        return self.mention(noun, "them" if noun.plural else "it", ("le", "la", "les", "les"))

    def mention(self, noun: Phrase, en: str, forms) -> Phrase:
        word = self.word(en, forms[2 * noun.plural + (noun.gender == "f")])
        return noun._replace(en=word.en, fr=word.fr)

    def clitic(self, subject: Phrase, indirect: bool) -> Phrase:
        """An object pronoun, for a person who is not the subject."""
        options = [row for row in OBJECTS if row[3] != subject.person or row[3] == 2]
        en, direct, dative, *agreement = self.pick(options)
        if en == "them" and self.elles:
            raise Repeated
        return self.pronoun((en, dative if indirect else direct, *agreement))

    def thing(self, kinds, dets="any", negated=False, adjectives=0.35, avoid=()) -> Phrase:
        """A noun phrase, sometimes with a relative clause."""
        if dets == "made":  # nobody is writing an old book
            adjectives = 0.0
        if dets not in ("any", "old", "goods") or not self.chance(self.relatives):
            return self.noun_phrase(kinds, dets, negated, adjectives, avoid=avoid)
        noun = self.noun_phrase(kinds, "the", adjectives=adjectives, avoid=avoid)
        if noun.kinds & {"mass", "place", "kin", "name"}:
            return noun
        self.relatives, before = 0.0, self.relatives
        noun = self.relative(noun)
        self.relatives = before
        self.told += 1
        return noun

    def relative(self, noun: Phrase) -> Phrase:
        """The noun with *who*: *qui* as subject, or with *that*: *que* as object."""
        if "person" in noun.kinds and self.chance(0.6):
            who = self.word("who", "qui")
            clause = self.event(self.pick((TOLD, LASTING)), noun._replace(en=who.en, fr=who.fr))
        else:
            verbs = MEETING if "person" in noun.kinds else HANDLING
            which = self.word("that", "que")
            subject = self.subject(self.pick((NAMES, PEOPLE)))
            clause = join(which, self.event(verbs, subject, past=True, antecedent=noun))
        return noun._replace(en=noun.en + clause.en, fr=noun.fr + clause.fr)

    # Clauses

    def verb(self, verbs, subject=None, antecedent=None):
        """A verb new to the sentence, which can be said of `subject` and of its object."""
        for _ in range(9):
            verb = self.pick(verbs)
            if verb.participle in self.used:
                continue
            if subject and not verb.subjects & subject.kinds:
                continue
            if antecedent and antecedent.kinds and not verb.objects & antecedent.kinds:
                continue
            self.used.add(verb.participle)
            return verb
        raise Repeated

    def event(
        self, verbs, subject=None, past=None, negated=False, asked=0, where=True, antecedent=None
    ) -> Phrase:
        """Something that happens or happened: a verb with its complements and adverbs.

        `antecedent`: the direct object where it stands before, in a question or a relative clause.
        """
        past = verbs is PAST or verbs is TOLD if past is None else past
        verb = self.verb(verbs, subject, antecedent)
        plain = where and not (negated or asked)
        subject = subject or self.subject(verb.subjects, plain, SUBJECTS[1 if asked else 0 :])
        places, relatives = self.places(verb, subject), self.told
        clitic, rest = self.complements(verb, subject, places, negated, antecedent)
        where = where and self.told == relatives  # after *that Tom read*, *now* would belong to it
        if where and places and verb.frame not in ("to", "from", "at") and self.chance(0.25):
            rest.append(self.place(places))
        often = verbs is PRESENT and verb in HABITS and plain and self.chance(0.09)
        if where and past and self.chance(0.12):
            rest.append(self.word(*self.unused((("yesterday", "hier"),))))
        elif where and plain and verbs is PRESENT and verb in ONGOING and self.chance(0.09):
            rest += [] if often else [self.word("now", "maintenant")]
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
        avoid = PASSING if verb.en in ("buy", "want", "give") else ()
        if verb.frame == "object" and not antecedent:
            if verb.objects >= PEOPLE and self.chance(0.4):
                clitic = self.clitic(subject, indirect=False)
            else:
                rest.append(self.thing(verb.objects, verb.dets, negated, avoid=avoid))
        elif verb.frame in ("give", "dative"):
            if self.chance(0.5):
                clitic = self.clitic(subject, indirect=True)
            if verb.frame == "give":
                rest.append(self.noun_phrase(verb.objects, verb.dets, negated, avoid=avoid))
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
        kinds = self.pick((PEOPLE, THINGS)) if kind == "adjective" else SUBJECT_KINDS[kind]
        rows = SUBJECTS[1 if asked else 0 :]
        noun = self.subject(kinds, rows=rows, adjectives=0.2 * (kind == "place"))
        if kind == "adjective":
            options = predicates_of(NAMES if noun.kinds == PEOPLE else noun.kinds)
            if not options:
                raise Repeated
            adjective = self.unused(options)
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

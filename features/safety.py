"""Which brand-safety risks a post's own words carry, and the words that say so.

Rules over a written lexicon (`safety_terms.json`), for seven languages at once: a post carries a
risk where a strong term stands, or a weak term with a word of its context near it; phrases that
only look like it ("killer recipe") take their own words out and nothing else. So text that is added
in a line of its own never takes a risk away.

Knows nothing of pictures, sound, irony or what an account is about; nothing of creators and time.
The topics:

    adult      sexual content, nudity, sex work
    violence   killing, assault, abuse, terror, weapons, self-harm: also where it is reported
    hate       people put down for what they are; slogans of those who do
    gambling   betting, casinos, lotteries
    drugs      illegal and recreational drugs with cannabis, tobacco and vaping; not alcohol
    politics   parties, elections, people in office, causes that divide
    profanity  swear words, also masked ones
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from features.safety_words import Maskable, Text, compact, read, searchable, wanted
from features.schemas import RiskTopic

RISK_TOPICS: tuple[RiskTopic, ...] = get_args(RiskTopic)
CONTEXT_WORDS = 12  # how far from a weak term its context may stand: about a sentence
EXCERPT_CHARS = 280  # of a post, around the words that decide

Strength = Literal["strong", "weak", "context", "except"]
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
_DIGEST_BYTES = 8


@dataclass(frozen=True)
class Risk:
    """A risk that a text carries.

    Attributes:
        words: The words that decide, as the text has them.
        start: Where they begin in `shown`, and `end` where they end.
        shown: The text without invisible characters, in NFKC.
    """

    topic: RiskTopic
    words: str
    start: int
    end: int
    shown: str

    @property
    def excerpt(self) -> str:
        """At most `EXCERPT_CHARS` of the text, with the words that decide in it."""
        return excerpt(self.shown, self.start, self.end)


@dataclass(frozen=True)
class TermMatch:
    """Where one of a brand's own terms stands; `start`, `end` and `shown` as of `Risk`."""

    term: str
    words: str
    start: int
    end: int
    shown: str


def excerpt(shown: str, start: int, end: int) -> str:
    """A text cut to `EXCERPT_CHARS` around a span, with an ellipsis where it was cut."""
    if len(shown) <= EXCERPT_CHARS:
        return shown
    room = max(0, EXCERPT_CHARS - (end - start)) // 2
    first = max(0, min(start - room, len(shown) - EXCERPT_CHARS))
    last = min(len(shown), first + EXCERPT_CHARS)
    return ("…" if first else "") + shown[first:last].strip() + ("…" if last < len(shown) else "")


# ---------------------------------------------------------------- the lexicon


@dataclass(frozen=True)
class _Rule:
    """One term: for each word the forms it may have; a form that ends with * is a beginning."""

    topic: int
    strength: Strength
    rest: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Lexicon:
    """Rules by their first word or its beginning; hashtags whole and by a part at either end."""

    exact: dict[str, list[_Rule]]
    prefix: dict[str, list[_Rule]]
    prefix_sizes: tuple[int, ...]
    joined: dict[str, int]
    tag_parts: tuple[tuple[str, int], ...]
    spared_tags: frozenset[str]
    hashed: dict[str, int]
    maskable: Maskable


def _expand(term: str) -> Iterator[tuple[tuple[str, ...], ...]]:
    """The word sequences of a term: `a|b` are alternatives, a last `?` makes a word optional."""
    heads: list[tuple[tuple[str, ...], ...]] = [()]
    for part in term.split():
        optional = part.endswith("?")
        forms = tuple(form for form in part.rstrip("?").split("|") if form)
        longer = [(*head, forms) for head in heads]
        heads = longer + heads if optional else longer
    return iter(head for head in heads if head)


def _form(form: str) -> str:
    """A form of the lexicon as texts are read, with its star."""
    words = read(form.rstrip("*")).words
    if len(words) != 1:
        raise ValueError(f"safety_terms.json: {form!r} is not one word")
    return words[0].word + ("*" if form.endswith("*") else "")


@cache
def _lexicon() -> _Lexicon:
    written = json.loads(files("features").joinpath("safety_terms.json").read_text("utf-8"))
    exact: dict[str, list[_Rule]] = {}
    prefix: dict[str, list[_Rule]] = {}
    joined: dict[str, int] = {}
    tag_parts: list[tuple[str, int]] = []
    spared_tags: set[str] = set()
    hashed: dict[str, int] = {}
    masked: set[str] = set()
    starred: set[str] = set()
    for topic, name in enumerate(RISK_TOPICS):
        lists = written[name]
        for strength in STRENGTHS:
            terms = ",".join(lists.get(strength, {}).values()).split(",")
            for sequence in (s for term in terms for s in _expand(term)):
                forms = [tuple(_form(form) for form in word) for word in sequence]
                rule = _Rule(topic, strength, tuple(forms[1:]))
                for first in forms[0]:
                    by_word = prefix if first.endswith("*") else exact
                    by_word.setdefault(first.rstrip("*"), []).append(rule)
                    if strength in ("strong", "weak"):
                        masked.add(first.rstrip("*"))
                    if strength == "strong" and len(forms) == 1:
                        starred.add(first.rstrip("*"))
                if all(len(word) == 1 and not word[0].endswith("*") for word in forms):
                    whole = compact(word[0] for word in forms)
                    if strength == "strong":
                        joined[whole] = topic
                    elif strength == "except":
                        spared_tags.add(whole)
        tag_parts += [(part.strip(), topic) for part in lists.get("tags", "").split(",")]
        hashed |= dict.fromkeys(lists.get("hashed", ()), topic)
    return _Lexicon(
        exact=exact,
        prefix=prefix,
        prefix_sizes=tuple(sorted({len(word) for word in prefix})),
        joined=joined,
        tag_parts=tuple(part for part in tag_parts if part[0]),
        spared_tags=frozenset(spared_tags),
        hashed=hashed,
        maskable=Maskable.build(masked, starred),
    )


def digest(word: str) -> str:
    """What stands in the lexicon in place of a slur that need not be written out."""
    return hashlib.blake2b(word.encode(), digest_size=_DIGEST_BYTES).hexdigest()


# ---------------------------------------------------------------- finding


@dataclass(frozen=True)
class _Hit:
    """A rule that matched the words ``[first, past)``."""

    topic: int
    strength: Strength
    first: int
    past: int


def _hits(text: Text, lexicon: _Lexicon) -> Iterator[_Hit]:
    words = text.words
    for place, (word, _, _, _) in enumerate(words):
        rules = lexicon.exact.get(word, ())
        for rule in rules:
            if _follows(rule, text, place + 1):
                yield _Hit(rule.topic, rule.strength, place, place + 1 + len(rule.rest))
        for size in lexicon.prefix_sizes:
            if size > len(word):
                break
            for rule in lexicon.prefix.get(word[:size], ()):
                if _follows(rule, text, place + 1):
                    yield _Hit(rule.topic, rule.strength, place, place + 1 + len(rule.rest))
        if len(word) >= 3 and lexicon.hashed:
            topic = lexicon.hashed.get(digest(word))
            if topic is not None:
                yield _Hit(topic, "strong", place, place + 1)


def _follows(rule: _Rule, text: Text, place: int) -> bool:
    words = text.words
    if place + len(rule.rest) > len(words):
        return False
    for forms, (word, _, _, breaks) in zip(
        rule.rest, words[place : place + len(rule.rest)], strict=True
    ):
        if breaks or not any(
            word.startswith(form[:-1]) if form[-1] == "*" else word == form for form in forms
        ):
            return False
    return True


def find_risks(text: str) -> tuple[Risk, ...]:
    """The risks a text carries, one for each topic, in the order of `RISK_TOPICS`.

    Never raises on any string. Time is linear in the length.
    """
    lexicon = _lexicon()
    read_text = read(text, lexicon.maskable)
    found: dict[int, tuple[int, int]] = {}
    hits = list(_hits(read_text, lexicon))
    if hits:
        found = _decide(hits, read_text)
    for tag in read_text.tags:
        topic = _topic_of_tag(tag.word, read_text.shown[tag.start], lexicon)
        if topic is not None:
            found.setdefault(topic, (tag.start, tag.end))
    shown = read_text.shown
    return tuple(
        Risk(RISK_TOPICS[topic], shown[start:end].strip(), start, end, shown)
        for topic, (start, end) in sorted(found.items())
    )


def _topic_of_tag(word: str, sign: str, lexicon: _Lexicon) -> int | None:
    """A tag counts where it is a strong term written in one, or begins or ends with a part."""
    topic = lexicon.joined.get(word)
    if topic is not None or sign == "@" or word in lexicon.spared_tags:
        return topic
    for part, part_topic in lexicon.tag_parts:
        if word.startswith(part) or word.endswith(part):
            return part_topic
    return None


def _decide(hits: list[_Hit], text: Text) -> dict[int, tuple[int, int]]:
    """The first words that decide for each topic, as spans of `text.shown`."""
    spared = _spared(hits, len(text.words))
    found: dict[int, tuple[int, int]] = {}
    for topic in {hit.topic for hit in hits if hit.strength in ("strong", "weak")}:
        own = [
            hit
            for hit in hits
            if hit.topic == topic and hit.strength != "except" and not _is_spared(hit, spared)
        ]
        first = next((hit for hit in own if hit.strength == "strong"), None)
        if first is None:
            context = np.array([hit.first for hit in own if hit.strength == "context"])
            first = next(
                (hit for hit in own if hit.strength == "weak" and _near(hit, context)), None
            )
        if first is not None:
            found[topic] = (text.words[first.first].start, text.words[first.past - 1].end)
    return found


def _near(hit: _Hit, context: NDArray[np.int64]) -> bool:
    """Whether a word of the context stands near, other than in the weak term itself."""
    low = np.searchsorted(context, hit.first - CONTEXT_WORDS)
    high = np.searchsorted(context, hit.past + CONTEXT_WORDS)
    return any(not hit.first <= place < hit.past for place in context[low:high])


def _spared(hits: list[_Hit], n_words: int) -> dict[tuple[int, int], int]:
    """Length of the longest exception over each word, by topic and word."""
    longest: dict[tuple[int, int], int] = {}
    for hit in hits:
        if hit.strength == "except":
            for place in range(hit.first, min(hit.past, n_words)):
                key = (hit.topic, place)
                longest[key] = max(longest.get(key, 0), hit.past - hit.first)
    return longest


def _is_spared(hit: _Hit, spared: dict[tuple[int, int], int]) -> bool:
    """Whether an exception that is no shorter stands on one of its words."""
    length = hit.past - hit.first
    return any(spared.get((hit.topic, place), 0) >= length for place in range(hit.first, hit.past))


def risks_of(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Which risks each text carries, ``(n_texts, n_topics)`` in the order of `RISK_TOPICS`.

    Anything but a string is read as no text.
    """
    risks = np.zeros((len(texts), len(RISK_TOPICS)), dtype=np.bool_)
    for row, text in enumerate(texts):
        if isinstance(text, str):
            for risk in find_risks(text):
                risks[row, RISK_TOPICS.index(risk.topic)] = True
    return risks


def matches(text: str, terms: Sequence[str]) -> tuple[TermMatch, ...]:
    """Where a brand's own terms stand in a text, the first place of each that is found.

    Whole words and phrases, read as the text is: case, accents, full-width and zero-width
    characters make no difference. A phrase is also found written in one word, as hashtags are.
    """
    low = searchable(text)
    found = []
    for term in terms:
        if any(form in low for form in wanted(term)):
            shown, start, end = _place(text, term)
            found.append(TermMatch(term, shown[start:end], start, end, shown))
    return tuple(found)


def _place(text: str, term: str) -> tuple[str, int, int]:
    """The text as shown, and where a term that is in it stands; 0, 0 inside an unspaced word."""
    found = read(text)
    forms = [form.split() for form in wanted(term)]
    names = [word.word for word in found.words]
    for form in forms:
        for place in range(len(names) - len(form) + 1):
            if names[place : place + len(form)] == form:
                return found.shown, found.words[place].start, found.words[place + len(form) - 1].end
        for tag in found.tags:
            if [tag.word] == form:
                return found.shown, tag.start, tag.end
    start = max(0, found.shown.casefold().find(compact(forms[0])))
    return found.shown, start, min(len(found.shown), start + len(term)) if forms else start

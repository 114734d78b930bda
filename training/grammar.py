"""Makes the texts of the simulated world: captions, advertisements, profiles and briefs.

A grammar by niche: each file of `training/phrases` holds one niche's own vocabulary (two strands
of topics, activities, products, hashtags, emoji) in English, Spanish, German, French and
Portuguese, and `_common.json` holds the sentence frames, the small talk, the disclosures and the
frames of briefs. Every word was written for this project; none was taken from a taxonomy. The
texts are simulated: nothing learned from them is evidence about real creators.

Knows nothing of creators, of numbers, or of what a text brings about. Chance comes in from
outside, as numbers in [0, 1) (`Draws`), so the same draws give the same text.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

POST_LANGUAGES = ("en", "es", "de", "fr", "pt")
BRIEF_LANGUAGES = ("en", "es", "de")
DRAWS_PER_TEXT = 48  # the longest text takes about 40; a text that ran out would start over

# How texts are mixed: assumed, so that a niche is not plain from any one word.
SLIP_TO_NEIGHBOUR = 0.16  # a slot filled from a neighbouring niche
SLIP_TO_SIBLING = 0.25  # a slot filled from the niche's other strand

COUNTRY_NAMES = {
    "US": ("the United States", "Estados Unidos", "USA"),
    "GB": ("the United Kingdom", "Reino Unido", "Großbritannien"),
    "CA": ("Canada", "Canadá", "Kanada"),
    "ES": ("Spain", "España", "Spanien"),
    "MX": ("Mexico", "México", "Mexiko"),
    "DE": ("Germany", "Alemania", "Deutschland"),
}

T = TypeVar("T")


@dataclass(frozen=True)
class Strand:
    """One of the two strands of a niche; `topics` and `products` by language."""

    name: str
    topics: dict[str, tuple[str, ...]]
    products: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Niche:
    """One niche's vocabulary.

    Attributes:
        name: Short key, the name of its file.
        label: What a person would write on the label.
        emoji: Signs its people use.
        neighbours: How near other niches are, in (0, 1), by name; the same in both directions.
        hashtags: Without the sign, by language.
        activities: Gerunds in English, infinitives elsewhere, by language.
        strands: Two narrower subjects.
    """

    name: str
    label: str
    emoji: tuple[str, ...]
    neighbours: dict[str, float]
    hashtags: dict[str, tuple[str, ...]]
    activities: dict[str, tuple[str, ...]]
    strands: tuple[Strand, Strand]


class Draws:
    """A supply of chance: numbers in [0, 1), used one after the other, round and round."""

    __slots__ = ("_at", "_values")

    def __init__(self, values: Sequence[float]) -> None:
        self._values = values
        self._at = 0

    def next(self) -> float:
        """The next number."""
        value = self._values[self._at % len(self._values)]
        self._at += 1
        return value

    def chance(self, share: float) -> bool:
        """True in `share` of all cases."""
        return self.next() < share

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`, each as likely as the others."""
        return options[int(self.next() * len(options))]


def _by_language(lists: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {language: tuple(items) for language, items in lists.items()}


def _read(name: str) -> Any:
    return json.loads((files("training") / "phrases" / name).read_text(encoding="utf-8"))


@cache
def niches() -> dict[str, Niche]:
    """Every niche's vocabulary by name, in the order of the names."""
    found = {}
    folder = files("training") / "phrases"
    names = (entry.name for entry in folder.iterdir())
    for name in sorted(n for n in names if n.endswith(".json") and not n.startswith("_")):
        raw = _read(name)
        first, second = (
            Strand(strand, _by_language(lists["topics"]), _by_language(lists["products"]))
            for strand, lists in raw["strands"].items()
        )
        found[raw["niche"]] = Niche(
            name=raw["niche"],
            label=raw["label"],
            emoji=tuple(raw["emoji"]),
            neighbours=dict(raw["neighbours"]),
            hashtags=_by_language(raw["hashtags"]),
            activities=_by_language(raw["activities"]),
            strands=(first, second),
        )
    return found


@cache
def frames() -> dict[str, dict[str, list[str]]]:
    """The sentence frames by language and kind."""
    found: dict[str, dict[str, list[str]]] = _read("_common.json")
    return found


@cache
def topics() -> tuple[str, ...]:
    """The names of all topics, ``niche/strand``, in order: two for each niche."""
    return tuple(f"{n.name}/{strand.name}" for n in niches().values() for strand in n.strands)


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _near(niche: Niche, draws: Draws) -> Niche:
    """The niche itself, or now and then a neighbour, the nearer the likelier."""
    if not draws.chance(SLIP_TO_NEIGHBOUR):
        return niche
    at = draws.next() * sum(niche.neighbours.values())
    for name, weight in niche.neighbours.items():
        at -= weight
        if at < 0:
            return niches()[name]
    return niche


def _subject(niche: Niche, strand: int, language: str, draws: Draws) -> str:
    chosen = _near(niche, draws)
    if draws.chance(SLIP_TO_SIBLING):
        strand = 1 - strand
    return draws.pick(chosen.strands[strand].topics[language])


def body(niche: str, strand: int, language: str, draws: Draws) -> str:
    """One or two sentences on a subject, with no hashtags and no emoji."""
    own, frame = niches()[niche], frames()[language]
    kind = draws.next()
    if kind < 0.45:
        text = draws.pick(frame["topic"]).format(t=_subject(own, strand, language, draws))
    elif kind < 0.75:
        done = draws.pick(_near(own, draws).activities[language])
        text = draws.pick(frame["activity"]).format(a=done)
    else:
        text = draws.pick(frame["pair"]).format(
            t=_subject(own, strand, language, draws), u=_subject(own, strand, language, draws)
        )
    text = _start(text) + "."
    if draws.chance(0.25):
        text = f"{draws.pick(frame['hooks'])} {text}"
    if draws.chance(0.35):
        text = f"{text} {draws.pick(frame['closers'])}"
    return text


def small_talk(language: str, draws: Draws) -> str:
    """A post about nothing that a brand could want."""
    frame = frames()[language]
    text = draws.pick(frame["generic"]) + "."
    return f"{text} {draws.pick(frame['closers'])}" if draws.chance(0.4) else text


def dress(text: str, niche: str | None, language: str, draws: Draws) -> str:
    """Adds what captions carry: emoji, hashtags, now and then an empty line before them."""
    if niche is None:
        return f"{text} {draws.pick(('❤️', '😊', '☕', '🙏', '✌️'))}" if draws.chance(0.4) else text
    own = niches()[niche]
    if draws.chance(0.5):
        text += " " + draws.pick(own.emoji) * (2 if draws.chance(0.2) else 1)
    count = int(draws.next() * 5) if draws.chance(0.7) else 0
    tags: list[str] = []
    for _ in range(count):
        tag = draws.pick(_near(own, draws).hashtags["en" if draws.chance(0.15) else language])
        if tag not in tags:
            tags.append(tag)
    if tags:
        text += ("\n\n" if draws.chance(0.15) else " ") + " ".join(f"#{tag}" for tag in tags)
    return text


def tag_of(brand: str) -> str:
    """The brand as it stands in an account's name: small letters and digits."""
    plain = unicodedata.normalize("NFKD", brand).encode("ascii", "ignore").decode()
    return "".join(sign for sign in plain.lower() if sign.isalnum())


def advertise(text: str, brand: str, *, disclosed: bool, language: str, draws: Draws) -> str:
    """Turns a caption into an advertisement, owned up to in its language or not."""
    frame = frames()[language]
    text = f"{draws.pick(frame['plug'])}. {text}".format(brand=brand)
    if not disclosed:
        return text
    percent = draws.pick((10, 15, 20, 25, 30))
    code = f"{draws.pick(frame['names'])}{percent}".upper()
    return draws.pick(frame["disclosed"]).format(
        s=text, brand=brand, code=code, pct=percent, tag=tag_of(brand)
    )


def profile(niche: str, strand: int, language: str, draws: Draws) -> tuple[str, str, str]:
    """A display name, a handle (not yet unique) and a line about oneself, which may be empty."""
    own, frame = niches()[niche], frames()[language]
    name = draws.pick(frame["names"])
    word = own.name.replace("_", "") if draws.chance(0.3) else ""
    handle = f"{tag_of(name)}.{word or draws.pick(frames()['en']['handle_words'])}"
    if draws.chance(0.2):
        return name, handle, ""
    kind = "bio_generic" if draws.chance(0.35) else "bio"
    line = draws.pick(frame[kind]).format(
        label=own.label,
        city=draws.pick(frame["cities"]),
        t=_subject(own, strand, language, draws),
        u=_subject(own, strand, language, draws),
    )
    return name, handle, _start(line)


def brief(
    brand: str, niche: str, strand: int, language: str, country: str | None, draws: Draws
) -> str:
    """What a brand asks for in one campaign, in the words of its trade.

    Args:
        brand: The brand's name, which only some wordings give.
        niche: The vertical.
        strand: Which of the vertical's two strands the product belongs to.
        language: One of `BRIEF_LANGUAGES`.
        country: The market, a key of `COUNTRY_NAMES`, or None for any.
        draws: Chance.
    """
    own, frame = niches()[niche], frames()[language]
    words = own.strands[strand]
    subjects = words.topics[language]
    first = int(draws.next() * len(subjects))
    other = (first + 1 + int(draws.next() * (len(subjects) - 1))) % len(subjects)
    text = draws.pick(frame["brief"]).format(
        brand=brand,
        p=draws.pick(words.products[language]),
        t=subjects[first],
        u=subjects[other],
        label=own.label,
    )
    if country is not None and draws.chance(0.5):
        name = COUNTRY_NAMES[country][BRIEF_LANGUAGES.index(language)]
        text += draws.pick(frame["country"]).format(country=name)
    return _start(text)


_HEADS = "al bel cor dar el fen gal hul ith jor kel lor mar nor ol pel quen ros sel tor ul vel wyn"
_MIDDLES = "a e i o u an en ia or ar"
_TAILS = "dra lin mo nest ric sa ta via vo xa zen by lo mi ra dell wick"


def brand_names(count: int, draws: Draws) -> list[str]:
    """`count` different invented names that say nothing of what is sold.

    Raises:
        ValueError: More names are wanted than there are.
    """
    heads, middles, tails = _HEADS.split(), _MIDDLES.split(), _TAILS.split()
    left = [(head + middle + tail) for head in heads for middle in middles for tail in tails]
    if count > len(left):
        raise ValueError(f"only {len(left)} invented brand names, {count} wanted")
    return [left.pop(int(draws.next() * len(left))).capitalize() for _ in range(count)]

"""A text as the words that risk terms are compared with, however it is written.

Case, accents, full-width and zero-width characters make no difference, nor do "sh1t", "f*ck",
"f.u.c.k" and "fuuuck" where what is meant is a word of the list asked for. Knows nothing of what a
word means (`safety`). Every pattern is of disjoint or bounded parts: time is linear in the length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from features.sponsored_brands import normalise_text

# Accents are dropped, but of one letter that makes another word ("cono" is an ice cream cone).
KEPT_LETTER = "ñ"
_FOLDED = {
    code: base
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))
    if chr(code) != KEPT_LETTER and (base := unicodedata.normalize("NFD", chr(code))[0]).isascii()
} | {ord(quote): "'" for quote in "‘’‚‛′ʼ"}
_MARKS = re.compile("[\u0300-\u036f\u0488\u0489]")

# Letters of other scripts that look Latin; read so only inside a word that has Latin letters too.
_LOOKALIKES = str.maketrans("авеёкмнорстухіјѕԁɡαβεικνορτυ", "abeekmhopctyxijsdgabeiknoptu")
_MIXED = re.compile(r"[^\W_]*[\u0370-\u052f\u0261][^\W_]*")

_WORD = re.compile(r"[^\W_]+|[🔞🖕🎰]")
_BREAK = re.compile(r"[\n\r.!?;]")
_TAG = re.compile(r"[#@](\w{3,60})")
_MASK = "*@$!#|€%+"
_MASKED = re.compile(rf"[$!]?[^\W_]+(?:[{_MASK}]{{1,8}}[^\W_]+)*[*$]{{0,8}}")
_MAY_BE_MASKED = re.compile(rf"[^\W_][{_MASK}]|[$!][^\W_]|[^\W\d_]\d|\d[^\W\d_]")
_SPELLED = re.compile(r"(?<![^\W_])(?:[^\W_][.\-_ *]){3,12}[^\W_](?![^\W_])")
_LETTER_RUN = re.compile(r"([^\W\d_])\1{2,}")
_RUN = re.compile(r"(.)\1+")
_LEET = str.maketrans("01345789@$!|€+", "oieastbgasiiet")
_LEET_L = str.maketrans("01345789@$!|€+", "oleastbgasllet")  # 1, ! and | may be an l too
_WORD_CHARS_MAX = 40  # no word of a list is longer; a longer chunk is not looked at for masks
_MASKED_LETTERS_MIN = 2  # "f*ck" has three; one letter and stars may be anything

# Scripts that put no spaces between words: a brand's term is looked for anywhere in them.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


class Word(NamedTuple):
    """A word as it is compared, and where it stands in the text that was read.

    Attributes:
        breaks: Whether a sentence or line ended before it: no phrase runs across.
    """

    word: str
    start: int
    end: int
    breaks: bool


class Tag(NamedTuple):
    """A hashtag or the name of an account, in one word."""

    word: str
    start: int
    end: int


@dataclass(frozen=True)
class Text:
    """A text that was read.

    Attributes:
        shown: The text without invisible characters, in NFKC; what positions refer to.
        words: Its words in order, those of hashtags too; accounts ("@name") are not words.
        tags: Hashtags and accounts, each whole.
    """

    shown: str
    words: list[Word]
    tags: list[Tag]


@dataclass(frozen=True)
class Maskable:
    """Words that are recognised when they are masked.

    Attributes:
        words: All of them, each of three characters or more.
        skeletons: Words by their form with every letter once ("ashole").
        sized: Words by length and first letter, for stars in place of letters.
    """

    words: frozenset[str]
    skeletons: dict[str, str]
    sized: dict[tuple[int, str], tuple[str, ...]]

    @classmethod
    def build(cls, words: Collection[str], starred: Collection[str]) -> Maskable:
        """From the words, and those of them of which even a part is enough."""
        plain = {word for word in words if len(word) >= 3 and word.isalpha()}
        sized: dict[tuple[int, str], tuple[str, ...]] = {}
        for word in sorted(starred):
            if len(word) >= 4 and word.isalpha():
                key = (len(word), word[0])
                sized[key] = (*sized.get(key, ()), word)
        skeletons = {
            skeleton: word for word in sorted(plain) if len(skeleton := _RUN.sub(r"\1", word)) >= 4
        }
        return cls(frozenset(plain), skeletons, sized)


NOTHING_MASKED = Maskable(frozenset(), {}, {})


def read(text: str, maskable: Maskable = NOTHING_MASKED) -> Text:
    """The words of a text. Never raises on any string."""
    shown = _MARKS.sub("", normalise_text(text))
    low = _unmask(shown.lower().translate(_FOLDED), maskable)
    tags = [
        Tag(match.group(1).replace("_", "").replace("ß", "ss"), *match.span())
        for match in _TAG.finditer(low)
    ]
    names = iter([tag for tag in tags if low[tag.start] == "@"])
    name = next(names, None)
    words: list[Word] = []
    past = 0
    for match in _WORD.finditer(low):
        start, end = match.span()
        while name is not None and name.end <= start:
            name = next(names, None)
        if name is not None and name.start < start:
            continue
        breaks = start - past > 1 and _BREAK.search(low, past, start) is not None
        breaks = breaks or (start - past == 1 and low[past] in "\n\r;!?")
        words.append(Word(match.group().replace("ß", "ss"), start, end, breaks))
        past = end
    return Text(shown, words, tags)


def _unmask(low: str, maskable: Maskable) -> str:
    """The text, of the same length, with masked words of the list written out."""
    if not low.isascii():
        low = _MIXED.sub(_latin, low)
    if not maskable.words:
        return low
    low = _SPELLED.sub(lambda match: _spelled(match.group(), maskable), low)
    if _MAY_BE_MASKED.search(low):
        low = _MASKED.sub(lambda match: _written_out(match.group(), maskable), low)
    if _LETTER_RUN.search(low):
        low = _WORD.sub(lambda match: _shortened(match.group(), maskable), low)
    return low


def _latin(match: re.Match[str]) -> str:
    word = match.group()
    return word.translate(_LOOKALIKES) if any("a" <= char <= "z" for char in word) else word


def _spelled(chunk: str, maskable: Maskable) -> str:
    word = re.sub(r"[.\-_ *]", "", chunk)
    return word.ljust(len(chunk)) if word in maskable.words else chunk


def _shortened(chunk: str, maskable: Maskable) -> str:
    if len(chunk) > _WORD_CHARS_MAX or not _LETTER_RUN.search(chunk) or chunk in maskable.words:
        return chunk
    word = maskable.skeletons.get(_RUN.sub(r"\1", chunk))
    return chunk if word is None or len(word) > len(chunk) else word.ljust(len(chunk))


def _written_out(chunk: str, maskable: Maskable) -> str:
    letters = sum(char.isalpha() for char in chunk)
    masks = len(chunk) - letters
    if not masks > 0 or letters < _MASKED_LETTERS_MIN or len(chunk) > _WORD_CHARS_MAX:
        return chunk
    if masks <= letters:
        for table in (_LEET, _LEET_L):
            word = chunk.translate(table)
            if word in maskable.words:
                return word
    for word in maskable.sized.get((len(chunk), chunk[0]), ()):
        if all(have == want or have in _MASK for have, want in zip(chunk, word, strict=True)):
            return word
    return chunk


# ---------------------------------------------------------------- a brand's own terms


def searchable(text: str) -> str:
    """A text as `wanted` is looked for in it: words between spaces, a newline where one ends.

    >>> searchable("NEW drop: #Ｌｕｍａ! Café…")
    ' new drop luma \\n cafe '
    """
    parts = [" "]
    found = read(text)
    for word in found.words:
        parts.append(f"\n {word.word} " if word.breaks and len(parts) > 1 else f"{word.word} ")
    names = [tag.word for tag in found.tags if found.shown[tag.start] in "@＠"]
    if names:
        parts.append("\n " + " \n ".join(names) + " ")
    return "".join(parts) if len(parts) > 1 else ""


def wanted(term: str) -> tuple[str, ...]:
    """The forms in which a term is looked for in a `searchable` text; none if it has no word.

    A term of several words is found in one word too, as hashtags write it. In a script that has
    no spaces it is found inside longer words.

    >>> wanted("Crypto giveaway")
    (' crypto giveaway ', ' cryptogiveaway ')
    """
    words = [word.word for word in read(term.replace("@", " ")).words]
    if not words:
        return ()
    forms = (" ".join(words), "".join(words)) if len(words) > 1 else (words[0],)
    if _UNSPACED.search(term):
        return forms
    return tuple(f" {form} " for form in forms)


def compact(words: Iterable[str]) -> str:
    """Words in one, as a hashtag writes them."""
    return "".join(words)

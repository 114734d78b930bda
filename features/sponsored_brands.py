"""A text as it is searched, and the names of brands in it.

A text has two forms of the same length: `shown`, NFKC without invisible characters, from which
names are cut as written; and `low`, its folded copy (lower case, no accents, straight quotes),
which patterns are matched against. Knows nothing of what makes a post an advertisement
(`sponsored`). Letters of other scripts that look Latin are not unmasked.
"""

from __future__ import annotations

import re
import unicodedata

from features.sponsored_phrases import BRAND_CONNECTORS, BRAND_LEADS, BRAND_STOPS, LEGAL_FORMS

BRAND_CHARS = 60  # a handle has at most 40 characters on any platform, a few words come before it
BRAND_WORDS = 4  # "Bath & Body Works" is four tokens; longer names are cut

# ---------------------------------------------------------------- reading a text

# Zero-width, bidirectional control, soft hyphen, variation selectors, keycap ring, tag characters;
# and the marks after a brand's name, which NFKC would turn into the letters "TM".
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u20e3\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff\u2122\u2120\u00ae\u00a9]"
)
_FOLDED_CHARS = re.compile("[\u00c0-\u024f\u1e00-\u1eff\u2018-\u201b\u2032\u02bc]")

# Canonical ordering of combining marks takes time quadratic in their number in CPython, so a long
# text is normalised in pieces: each run of other than ASCII, with the letter before it, which its
# marks may belong to. Only a run longer than this is cut inside.
_PIECE = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]{1,256}")
_WHOLE_CHARS = 4_096


def _fold_char(match: re.Match[str]) -> str:
    char = match.group()
    if char in "\u2018\u2019\u201a\u201b\u2032\u02bc":
        return "'"
    base = unicodedata.normalize("NFD", char)[0]
    return base if base.isascii() else char


def normalise_text(text: str) -> str:
    """The text without invisible characters, in Unicode's NFKC form."""
    if text.isascii():
        return text
    text = _INVISIBLE.sub("", text)
    if len(text) <= _WHOLE_CHARS:
        text = unicodedata.normalize("NFKC", text)
    else:
        text = _PIECE.sub(lambda m: unicodedata.normalize("NFKC", m.group()), text)
    # The one letter whose lower case is two characters: the folded copy must keep its length.
    return text.replace("\u0130", "I")


def fold(shown: str) -> str:
    """A copy of the same length in lower case, Latin letters without accents."""
    low = shown.lower()
    return low if low.isascii() else _FOLDED_CHARS.sub(_fold_char, low)


# ---------------------------------------------------------------- brands

_TOKEN = re.compile(r" ?(&|\+|[@#]?\w[\w'\u2019&.+-]{0,40})")
_LEAD = re.compile(r"[^\w\n@#.!?]{0,3}")
_SCHEME = re.compile(r"(?:https?://)?(?:www\.)?", re.IGNORECASE)


def _clean_token(token: str) -> tuple[str, bool]:
    """The token without trailing punctuation, and whether a sentence or list ended with it."""
    cleaned = token.rstrip(".,'\u2019-&") if token not in BRAND_CONNECTORS else token
    return cleaned, cleaned != token


def brand_at(shown: str, start: int, stop: int | None = None) -> str | None:
    """The brand written at `start`, or None: a handle, a tag, a domain, or capitalised words."""
    end = min(len(shown), start + BRAND_CHARS if stop is None else stop)
    lead = _LEAD.match(shown, start, end)
    start = lead.end() if lead else start
    scheme = _SCHEME.match(shown, start, end)
    start = scheme.end() if scheme else start
    words: list[str] = []
    pending: list[str] = []
    while len(words) + len(pending) < BRAND_WORDS:
        match = _TOKEN.match(shown, start, end)
        if match is None:
            break
        token, ended = _clean_token(match.group(1))
        start = match.end()
        folded = fold(token)
        capital = not token[:1].islower()
        if not words:
            if token.startswith(("@", "#")):
                return token[1:] or None
            if (
                folded in BRAND_LEADS
                and not ended
                and not (capital and _capital_follows(shown, start))
            ):
                continue
            if not token or folded in BRAND_STOPS:
                return None
            words.append(token)
            if not capital:  # a name in lower case is taken to be one word
                break
        elif token.startswith(("@", "#")):
            break
        elif folded in BRAND_CONNECTORS and not ended:
            pending.append(token)
        elif capital and folded not in BRAND_STOPS:
            words += [*pending, token]
            pending = []
        else:
            break
        if ended:
            break
    return " ".join(words) or None


def _capital_follows(shown: str, start: int) -> bool:
    match = _TOKEN.match(shown, start)
    if match is None or match.group(1)[0] in "@#&+":
        return False
    token = match.group(1)
    return not token[0].islower() and fold(token) not in BRAND_STOPS


def is_marked(brand: str | None) -> bool:
    """Whether a brand is written as a name: a capital, a digit, a domain, or another script."""
    return brand is not None and (not brand[0].islower() or "." in brand)


# ---------------------------------------------------------------- comparing brands

_DOTTED = re.compile(r"(?<!\w)((?:\w\.){2,}\w?)(?!\w)")
_DOMAIN = re.compile(
    r"(?:https?://)?(?:www\.)?([\w-]{2,60})\.(?:com|net|org|io|co|shop|store|example|app|me|"
    r"(?:com?\.)?[a-z]{2})(?:/\S*)?"
)


def normalise_brand(name: str) -> str:
    """The brand's name in a form that compares equal however it is written.

    Case, accents, @ and #, spaces, punctuation, a domain's ending and legal forms at the end
    ("GmbH", "S.A.", "& Co.", also "_official") are dropped. Initials are kept together, "&" and a
    free-standing "and" vanish. A name of nothing else comes back in lower case as it is.

    >>> {normalise_brand(n) for n in ("@LumaSkin", "Luma Skin", "luma-skin GmbH", "#lumaskin")}
    {'lumaskin'}
    """
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", name)).casefold().strip()
    domain = _DOMAIN.fullmatch(folded.lstrip("@#"))
    bare = domain.group(1) if domain and not name.lstrip().startswith(("@", "#")) else folded
    plain = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", bare))
    plain = re.sub("['\u2019\u2018]", "", plain)
    plain = _DOTTED.sub(lambda m: m.group(1).replace(".", ""), plain)
    tokens = [token for token in _split(plain) if token not in ("and", "und")]
    while len(tokens) > 1 and tokens[-1] in LEGAL_FORMS:
        tokens.pop()
    return unicodedata.normalize("NFC", "".join(tokens)) or folded


def _split(plain: str) -> list[str]:
    kept = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in plain)
    return kept.split()

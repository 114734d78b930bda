"""Is this post an advertisement, and whose?

Reads a post's own words: disclosure tags, labels, sponsor thanks, gifts, discount codes and
affiliate links, in English, Spanish, German, French, Portuguese, Italian and Dutch. The wording is
in `sponsored_phrases`. Knows nothing of pictures, of a platform's own "paid partnership" banner
(give that as ``is_sponsored``), of ads that disclose nothing, nor of creators and time.

A rule is tried only where one of its stems occurs, which is what makes most posts cheap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.sponsored_brands import (
    BRAND_CHARS,
    brand_at,
    fold,
    is_marked,
    normalise_brand,
    normalise_text,
)
from features.sponsored_phrases import (
    ENGLISH_WORDS,
    GIFTED_PEOPLE,
    HASHTAGS,
    LOCAL_TAGS,
    NEGATED_AFTER,
    NEGATED_BEFORE,
    NEGATED_INSIDE,
    RULES,
    TAG_PREFIXES,
    Kind,
    Rule,
)

__all__ = [
    "Disclosure",
    "Kind",
    "PostLabels",
    "brand_of",
    "find_disclosures",
    "label_posts",
    "normalise_brand",
]

CONTEXT_CHARS = 80  # how far back a rule looks; longer than any clause a rule asks about
NEAR_CHARS = 100  # about a sentence, on either side
EVIDENCE_CHARS = 160  # enough for any phrase; a hostile text cannot make a report huge
MOST_FOUND = 50  # in one text; bounds the work and the answer on a text of nothing but tags


@dataclass(frozen=True)
class Disclosure:
    """What a text says about who pays.

    Attributes:
        kind: What sort of relation is disclosed.
        brand: The brand as written, cleaned of @, # and punctuation; None where none is named.
        evidence: The words that say so, at most `EVIDENCE_CHARS`.
    """

    kind: Kind
    brand: str | None
    evidence: str


class PostLabels(NamedTuple):
    """Which posts are advertisements; three arrays of shape ``(n_posts,)``.

    Attributes:
        flags: bool.
        brands: str, or None where no brand is named or the post is no advertisement.
        sources: ``"table"`` or ``"text"``: what decided the flag.
    """

    flags: NDArray[np.bool_]
    brands: NDArray[np.object_]
    sources: NDArray[np.object_]


# ---------------------------------------------------------------- finding

_SPACES = re.compile(r"[^\S\n\r]+")
_LINES = re.compile(r" ?[\r\n]\s*")
_HANDLE = re.compile(r"(?<![\w.@])@(\w[\w.&]{1,39})")
# After a tag: an account, or a word such as "with" and a name.
_AFTER_TAG = re.compile(
    r" ?(?:(?:[|/:,-] ?)?(?=@\w)|(?P<word>with|for|by|mit|fur|von|con|por|para|avec|pour|par|com|"
    r"da|met|voor|door) )"
)
_CREDIT = re.compile(
    r"(?:photo|pic|picture|video|shot|edit|edited|makeup|mua|hair|credit|credits|cc|foto|via|rt|"
    r"w/|ft\.?|feat\.?|by|with my|\U0001f4f8|\U0001f4f7|\U0001f3a5) ?:? ?(?:by |credit |cred "
    r")?:? ?$"
)
_AT_SHOP = re.compile(
    r"(?<!\w)(?:at|on|bei|auf|im|chez|sur|en|na|no|em|su|da|bij|op|with|for|von|from|de) "
    r"(?=[@\w])"
)
# At the end of a phrase: what follows is the brand.
_LINK_WORD = re.compile(
    r"(?<!\w)(?:with|by|for|w/|from|of|mit|von|durch|con|por|de|avec|par|marque|com|da|del|met|"
    r"dal|dalla|pela|pelo|do) ?$"
)
_DISCOUNT = re.compile(r"%|(?<!\w)(?:off|save|discount|checkout|rabatt|descuento|desconto)(?!\w)")
_IN_A_YEAR = re.compile(r"(?<!\w)(?:year|century|in|circa) \d{1,4} ?$")
# Thanks are never denied: a "not" before them belongs to the sentence before.
_THANKS = ("thank", "thx", "shout", "dank", "gracias", "obrigad", "merci", "grazie", "bedankt")


def _negated(low: str, start: int, end: int, inside_end: int) -> bool:
    before = low[max(0, start - CONTEXT_CHARS) : start]
    return (
        (NEGATED_BEFORE.search(before) is not None and not low.startswith(_THANKS, start))
        or NEGATED_INSIDE.search(low, start, inside_end) is not None
        or NEGATED_AFTER.match(low, end) is not None
    )


def _abbreviates(before: str) -> bool:
    """Whether "(ad)" is short for the words before it, "Alzheimer's disease (AD)", or a "
    "year's."""
    words = re.findall(r"[\w']+", before)[-2:]
    return [word[0] for word in words] == ["a", "d"] or _IN_A_YEAR.search(before) is not None


def _is_code(shown: str, low: str, match: re.Match[str]) -> bool:
    """Whether the group ``code`` is written as a code: letters with digits, or capitals that "
    "stand
    out from the words before them or have a discount after them."""
    start, end = match.span("code")
    code = shown[start:end]
    if any(char.isdigit() for char in code):
        return any(char.isalpha() for char in code)
    if not code.isupper():
        return False
    return not shown[match.start() : start].isupper() or bool(
        _DISCOUNT.search(low, end, end + BRAND_CHARS)
    )


def _line_around(low: str, start: int, end: int) -> str:
    before = low[max(0, start - NEAR_CHARS) : start].rpartition("\n")[2]
    return before + low[start:end] + low[end : end + NEAR_CHARS].partition("\n")[0]


def _in_context(rule: Rule, low: str, before: str, start: int, end: int) -> bool:
    return not (
        (rule.before is not None and not rule.before.search(before))
        or (rule.not_before is not None and rule.not_before.search(before))
        or (rule.not_after is not None and rule.not_after.match(low, end))
        or (rule.not_near is not None and rule.not_near.search(_line_around(low, start, end)))
    )


def _named(rule: Rule, match: re.Match[str], shown: str, low: str) -> tuple[bool, str | None]:
    """Whether the match names what its rule needs, and the brand it names."""
    groups = match.groupdict()
    end = match.end()
    if groups.get("code") is not None:
        return _is_code(shown, low, match), _shop_after(shown, low, end)
    if groups.get("brand") is not None:
        brand, start = brand_at(shown, *match.span("brand")), match.start("brand")
        if brand is None:
            return False, None
    elif rule.brand:
        brand, start = brand_at(shown, end), end
    else:
        return True, None
    tagged = brand is not None and low[start] in "@#"
    if rule.needs == "tagged":
        return tagged, brand
    if rule.needs == "marked":
        return tagged or is_marked(brand), brand
    if rule.needs == "name":
        return brand is not None, brand
    # Without a "with" or "by" at its end a phrase is only followed by the next sentence:
    # "Ad | My morning" names nobody.
    follows = tagged or start < end or _LINK_WORD.search(low, match.start(), end) is not None
    return True, brand if follows else None


def _matches(rule: Rule, shown: str, low: str) -> Iterator[Disclosure]:
    for match in rule.pattern.finditer(low):
        start, end = match.span()
        before = low[max(0, start - CONTEXT_CHARS) : start]
        if not _in_context(rule, low, before, start, end):
            continue
        enough, brand = _named(rule, match, shown, low)
        # A "not" inside the brand or after it denies nothing.
        words_end = end if match.lastgroup is None else match.start(match.lastgroup)
        if not enough or _negated(low, start, end, words_end):
            continue
        if low[start:end] in ("(ad)", "[ad]") and _abbreviates(before):
            continue
        yield Disclosure(rule.kind, brand, shown[start:end].strip()[:EVIDENCE_CHARS])


def _shop_after(shown: str, low: str, end: int) -> str | None:
    for match in _AT_SHOP.finditer(low, end, end + BRAND_CHARS):
        brand = brand_at(shown, match.end())
        if brand is not None and brand[0].isalpha() and is_marked(brand):
            return brand
    return None


_TAG = re.compile(r"#(\w{2,60})(?!\w)")
_PREFIXES = tuple(prefix for prefix, _, _ in TAG_PREFIXES)
_WORDS = re.compile(r"[^\W\d_]+")


def _more_of(language: frozenset[str], low: str) -> bool:
    words = _WORDS.findall(low[:2_000])
    theirs = sum(word in language for word in words)
    return theirs >= 2 and theirs > sum(word in ENGLISH_WORDS for word in words)


def _tag_kind(tag: str, low: str) -> Kind | None:
    kind = HASHTAGS.get(tag)
    if kind is None and tag in LOCAL_TAGS:
        local, words = LOCAL_TAGS[tag]
        kind = local if _more_of(words, low) else None
    return kind


def _may_disclose(tag: str) -> bool:
    tag = tag.replace("_", "")
    return tag in HASHTAGS or tag in LOCAL_TAGS or tag.startswith(_PREFIXES)


def _tag_matches(shown: str, low: str) -> Iterator[Disclosure]:
    local = {tag: _tag_kind(tag, low) for tag in LOCAL_TAGS if "#" + tag in low}
    for match in _TAG.finditer(low):
        tag = match.group(1).replace("_", "")
        kind = HASHTAGS.get(tag) or local.get(tag)
        brand: str | None = None
        if kind is None:
            for prefix, prefix_kind, names in TAG_PREFIXES:
                if tag.startswith(prefix) and len(tag) > len(prefix):
                    kind = prefix_kind
                    rest = shown[match.start() + 1 + len(prefix) : match.end()]
                    brand = rest.strip("_") if names and "_" not in match.group(1) else None
                    break
        if kind is None or _negated(low, *match.span(), match.start()):
            continue
        if tag == "gifted" and GIFTED_PEOPLE.search(_line_around(low, *match.span())):
            continue
        after = _AFTER_TAG.match(low, match.end())
        if brand is None and after is not None and kind != "affiliate":
            brand = brand_at(shown, after.end())
            brand = brand if after.group("word") is None or is_marked(brand) else None
        yield Disclosure(kind, brand, shown[match.start() : match.end()])


# The first letters of a text's words, and the stems that begin with them: most posts are done
# after this one look-up.
_HEADS = re.compile(r"(?<![a-z])[a-z]{2,4}")


def _stems_by_head() -> dict[str, tuple[str, ...]]:
    by_head: dict[str, list[str]] = {}
    for stem in sorted({stem for rule in RULES for stem in rule.stems}):
        head = _HEADS.search(stem)
        by_head.setdefault(head.group() if head else "", []).append(stem)
    return {head: tuple(stems) for head, stems in by_head.items()}


_STEMS = _stems_by_head()


def _present(low: str) -> set[str]:
    heads = _STEMS.keys() & set(_HEADS.findall(low))
    return {stem for head in ("", *heads) for stem in _STEMS[head] if stem in low}


def find_disclosures(text: str) -> tuple[Disclosure, ...]:
    """Everything in `text` that says someone pays, tags first, then phrases; at most "
    "`MOST_FOUND`.

    Never raises on any string. A text that denies it ("not sponsored", "keine Werbung") yields
    nothing for the words denied. Where several name the same brand in the same way, the first
    counts. Where none names a brand and the text mentions exactly one account, other than as a
    credit for the photo, that account is taken to be the brand. Time is linear in the length.
    """
    shown = normalise_text(text)
    low = fold(shown)
    present = _present(low)
    tagged = "#" in low and any(map(_may_disclose, _TAG.findall(low)))
    if not present and not tagged:
        return ()
    shown = _LINES.sub("\n", _SPACES.sub(" ", shown)).strip()
    low = fold(shown)
    found: dict[tuple[Kind, str | None], Disclosure] = {}
    for disclosure in _all_matches(shown, low, present, tagged):
        brand = disclosure.brand
        found.setdefault((disclosure.kind, None if brand is None else brand.casefold()), disclosure)
        if len(found) >= MOST_FOUND:
            break
    # A kind that is found with a brand needs no second entry without one.
    named = {kind for kind, brand in found if brand is not None}
    kept = [d for (kind, brand), d in found.items() if brand is not None or kind not in named]
    if kept and not named:
        mention = _only_mention(shown, low)
        paid = next((i for i, d in enumerate(kept) if d.kind != "affiliate"), None)
        if mention is not None and paid is not None:
            kept[paid] = replace(kept[paid], brand=mention)
    return tuple(kept)


def _all_matches(shown: str, low: str, present: set[str], tagged: bool) -> Iterator[Disclosure]:
    if tagged:
        yield from _tag_matches(shown, low)
    for rule in RULES:
        if not present.isdisjoint(rule.stems):
            yield from _matches(rule, shown, low)


def _only_mention(shown: str, low: str) -> str | None:
    names: dict[str, str] = {}
    for match in _HANDLE.finditer(shown):
        if _CREDIT.search(low[max(0, match.start() - 20) : match.start()]):
            continue
        handle = match.group(1).rstrip(".")
        names.setdefault(handle.casefold(), handle)
        if len(names) > 1:
            return None
    return next(iter(names.values()), None)


# ---------------------------------------------------------------- labelling a table

# Whose name to believe where one text names several: the plainer the relation, the sooner.
_RANK: dict[Kind, int] = {
    "paid_partnership": 0,
    "sponsor_thanks": 1,
    "ad": 2,
    "gifted": 3,
    "discount_code": 4,
    "affiliate": 5,
}


def brand_of(found: Sequence[Disclosure]) -> str | None:
    """The brand a text's disclosures name, the plainest relation first; None where none does."""
    named = [disclosure for disclosure in found if disclosure.brand is not None]
    return min(named, key=lambda d: _RANK[d.kind]).brand if named else None


class Found(NamedTuple):
    """What a text discloses: whether it is an advertisement, and whose where it says so."""

    sponsored: bool
    brand: str | None


def found_in(text: str) -> Found:
    """What one text discloses."""
    found = find_disclosures(text)
    return Found(bool(found), brand_of(found))


def label_posts(
    texts: Sequence[str] | pd.Series,
    is_sponsored: Sequence[object] | pd.Series | NDArray[np.generic] | None = None,
    sponsor: Sequence[object] | pd.Series | NDArray[np.generic] | None = None,
    read: Callable[[list[str]], Sequence[Found]] | None = None,
) -> PostLabels:
    """Which posts are advertisements, and whose.

    The table's own ``is_sponsored`` rules where it is given; where it is missing, a ``sponsor``
    named in the table makes the post an advertisement, and else its text is read. The table's
    ``sponsor`` wins over a brand in the text.

    Args:
        texts: ``(n_posts,)``; anything but a string is read as no text.
        is_sponsored: ``(n_posts,)`` booleans with None, NaN or NA where unknown; None: no column.
        sponsor: ``(n_posts,)`` strings with None, NaN, NA or "" where unknown; None: no column.
        read: What texts disclose, as `found_in` says of each (it may know them from before).

    Raises:
        ValueError: The lengths differ, or a flag is neither boolean nor missing.
    """
    count = len(texts)
    for column_name, column in (("is_sponsored", is_sponsored), ("sponsor", sponsor)):
        if column is not None and len(column) != count:
            raise ValueError(f"{column_name} has {len(column)} values for {count} texts")
    given = [None] * count if is_sponsored is None else [_flag(value) for value in is_sponsored]
    sponsors = [None] * count if sponsor is None else [_name(value) for value in sponsor]
    flags = np.zeros(count, dtype=np.bool_)
    brands = np.full(count, None, dtype=object)
    sources = np.full(count, "table", dtype=object)
    unread = []
    for index, (flag, name) in enumerate(zip(given, sponsors, strict=True)):
        if name is None and flag is not False:
            unread.append(index)
        elif flag is not False:
            flags[index] = True
            brands[index] = name
    every = list(texts)
    written = [every[i] if isinstance(every[i], str) else "" for i in unread]
    found = [found_in(text) for text in written] if read is None else read(written)
    for index, (sponsored, brand) in zip(unread, found, strict=True):
        flags[index] = sponsored if given[index] is None else True
        brands[index] = brand
        sources[index] = "text" if given[index] is None else "table"
    return PostLabels(flags, brands, sources)


def _flag(value: object) -> bool | None:
    if value is None or value is pd.NA:
        return None
    if isinstance(value, (float, np.floating)) and np.isnan(value):
        return None
    if isinstance(value, (bool, np.bool_, int, float, np.number)) and value in (0, 1):
        return bool(value)
    raise ValueError(f"is_sponsored must be true, false or missing, not {value!r}")


def _name(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None

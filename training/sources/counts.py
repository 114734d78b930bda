"""Reads counts as people and pages write them: 12.3K, 1,2 Mio, 12 300, 4.5万.

Knows nothing of rows, columns or files.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from features.table_rules import INTEGER_BELOW
from training.sources.events import Decimals
from training.sources.values import Mark, Unreadable, plain, read_amount

# Short forms of English, German, Spanish, French, Portuguese, Italian, Polish, Russian, Hindi,
# Chinese and Japanese, as pages of the platforms write them. "M" is always a million.
_FACTORS = {
    1_000: "k thousand tsd mil mille tys тыс",
    10_000: "万 萬 만",
    100_000: "l lakh lac",
    1_000_000: "m mm mn mio mill million millions millionen millones mi mln млн",
    10_000_000: "cr crore",
    100_000_000: "億 亿 억",
    1_000_000_000: "b bn mrd milliard milliarden md млрд",
}
_FACTOR = {word: factor for factor, words in _FACTORS.items() for word in words.split()}

# What may stand after a count, and says what is counted.
_COUNTED = re.compile(
    r"\s*(followers?|subscribers?|subs|abonnenten|abonn[ée]s?|follower:innen|seguidores|seguaci|"
    r"likes?|views?|comments?|fans|people)$"
)
_NO_VALUE = frozenset({"", "-", "–", "—", "--", "?", "n/a", "na", "null", "none", "nan", "hidden"})
_SHORT = re.compile(r"(?P<number>[\d.,\s'’_]*\d)\s*(?P<word>[^\W\d_]+)\.?")
_GROUPED = re.compile(r"\d{1,3}(?P<mark>[.,\s'’_])\d{3}(?:(?P=mark)\d{3})*")


def read_count(text: str, decimal: Decimals = "auto", usual: Mark | None = None) -> int | None:
    """A whole number that something was counted to; None where the text says there is none.

    A count has no fraction, so 1.234 and 1,234 are both 1234; before a short form they may be
    either, and are refused unless a mark is told.

    >>> read_count("12.3K"), read_count("1,2 Mio"), read_count("12 300"), read_count("-")
    (12300, 1200000, 12300, None)

    Args:
        text: What was written.
        decimal: The decimal mark, as someone said.
        usual: The decimal mark of the column, for a number that does not show its own.

    Raises:
        Unreadable: It is no count, or may be one of two.
    """
    bare = unicodedata.normalize("NFKC", plain(text)).casefold().strip()
    bare = _COUNTED.sub("", bare)
    if bare in _NO_VALUE:
        return None
    found = _SHORT.fullmatch(bare)
    if found is None:
        if _GROUPED.fullmatch(bare):
            return _whole(Decimal(re.sub(r"\D", "", bare)))
        return _whole(read_amount(bare, decimal, usual).value)
    if found["word"] not in _FACTOR:
        known = "K, M, Mio, Tsd, Mrd"
        raise Unreadable("wrong_type", f"{found['word']!r} is no short form that is known: {known}")
    return _whole(read_amount(found["number"], decimal, usual).value * _FACTOR[found["word"]])


def _whole(value: Decimal) -> int:
    if value != value.to_integral_value():
        raise Unreadable("wrong_type", "a count is a whole number")
    if value < 0:
        raise Unreadable("out_of_range", "a count is not below 0")
    if value >= INTEGER_BELOW:
        raise Unreadable("out_of_range", "a count is below 2**53, which is what tables hold")
    return int(value)

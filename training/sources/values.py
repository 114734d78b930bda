"""Reads values as people and their tools write them: times, money, counts, codes, tags.

Where a text may mean two things it is refused, unless someone said which. Knows nothing of rows,
columns or files.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from features.schemas import is_currency
from training.sources.events import TAG_KEYS, Decimals, Reading, Span, days, point

Mark = Literal["point", "comma"]


class Unreadable(ValueError):
    """A value that cannot be read; `kind` is the fault's, the message its reason."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        super().__init__(reason)


# ---------------------------------------------------------------- text

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_UNSEEN = ("Cc", "Cf")

# What analytics write where there is no value.
_NO_TAG = frozenset({"(not set)", "(none)", "(direct)", "(not provided)", "(data not available)"})


def plain(text: str) -> str:
    """Text without blanks around it and with its HTML entities read.

    >>> plain(" A&amp;B ")
    'A&B'
    """
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found.group()), text)
    return text.strip()


def key(text: str) -> str:
    """A code or tag as it is compared: NFKC, case folded, no blanks around, nothing unseen.

    >>> key("  Luma10\\u200b") == key("LUMA10")
    True
    """
    text = unicodedata.normalize("NFKC", plain(text))
    if not text.isascii() or not text.isprintable():
        text = "".join(c for c in text if c == " " or unicodedata.category(c) not in _UNSEEN)
    return text.strip().casefold()


def tags_of(values: Mapping[str, str | None]) -> dict[str, str]:
    """UTM values by key, normalised, without those that say there is none."""
    written = ((name, values.get(name)) for name in TAG_KEYS)
    found = {name: key(unquote_plus(value)) for name, value in written if value}
    return {name: value for name, value in found.items() if value and value not in _NO_TAG}


def tags_in_url(url: str) -> dict[str, str]:
    """The UTM values in an address's query, as they were written.

    >>> tags_in_url("/?a=1&amp;utm_source=Instagram&utm_content=mia")
    {'utm_source': 'Instagram', 'utm_content': 'mia'}
    """
    query = plain(url).partition("?")[2].partition("#")[0]
    return {name.lower(): value for name, value in parse_qsl(query) if name.lower() in TAG_KEYS}


def shown_tags(values: Mapping[str, str | None]) -> str:
    """UTM values as one text for a list: `utm_content=mia utm_source=instagram`."""
    return " ".join(f"{name}={values[name]}" for name in TAG_KEYS if values.get(name))


# ---------------------------------------------------------------- time

_CLOCK = (
    r"(?:(?:T|,?\s+(?:at\s+)?)(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp])?(?:(?<=[AaPp])\.?[Mm]\.?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"
)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})" + _CLOCK, re.A
)
_COMPACT = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})", re.A)
_COMPACT_HOUR = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?P<hour>\d{2})", re.A)
_YEAR_LAST = re.compile(
    r"(?P<one>\d{1,2})([-/.])(?P<two>\d{1,2})\2(?P<year>\d{4}|\d{2})" + _CLOCK, re.A
)
# A weekday and a comma may stand before it, "de" between: "martes, 3 de marzo de 2026".
_DAY_NAMED = re.compile(
    r"(?:[A-Za-z]{2,10}\.?,\s*)?(?P<day>\d{1,2})(?:st|nd|rd|th|er|o|\.)?[\s-]+(?:de\s+)?"
    r"(?P<name>[A-Za-z]{3,10})\.?,?[\s-]+(?:de\s+)?(?P<year>\d{4})" + _CLOCK,
    re.A,
)
_MONTH_NAMED = re.compile(
    r"(?:[A-Za-z]{2,10}\.?,\s*)?"
    r"(?P<name>[A-Za-z]{3,10})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})" + _CLOCK,
    re.A,
)
# In English, German, Spanish, French, Italian, Portuguese and Dutch, without accents.
_MONTHS = (
    "january januar janner enero janvier gennaio janeiro januari",
    "february februar feber febrero fevrier febbraio fevereiro februari",
    "march marz maerz marzo mars marco maart mrt",
    "april abril avril aprile",
    "may mai mayo maggio maio mei",
    "june juni junio juin giugno junho",
    "july juli julio juillet luglio julho",
    "august agosto aout augustus",
    "september septiembre setiembre septembre settembre setembro",
    "october oktober octubre octobre ottobre outubro",
    "november noviembre novembre novembro",
    "december dezember diciembre decembre dicembre dezembro",
)

# The years that the contract's tables take.
_FIRST_YEAR, _LAST_YEAR = 1970, 2100


def read_time(text: str, reading: Reading) -> Span:
    """The moment a text names, or the whole day where it names no more than that.

    Read without being told: ISO 8601, a date with the year first, a month by its name in seven
    languages, and a date that only one order of day and month makes possible. A time without a
    zone lies in the reading's.

    Raises:
        Unreadable: It is no time, or may be one of two dates.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    found = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    if found:
        return _span(found, int(found["month"]), int(found["day"]), reading)
    if reading.dates == "iso":
        raise Unreadable("wrong_type", "not an ISO 8601 time, and --dates iso allows no other")
    if (found := _YEAR_LAST.fullmatch(text)) is not None:
        month, day = _month_and_day(int(found["one"]), int(found["two"]), reading)
        return _span(found, month, day, reading)
    if (found := _COMPACT_HOUR.fullmatch(text)) is not None:
        return _hour(found, reading)
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    found = _DAY_NAMED.fullmatch(bare) or _MONTH_NAMED.fullmatch(bare)
    if found and (month_named := _month_of(found["name"])) is not None:
        return _span(found, month_named, int(found["day"]), reading)
    raise Unreadable(
        "wrong_type", "not a time that is understood; write 2026-04-03 or 2026-04-03 14:30:00 +0200"
    )


def _month_of(name: str) -> int | None:
    """The month of a name or its first letters; None where there is none, or more than one."""
    name = name.lower()
    found = {
        number
        for number, names in enumerate(_MONTHS, 1)
        if any(one.startswith(name) for one in names.split())
    }
    return found.pop() if len(found) == 1 else None


def _month_and_day(one: int, two: int, reading: Reading) -> tuple[int, int]:
    if reading.dates == "dmy":
        return two, one
    if reading.dates == "mdy" or one == two:
        return one, two
    if one > 12 >= two:
        return two, one
    if two > 12 >= one:
        return one, two
    raise Unreadable(
        "ambiguous_date",
        "may be day first or month first; say which: --dates dmy or --dates mdy",
    )


def _span(found: re.Match[str], month: int, day: int, reading: Reading) -> Span:
    parts = found.groupdict()
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year += 2000
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise Unreadable("out_of_range", "the time lies outside the years 1970 to 2100")
    try:
        if parts.get("hour") is None:
            date = datetime(year, month, day)
            return days(date, date, reading.zone)
        hour = int(parts["hour"])
        if parts["half"]:
            if not 1 <= hour <= 12:
                raise ValueError
            hour = hour % 12 + (12 if parts["half"] in "Pp" else 0)
        micros = int((parts["fraction"] or "").ljust(6, "0")[:6])
        clock = (hour, int(parts["minute"]), int(parts["second"] or 0), micros)
        zone = reading.zone if parts["zone"] is None else _offset(parts["zone"])
        return point(datetime(year, month, day, *clock, tzinfo=zone))
    except ValueError:
        reason = f"no calendar has that time (read as year {year}, month {month}, day {day})"
        raise Unreadable("wrong_type", reason) from None


def _hour(found: re.Match[str], reading: Reading) -> Span:
    """Analytics write a date and hour as 2026040314."""
    year, month, day, hour = (int(found[name]) for name in ("year", "month", "day", "hour"))
    try:
        start = datetime(year, month, day, hour, tzinfo=reading.zone)
    except ValueError:
        raise Unreadable("wrong_type", "no calendar has that hour") from None
    first = point(start).start_us
    return Span(first, first + 3_600_000_000, whole_days=True)


def _offset(text: str) -> timezone:
    if text in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


# ---------------------------------------------------------------- numbers

_DOLLARS = [
    "USD",
    "CAD",
    "AUD",
    "NZD",
    "SGD",
    "HKD",
    "TWD",
    "MXN",
    "ARS",
    "CLP",
    "COP",
    "UYU",
    "DOP",
    "JMD",
    "TTD",
    "BBD",
    "BSD",
    "BZD",
    "FJD",
]
_SYMBOLS: dict[str, frozenset[str]] = {
    "$": frozenset(_DOLLARS),
    "€": frozenset({"EUR"}),
    "£": frozenset({"GBP", "EGP", "GIP", "FKP", "SHP"}),
    "¥": frozenset({"JPY", "CNY"}),
    "₹": frozenset({"INR"}),
    "₩": frozenset({"KRW"}),
    "₽": frozenset({"RUB"}),
    "₺": frozenset({"TRY"}),
    "₪": frozenset({"ILS"}),
    "₫": frozenset({"VND"}),
    "₱": frozenset({"PHP"}),
    "฿": frozenset({"THB"}),
    "kr": frozenset({"SEK", "NOK", "DKK", "ISK"}),
    "zł": frozenset({"PLN"}),
    "kč": frozenset({"CZK"}),
    "ft": frozenset({"HUF"}),
    "fr": frozenset({"CHF"}),
    "r$": frozenset({"BRL"}),
    "us$": frozenset({"USD"}),
    "c$": frozenset({"CAD"}),
    "ca$": frozenset({"CAD"}),
    "a$": frozenset({"AUD"}),
    "au$": frozenset({"AUD"}),
    "nz$": frozenset({"NZD"}),
}
# Blanks of every width, and the apostrophes and low line that some write between thousands.
_BLANKS = re.compile(r"[\s'’_]+")
_MONEY = re.compile(
    r"(?P<before>[^\d.,+-]*)(?P<digits>[0-9.,]*[0-9][.,]?)(?P<after>[^\d.,]*)", re.A
)

_MARKS: dict[Mark, str] = {"point": ".", "comma": ","}


class Amount(NamedTuple):
    """A number with the currencies its sign may stand for, or None where it has no sign."""

    value: Decimal
    currencies: frozenset[str] | None


def usual_mark(texts: Iterable[str], fallback: Mark | None = None) -> Mark | None:
    """The decimal mark of a column, as all its values that are clear have it.

    Args:
        texts: The column's values.
        fallback: What to take where no value is clear, or they differ; None: leave it open.
    """
    found = {clear for text in texts if (clear := _clear_mark(text)) is not None}
    return found.pop() if len(found) == 1 else fallback


def _clear_mark(text: str) -> Mark | None:
    """The decimal mark a number shows by itself: 1.234,50 a comma, 1,234,567 a point."""
    if "," not in text and "." not in text:
        return None
    found = _MONEY.fullmatch(_bare(text)[0])
    if not found:
        return None
    digits = found["digits"]
    point_at, comma_at = digits.rfind("."), digits.rfind(",")
    if point_at < 0 and comma_at < 0:
        return None
    if point_at >= 0 and comma_at >= 0:
        return "point" if point_at > comma_at else "comma"
    own: Mark = "point" if point_at >= 0 else "comma"
    if digits.count(_MARKS[own]) > 1:
        return "comma" if own == "point" else "point"
    head, _, tail = digits.partition(_MARKS[own])
    if len(tail) == 3 and 1 <= len(head) <= 3 and not head.startswith("0"):
        return None
    return own


def read_amount(text: str, decimal: Decimals = "auto", usual: Mark | None = None) -> Amount:
    """A number with whatever thousands separators, sign of currency and sign it has.

    Args:
        text: Such as `$1,234.50`, `1.234,50 €`, `(12.00)`, `EUR -5`.
        decimal: The decimal mark, as someone said; then no other is read.
        usual: The decimal mark of the column, for a number that does not show its own.

    Raises:
        Unreadable: It is no number, or may be one of two.
    """
    bare, negative = _bare(text)
    found = _MONEY.fullmatch(bare)
    if not found or (found["before"] and found["after"]):
        raise Unreadable("wrong_type", "not a number; write it such as 1234.50")
    currencies = _currencies(found["before"] or found["after"])
    digits = found["digits"]
    mark = (_clear_mark(digits) or usual) if decimal == "auto" else decimal
    if mark is None and ("." in digits or "," in digits):
        raise Unreadable(
            "ambiguous_number",
            "may be thousands or a fraction; say which: --decimal point or --decimal comma",
        )
    return Amount(_decimal(digits, mark) * (-1 if negative else 1), currencies)


def _bare(text: str) -> tuple[str, bool]:
    """The text without blanks and sign, and whether the sign was a minus (or in brackets)."""
    text = _BLANKS.sub("", unicodedata.normalize("NFKC", plain(text)).replace("−", "-"))
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1], True
    signs = text.count("-")
    if signs == 1 and (text.endswith("-") or re.fullmatch(r"[^\d.,]*-[^\d]*[\d.,]+.*", text)):
        return text.replace("-", ""), True
    return text.removeprefix("+"), False


def _currencies(sign: str) -> frozenset[str] | None:
    if not sign:
        return None
    known = _SYMBOLS.get(sign.casefold().rstrip("."))
    if known is None and is_currency(sign.upper()):
        known = frozenset({sign.upper()})
    if known is None:
        raise Unreadable(
            "wrong_type", f"{sign!r} is no currency that is known; write an ISO 4217 code"
        )
    return known


def _decimal(digits: str, mark: Mark | None) -> Decimal:
    fraction = _MARKS[mark or "point"]
    thousands = "," if fraction == "." else "."
    whole, _, part = digits.partition(fraction)
    groups = whole.split(thousands)
    grouped = all(len(g) in (2, 3) for g in groups[1:-1]) and len(groups[-1]) == 3
    if (len(groups) > 1 and not (grouped and 1 <= len(groups[0]) <= 3)) or not (
        part.isdigit() or not part
    ):
        raise Unreadable(
            "wrong_type",
            f"not a number with a decimal {mark}: its separators are not where thousands end",
        )
    return Decimal(f"{''.join(groups) or '0'}.{part or '0'}")

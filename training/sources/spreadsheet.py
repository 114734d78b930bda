"""A spreadsheet (CSV or XLSX) of creators, posts or sponsorships, with the user's own column names.

Which column is which field is guessed from the names and shown before anything is done; `--map`
says otherwise. A creator that is in the tables already is found by platform and handle. Knows
nothing of how platforms answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import langcodes
import pycountry

from features.schemas import PLATFORMS, DataError, is_country, is_currency, is_language
from features.table_files import read_folder
from features.tables import check_table
from training.sources.cells import Cells
from training.sources.columns import bare, find_columns, show_columns
from training.sources.events import from_us
from training.sources.json_files import file_time
from training.sources.observed import Gathering, Record, creator_id, post_id
from training.sources.outcomes import Reporter, Request
from training.sources.platforms import import_gathered
from training.sources.spreadsheet_names import ALIASES, PLATFORM_NAMES, REQUIRED
from training.sources.text_files import Section, decode, read_bytes, read_sections
from training.sources.values import key
from training.sources.xlsx import ENDINGS, read_workbook
from training.sources.youtube import channel_of_url

NAME = "spreadsheet"

# Ids of creators by platform and bare handle.
Known = Mapping[tuple[str, str], str]

_URL = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?"
    r"(?P<site>instagram|youtube|tiktok|twitch|twitter|x|facebook|pinterest)\.(?:com|tv)"
    r"/(?:@|c/|user/|channel/)?(?P<name>[\w.\-]+)",
    re.IGNORECASE,
)
# What stands in a post's address where an account's has a name.
_NO_NAMES = frozenset({"p", "reel", "reels", "tv", "stories", "watch", "shorts", "video", "status"})
_YOUTUBE_VIDEO = re.compile(r"(?:youtu\.be/|[?&]v=|/shorts/)([\w-]{11})")
_TIKTOK_VIDEO = re.compile(r"tiktok\.com/@[\w.]+/video/(\d+)")
_YES = frozenset({"true", "yes", "y", "1", "x", "ja", "j", "si", "sí", "oui", "sim", "✓", "✔"})
_NO = frozenset({"false", "no", "n", "0", "nein", "non", "não", "nao", "✗"})
# Names of countries in daily use that ISO 3166 does not list.
_COUNTRIES = {"uk": "GB", "england": "GB", "great britain": "GB", "deutschland": "DE"}


def import_spreadsheet(request: Request, report: Reporter) -> Sequence[Mapping[str, Any]]:
    """Import a spreadsheet; with `dry_run` it shows what it would do.

    Raises:
        InvalidTables: A column is missing, or a value cannot be read; nothing was written.
        DataError: A file cannot be read, or which table it is cannot be told.
    """
    if request.platform is not None and request.platform not in PLATFORMS:
        raise DataError(f"--platform {request.platform}: there are {', '.join(PLATFORMS)}")
    if not request.files:
        raise DataError("name the spreadsheet: a file of CSV or XLSX")
    sections: list[tuple[Section, datetime]] = []
    with report.step("Reading spreadsheets", len(request.files)) as done:
        for path in request.files:
            at = request.observed_at
            found = _sections(path, request)
            sections += [(section, at or file_time(path)) for section in found]
            done(1)
    table = request.table or _guess(sections, request.reading.columns, report)
    if table not in ALIASES:
        raise DataError(f"--table {table}: there are {', '.join(ALIASES)}")
    into = Gathering(NAME)
    columns = []
    for section, _ in sections:
        where = find_columns(
            section, NAME, ALIASES[table], request.reading.columns, REQUIRED[table]
        )
        report.say(f"{table} from {show_columns(section, where)}")
        columns.append(where)
    known = _known(request.out)
    for (section, at), where in zip(sections, columns, strict=True):
        cells = Cells(section, NAME, where, request.reading)
        _READERS[table](_Sheet(cells, at, request, known, into))
        into.faults += cells.faults
        into.told += cells.told()
    return import_gathered(request, into, report)


def _sections(path: Path, request: Request) -> Sequence[Section]:
    if path.suffix.lower() in ENDINGS:
        return read_workbook(path, NAME, request.reading.decimal)
    text = decode(read_bytes(path, NAME), str(path), NAME, request.reading.encoding)
    return read_sections(text, str(path), NAME)


def _guess(
    sections: Sequence[tuple[Section, datetime]], told: Mapping[str, str], report: Reporter
) -> str:
    """The table that most of the columns are of, among those whose required columns are there."""
    names = {bare(name) for section, _ in sections for name in section.header}
    found = {
        table: {field for field, usual in fields.items() if field in told or names & set(usual)}
        for table, fields in ALIASES.items()
    }
    sizes = {table: len(n) for table, n in found.items() if n and n >= set(REQUIRED[table])}
    best = max(sizes, key=lambda table: sizes[table], default="")
    if not best or list(sizes.values()).count(sizes[best]) > 1:
        raise DataError(f"which table is it? say --table {'|'.join(ALIASES)}")
    report.say(f"taken for a table of {best}; --table says otherwise")
    return best


def _known(folder: Path) -> Known:
    """Creators that stand in a folder, by platform and handle."""
    if ":/" in str(folder) or not folder.exists():
        return {}
    raw = read_folder(folder, ("creators",)).tables.get("creators")
    if raw is None:
        return {}
    frame = check_table(raw, None).frame.dropna(subset=["creator_id", "platform", "handle"])
    rows = zip(frame["platform"], frame["handle"], frame["creator_id"], strict=True)
    return {(platform, _bare(handle)): own for platform, handle, own in rows}


def _bare(handle: str) -> str:
    return key(handle).removeprefix("@")


# ---------------------------------------------------------------- rows


class _Sheet:
    """One sheet while its rows become records."""

    def __init__(
        self, cells: Cells, at: datetime, request: Request, known: Known, into: Gathering
    ) -> None:
        self.cells, self.into, self.request = cells, into, request
        self._at, self._known = at, known

    def whose(self) -> tuple[str, str, str] | None:
        """The present row's creator: id, platform and handle; None, and a fault, without one."""
        cells = self.cells
        said, handle = cells.text("creator_id"), cells.text("handle")
        in_handle, in_url = _URL.search(handle), _URL.search(cells.text("url"))
        link = in_handle or in_url
        if link and (in_handle or not (handle or said)) and link["name"] not in _NO_NAMES:
            handle = link["name"]
        platform = self._platform(link["site"] if link else "")
        if said:
            return said, platform or "other", handle.removeprefix("@") or said
        if not handle:
            cells.refuse("handle", "missing_value", "whose row is it? a handle or an id is needed")
            return None
        if platform is None:
            reason = "on which platform? map a column, or say --platform instagram"
            cells.refuse("platform", "missing_value", reason)
            return None
        handle = handle.removeprefix("@")
        channel = channel_of_url(cells.text("url")) if platform == "youtube" else None
        own = self._known.get((platform, _bare(handle)))
        return own or creator_id(platform, channel or handle), platform, handle

    def _platform(self, site: str) -> str | None:
        said = key(self.cells.text("platform")) or site.casefold() or (self.request.platform or "")
        said = PLATFORM_NAMES.get(said, said)
        return (said if said in PLATFORMS else "other") if said else None

    def observed_at(self) -> datetime:
        """When the present row was so: its own time, else the file's."""
        span = self.cells.time("observed_at")
        return self._at if span is None else from_us(span.start_us)

    def moment(self, name: str, end: bool = False) -> datetime | None:
        """A field as a moment; a day alone is its start, or its end."""
        span = self.cells.time(name)
        if span is None:
            return None
        return from_us(span.end_us if end and span.whole_days else span.start_us)

    def flag(self, name: str) -> bool | None:
        """A field as yes or no."""
        text = key(self.cells.text(name))
        if text and text not in _YES | _NO:
            self.cells.refuse(name, "wrong_type", "neither yes nor no")
        return text in _YES if text in _YES | _NO else None

    def price(self, name: str) -> tuple[float | None, str | None]:
        """An amount and its currency: the column's, else its sign's, else the usual one."""
        amount = self.cells.amount(name)
        if amount is None:
            return None, None
        usual = self.request.reading.currency
        said = key(self.cells.text("currency")).upper()
        if said and not is_currency(said):
            self.cells.refuse("currency", "bad_code", "not an ISO 4217 currency, such as USD")
            return None, None
        if said or amount.currencies is None or usual in amount.currencies:
            return float(amount.value), said or usual
        if len(amount.currencies) > 1:
            reason = "its sign may be of several currencies; map a column of currencies"
            self.cells.refuse(name, "ambiguous_currency", reason)
            return None, None
        return float(amount.value), next(iter(amount.currencies))

    def add(
        self,
        table: str,
        values: Mapping[str, Any],
        at: datetime,
        otherwise: Mapping[str, Any] | None = None,
    ) -> None:
        """Note a record of the present row."""
        place = (table, self.cells.section.file, self.cells.row)
        self.into.records.append(Record(*place, values, at, otherwise or {}))


def _creators(sheet: _Sheet) -> None:
    cells = sheet.cells
    for _ in cells:
        before = len(cells.faults)
        whose, at = sheet.whose(), sheet.observed_at()
        followers = cells.count("follower_count")
        price, currency = sheet.price("price_per_post")
        gifting = sheet.flag("accepts_gifting")
        if whose is None or len(cells.faults) > before:
            continue
        own, platform, handle = whose
        values = {
            "creator_id": own,
            "follower_count": followers,
            "price_per_post": price,
            "currency": currency,
            "accepts_gifting": gifting,
            "country": _country(sheet),
            "language": _language(sheet),
            "niche": key(cells.text("niche")) or None,
            **{name: cells.text(name) or None for name in ("display_name", "bio", "url")},
        }
        # By its handle a creator is found; what its platform says of it stays.
        sheet.add("creators", values, at, {"platform": platform, "handle": handle})
        if followers is not None:
            observed = {"creator_id": own, "observed_at": at, "follower_count": followers}
            sheet.add("followers", observed, at)


def _posts(sheet: _Sheet) -> None:
    cells = sheet.cells
    for _ in cells:
        before = len(cells.faults)
        whose, at = sheet.whose(), sheet.observed_at()
        counts = {n: cells.count(n) for n in ("likes", "comments", "views", "shares", "saves")}
        published, sponsored = sheet.moment("published_at"), sheet.flag("is_sponsored")
        for name in ("published_at", "likes", "comments"):
            if not cells.text(name):
                cells.refuse(name, "missing_value", "a value is required here")
        if whose is None or len(cells.faults) > before:
            continue
        own, platform, handle = whose
        text, link = cells.text("text"), cells.text("url")
        _named(sheet, own, platform, handle, at)
        values = {
            "post_id": _post(cells.text("post_id"), link, platform, own, published, text),
            "creator_id": own,
            "published_at": published,
            "text": text,
            **counts,
            "url": link or None,
            "is_sponsored": sponsored,
            "sponsor": cells.text("sponsor") or None,
        }
        sheet.add("posts", values, at)


def _sponsorships(sheet: _Sheet) -> None:
    cells = sheet.cells
    for _ in cells:
        before = len(cells.faults)
        whose, at = sheet.whose(), sheet.observed_at()
        counts = {n: cells.count(n) for n in ("impressions", "clicks", "conversions")}
        started, resolved = sheet.moment("started_at"), sheet.moment("resolved_at", end=True)
        money = {n: cells.money(n) for n in ("cost", "revenue")}
        for name in REQUIRED["sponsorships"]:
            if not cells.text(name):
                cells.refuse(name, "missing_value", "a value is required here")
        if whose is None or len(cells.faults) > before:
            continue
        own, platform, handle = whose
        campaign = cells.text("campaign_id")
        _named(sheet, own, platform, handle, at)
        values = {
            "sponsorship_id": cells.text("sponsorship_id") or _digest(own, campaign, started),
            "creator_id": own,
            "campaign_id": campaign,
            "brand": cells.text("brand"),
            "brief": cells.text("brief"),
            "started_at": started,
            "resolved_at": resolved,
            **counts,
            **{name: None if value is None else float(value) for name, value in money.items()},
            "post_id": cells.text("post_id") or None,
        }
        sheet.add("sponsorships", values, at)


_READERS: dict[str, Callable[[_Sheet], None]] = {
    "creators": _creators,
    "posts": _posts,
    "sponsorships": _sponsorships,
}


def _named(sheet: _Sheet, own: str, platform: str, handle: str, at: datetime) -> None:
    """The creator of a row that is about something else."""
    sheet.add("creators", {"creator_id": own}, at, {"platform": platform, "handle": handle})


def _post(said: str, link: str, platform: str, own: str, at: datetime | None, text: str) -> str:
    """A post's key: the platform's id of it, as said or in its address, else made of the row."""
    if said:
        return said if said.startswith(f"{platform}:") else post_id(platform, said)
    found = _YOUTUBE_VIDEO.search(link) if platform == "youtube" else _TIKTOK_VIDEO.search(link)
    return post_id(platform, found[1]) if found else _digest(own, at, link or text)


def _digest(*parts: object) -> str:
    """A key made of a row's content: the same row gives the same key again."""
    joined = "\x1f".join(str(part) for part in parts)
    return f"sheet:{hashlib.sha256(joined.encode()).hexdigest()[:20]}"


def _country(sheet: _Sheet) -> str | None:
    """A country by its code or its English name; one that is not known is counted."""
    text = sheet.cells.text("country")
    if not text or is_country(text.upper()):
        return text.upper() or None
    try:
        return _COUNTRIES.get(key(text)) or str(pycountry.countries.lookup(text).alpha_2)
    except LookupError:
        sheet.into.left_out["countries that are not known"] += 1
        return None


def _language(sheet: _Sheet) -> str | None:
    """A language by its tag or its English name; one that is not known is counted."""
    text = sheet.cells.text("language")
    if not text:
        return None
    tag = text.replace("_", "-")
    try:
        if not is_language(tag):
            tag = str(pycountry.languages.lookup(text).alpha_2)
        return langcodes.standardize_tag(tag)
    except (LookupError, AttributeError, ValueError):  # langcodes' own error is a ValueError
        sheet.into.left_out["languages that are not known"] += 1
        return None

"""Fetches channels and their latest videos from the YouTube Data API, and imports them.

channels.list, then the playlist of uploads page by page, then videos.list for 50 at a time: one
unit of quota for each request. Nothing is written into the tables before all has come. Knows
nothing of HTTP (`youtube_client`) nor of what an answer says of a creator (`youtube`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.schemas import DataError
from training.sources.json_files import Answer
from training.sources.observed import Gathering
from training.sources.outcomes import Fetch, Reporter, Request
from training.sources.platforms import import_gathered
from training.sources.youtube import NAME, read_youtube
from training.sources.youtube_client import Client, NotThere, Page

# The most ids a request takes, and the most entries a page has (the API's reference).
AT_ONCE = 50

_CHANNEL_PARTS = "snippet,statistics,contentDetails,brandingSettings"
_VIDEO_PARTS = "snippet,statistics,paidProductPlacementDetails"
_CHANNEL_ID = re.compile(r"UC[\w-]{22}")


def log_of(folder: Path) -> Path:
    """Where the pages of a fetch into a folder are kept: beside it, for it may not be there yet."""
    return folder.with_name(f"{folder.name}.youtube-fetch.jsonl")


def fetch_youtube(
    request: Request,
    fetch: Fetch,
    report: Reporter,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Sequence[Mapping[str, Any]]:
    """Fetch channels and import them; a fetch that was stopped goes on.

    Args:
        request: Where the tables are, and how to write them.
        fetch: What to fetch.
        report: Where steps and facts are told.
        sleep: Waits so many seconds.
        now: The time in UTC.

    Raises:
        QuotaSpent: The day's quota is spent; what came is kept, and no table was changed.
        DataError: YouTube refused or did not answer, none of the channels is there, or the
            tables cannot be written.
    """
    channels = _distinct(fetch.channels)
    log = log_of(request.out)
    asked = {"channels": channels, "videos": fetch.videos, "api": fetch.api_url}
    told = (fetch.api_key, fetch.api_url, fetch.quota)
    with Client(log, asked, *told, sleep=sleep, now=now) as client:
        if client.resumed:
            report.say(f"going on with a fetch that was stopped; its pages are in {log}")
        pages = _channels(client, channels, report)
        pages += _uploads(client, pages, fetch.videos, report)
        report.say(
            f"{client.fetched:,} pages fetched, {client.unchanged:,} of them unchanged, "
            f"{client.kept:,} from {log}; {client.spent:,} of {fetch.quota:,} units spent today"
        )
        into = Gathering(NAME)
        answers = [
            Answer(f"{NAME}:{name}", 1, page.value, request.observed_at or page.observed_at)
            for name, page in pages
        ]
        read_youtube(answers, request.reading, into)
        imported = import_gathered(request, into, report)
        if not request.dry_run:
            client.end()
        return imported


def _distinct(channels: Sequence[str]) -> list[str]:
    """The channels as they are asked for, each once: ids as they are, handles with their @."""
    found = [part.strip() for text in channels for part in text.split(",") if part.strip()]
    if not found:
        raise DataError("--channels names none: write @handle or UC…, with commas between")
    named = [n if _CHANNEL_ID.fullmatch(n) else f"@{n.removeprefix('@').casefold()}" for n in found]
    return list(dict.fromkeys(named))


def _channels(client: Client, channels: Sequence[str], report: Reporter) -> list[tuple[str, Page]]:
    """The pages of the channels: by id 50 at a time, by handle one at a time."""
    ids = [name for name in channels if not name.startswith("@")]
    asks: list[tuple[dict[str, str], list[str]]] = [
        ({"id": ",".join(ids[i : i + AT_ONCE])}, ids[i : i + AT_ONCE])
        for i in range(0, len(ids), AT_ONCE)
    ]
    asks += [({"forHandle": name}, [name]) for name in channels if name.startswith("@")]
    pages, missing = [], []
    with report.step("Fetching channels", len(channels)) as done:
        for ask, names in asks:
            page = client.get("channels", part=_CHANNEL_PARTS, maxResults=AT_ONCE, **ask)
            pages.append(("channels", page))
            found = {str(one.get("id")) for one in _items(page)}
            gone = [n for n in names if n not in found] if "id" in ask else [] if found else names
            missing += gone
            done(len(names))
    if len(missing) == len(channels):
        raise DataError(f"YouTube knows none of these channels: {', '.join(missing[:10])}")
    if missing:
        report.say(f"YouTube does not know {len(missing):,} channels: {', '.join(missing[:10])}")
    return pages


def _uploads(
    client: Client, channels: Sequence[tuple[str, Page]], videos: int, report: Reporter
) -> list[tuple[str, Page]]:
    """The pages of the channels' latest videos."""
    items = {str(one.get("id")): one for _, page in channels for one in _items(page)}
    found: dict[str, None] = {}
    with report.step("Fetching uploads", len(items)) as done:
        for item in items.values():
            details = item.get("contentDetails")
            related = details.get("relatedPlaylists") if isinstance(details, dict) else None
            playlist = related.get("uploads") if isinstance(related, dict) else None
            if playlist:
                found |= dict.fromkeys(_latest(client, str(playlist), videos))
            done(1)
    ids = list(found)
    pages = []
    with report.step("Fetching videos", len(ids)) as done:
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            page = client.get("videos", part=_VIDEO_PARTS, id=",".join(some), maxResults=AT_ONCE)
            pages.append(("videos", page))
            done(len(some))
    return pages


def _latest(client: Client, playlist: str, videos: int) -> list[str]:
    """Ids of the videos in a playlist, the first so many; none where it is not there."""
    found: list[str] = []
    token: dict[str, str] = {}
    while len(found) < videos:
        ask = {"part": "contentDetails", "playlistId": playlist, **token}
        try:
            page = client.get("playlistItems", maxResults=AT_ONCE, **ask)
        except NotThere:  # a channel that never uploaded has a playlist in name alone
            return found
        details = [one.get("contentDetails") for one in _items(page)]
        found += [
            str(one["videoId"]) for one in details if isinstance(one, dict) and "videoId" in one
        ]
        following = page.value.get("nextPageToken")
        if not following:
            break
        token = {"pageToken": str(following)}
    return found[:videos]


def _items(page: Page) -> list[dict[str, Any]]:
    items = page.value.get("items", [])
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []

"""Asks the YouTube Data API: one page at a time, within a quota, again where it fails, only once.

Every page that came is in a log, which is written before the page is used: whoever asks for it
again is answered from there, so that a fetch which was stopped goes on where it was. A page of an
earlier fetch is asked for with its ETag, and taken again where nothing changed. The key is sent
in a header, so that it stands in no address. Knows nothing of what a page means.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from features.schemas import DataError

API_URL = "https://www.googleapis.com/youtube/v3"

# Units of quota a request costs, and what a project may spend in a day unless it asked for more
# (the API's pages on quota). The day begins at midnight Pacific time.
COSTS = {"channels": 1, "playlistItems": 1, "videos": 1}
DAILY_QUOTA = 10_000
_DAYS_OF = ZoneInfo("America/Los_Angeles")

# Reasons of a 403: nothing comes today any more, or not so fast.
_SPENT = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_TOO_FAST = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})

# Waits of 1, 2, 4, 8, 16 s, each with up to as much again by chance, so that many clients do not
# come back together: Google's advice on truncated exponential backoff.
TRIES = 6
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_TIMEOUT_S = 30.0


class QuotaSpent(DataError):
    """No more may be asked for today; what came so far is kept."""


class NotThere(DataError):
    """What was asked for does not exist."""


@dataclass(frozen=True)
class Page:
    """One answer: what it holds, and when it was given."""

    value: Mapping[str, Any]
    observed_at: datetime


@dataclass
class _Log:
    """What stands in a log of pages.

    Attributes:
        asked: What the fetch that it is of was to fetch.
        ended: Whether that fetch was finished.
        pages: That fetch's pages by request.
        earlier: Pages of fetches before it.
        spent: Units of quota by day.
    """

    asked: Any = None
    ended: bool = True
    pages: dict[str, Page] = field(default_factory=dict)
    earlier: dict[str, Page] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)


class Client:
    """Answers requests from the log of pages, else from the API.

    Args:
        log: File of pages; made where there is none.
        asked: What is to be fetched. A fetch of the same that was stopped is gone on with; else a
            new one begins, and every page is asked for again.
        api_key: The key.
        api_url: Where the API answers.
        quota: Units that may be spent in a day, those of earlier fetches that day included.
        sleep: Waits so many seconds.
        now: The time in UTC.

    Attributes:
        resumed: Whether a fetch that was stopped is gone on with.
        fetched: How many pages came from the API.
        kept: How many pages were in the log.
        unchanged: How many pages were the same as in an earlier fetch.

    Raises:
        DataError: The log is not one, or cannot be written.
    """

    def __init__(
        self,
        log: Path,
        asked: Any,
        api_key: str,
        api_url: str = API_URL,
        quota: int = DAILY_QUOTA,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path, self._quota, self._sleep, self._now = log, quota, sleep, now
        self._http = httpx.Client(
            base_url=api_url.rstrip("/") + "/",
            headers={"X-Goog-Api-Key": api_key},
            timeout=_TIMEOUT_S,
        )
        self._jitter = random.Random()
        self.fetched = self.kept = self.unchanged = 0
        found = _read_log(log)
        self.resumed = not found.ended and found.asked == asked
        self._spent = found.spent
        self._pages = found.pages if self.resumed else {}
        self._earlier = found.earlier if self.resumed else found.earlier | found.pages
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            if not self.resumed:
                self._begin(asked)
            self._file = log.open("ab")
        except OSError as error:
            raise DataError(f"{log}: cannot be written: {error.strerror}") from None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._file.close()

    def get(self, method: str, **parameters: str | int) -> Page:
        """A page; from the log where it is there.

        Raises:
            QuotaSpent: It would cost more than is left of the day's quota.
            NotThere: What was asked for does not exist.
            DataError: The API refused, or did not answer after `TRIES` tries.
        """
        request = f"{method}?{httpx.QueryParams(sorted(parameters.items()))}"
        if request in self._pages:
            self.kept += 1
            return self._pages[request]
        page = self._fetch(method, parameters, request)
        self.fetched += 1
        self._pages[request] = page
        at = page.observed_at.isoformat()
        self._note({"request": request, "at": at, "page": page.value})
        return page

    def end(self) -> None:
        """Note that the fetch is finished: the next one begins anew."""
        self._note({"ended": self._now().isoformat()})

    @property
    def spent(self) -> int:
        """Units spent today."""
        return self._spent.get(self._day(), 0)

    def _day(self) -> str:
        return self._now().astimezone(_DAYS_OF).date().isoformat()

    def _fetch(self, method: str, parameters: Mapping[str, Any], request: str) -> Page:
        earlier = self._earlier.get(request)
        headers = {}
        if earlier is not None and isinstance(etag := earlier.value.get("etag"), str):
            headers["If-None-Match"] = etag if '"' in etag else f'"{etag}"'
        reason = ""
        for turn in range(TRIES):
            self._spend(COSTS[method])
            wait_s = min(_FIRST_WAIT_S * 2**turn, _LONGEST_WAIT_S)
            wait_s += self._jitter.uniform(0, wait_s)
            try:
                answer = self._http.get(method, params=dict(parameters), headers=headers)
            except httpx.TransportError as error:
                reason = f"no answer ({type(error).__name__})"
            else:
                at = self._now().replace(microsecond=0)
                if answer.status_code == httpx.codes.NOT_MODIFIED and earlier is not None:
                    self.unchanged += 1
                    return Page(earlier.value, at)
                value = _json(answer)
                if answer.is_success and isinstance(value, dict) and "error" not in value:
                    return Page(value, at)
                reason = self._refused(answer, value)
                if (said := answer.headers.get("Retry-After", "")).isdecimal():
                    wait_s = min(float(said), _LONGEST_WAIT_S)
            if turn + 1 < TRIES:
                self._sleep(wait_s)
        raise DataError(
            f"YouTube did not answer {method} after {TRIES} tries: {reason}. What came so far is "
            f"kept in {self._path}; run the same command again to go on"
        )

    def _refused(self, answer: httpx.Response, value: Any) -> str:
        """Why an answer is none, where it may be asked for again; else raises."""
        status = answer.status_code
        error = value.get("error") if isinstance(value, dict) else None
        error = error if isinstance(error, dict) else {}
        found = error.get("errors") or [{}]
        reason = str(found[0].get("reason", "")) if isinstance(found[0], dict) else ""
        told = f"{status} {reason or answer.reason_phrase}".strip()
        if reason in _SPENT:
            raise QuotaSpent(self._spent_text(f"YouTube says: {reason}"))
        if status in (429, 200, 304) or status >= 500 or reason in _TOO_FAST:
            return told
        message = str(error.get("message", "")).strip()
        if status == 404:
            raise NotThere(f"YouTube has no such thing: {told}: {message}")
        raise DataError(f"YouTube refused: {told}: {message or 'is the API key right?'}")

    def _spend(self, units: int) -> None:
        """Every request costs, one that fails too."""
        if self.spent + units > self._quota:
            told = f"{self.spent:,} of {self._quota:,} units are spent today"
            raise QuotaSpent(self._spent_text(told))
        day = self._day()
        self._spent[day] = self.spent + units
        self._note({"spent": units, "day": day})

    def _spent_text(self, why: str) -> str:
        return (
            f"{why}. What came so far ({len(self._pages):,} pages) is kept in {self._path}, and no "
            "table was changed; run the same command again after midnight Pacific time to go on"
        )

    def _begin(self, asked: Any) -> None:
        """Write a new log: earlier pages for their ETags, what was spent today, what is asked."""
        today = self._day()
        lines: list[Any] = [
            {"request": request, "at": page.observed_at.isoformat(), "page": page.value}
            for request, page in self._earlier.items()
        ]
        if self.spent:
            lines.append({"spent": self.spent, "day": today})
        lines.append({"asked": asked})
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            temporary.write_bytes(b"".join(_line(line) for line in lines))
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)

    def _note(self, line: Any) -> None:
        try:
            self._file.write(_line(line))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise DataError(f"{self._path}: cannot be written: {error.strerror}") from None


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:  # a page of HTML from something on the way, or half an answer
        return None


def _read_log(path: Path) -> _Log:
    """What stands in a log; a last line that was cut off as it was written is taken away."""
    log = _Log()
    if not path.exists():
        return log
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            _take(log, json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DataError(
                f"{path} line {number}: not a line of a fetch's log; remove the file to begin anew"
            ) from None
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return log


def _take(log: _Log, line: Mapping[str, Any]) -> None:
    if "asked" in line:
        log.asked, log.ended = line["asked"], False
        log.earlier, log.pages = log.earlier | log.pages, {}
    elif "ended" in line:
        log.ended = True
    elif "spent" in line:
        log.spent[line["day"]] = log.spent.get(line["day"], 0) + int(line["spent"])
    elif "request" in line:
        page = Page(dict(line["page"]), datetime.fromisoformat(line["at"]))
        log.pages[line["request"]] = page

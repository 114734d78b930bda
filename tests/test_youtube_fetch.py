"""A live fetch from YouTube: whatever stops it, going on gives what an undisturbed one gives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.schemas import DataError
from features.tables import read_tables
from tests.conftest import Silent
from tests.youtube_server import KEY, Fault, Platform, channel_id, serving
from training.sources.events import Reading
from training.sources.options import fetch_of
from training.sources.outcomes import Fetch, Request
from training.sources.youtube_client import TRIES, QuotaSpent
from training.sources.youtube_fetch import fetch_youtube, log_of

VIDEOS = [120, 3, 0, 61]
CHANNELS = (channel_id(0), "@channel1,@Channel3", channel_id(2))
# Two channels by id at once, two by handle; 3 + 1 + 1 + 2 pages of uploads, of which one is not
# there; 184 videos by 50.
REQUESTS = 1 + 2 + 7 + 4
AT = datetime(2026, 11, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 2, 20, tzinfo=UTC)


@pytest.fixture
def platform() -> Iterator[Platform]:
    with serving(Platform(VIDEOS)) as found:
        yield found


def fetch(platform: Platform, out: Path, **options: Any) -> tuple[list[str], list[float]]:
    """What was said, and how long it waited."""
    slept: list[float] = []
    report = Silent()
    now = options.pop("now", NOON)
    at = options.pop("observed_at", AT)
    usual = {"channels": CHANNELS, "api_key": KEY, "quota": 10_000, "videos": 150}
    what = Fetch(**usual | {"api_url": platform.url} | options)
    request = Request([], out, None, Reading(), observed_at=at)
    fetch_youtube(request, what, report, slept.append, lambda: now)
    return report.said, slept


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    with serving(Platform(VIDEOS)) as platform:
        fetch(platform, out)
    return files(out)


def test_channels_uploads_and_videos_become_tables(platform: Platform, tmp_path: Path) -> None:
    said, slept = fetch(platform, tmp_path / "out")
    tables = read_tables(tmp_path / "out")
    assert len(tables.creators) == 4
    assert len(tables.posts) == sum(VIDEOS)
    assert tables.followers["observed_at"].eq(AT).all()
    assert tables.creators["display_name"].tolist() == [f"Channel {n} & co" for n in range(4)]
    assert len(platform.requests) == len(set(platform.requests)) == REQUESTS
    assert not slept
    assert any(f"{REQUESTS} of 10,000 units spent" in line for line in said)
    assert KEY not in log_of(tmp_path / "out").read_text() + "".join(platform.requests)


def test_no_more_videos_are_fetched_than_were_asked_for(platform: Platform, tmp_path: Path) -> None:
    fetch(platform, tmp_path / "out", videos=60)
    counts = read_tables(tmp_path / "out").posts["creator_id"].value_counts()
    assert sorted(counts) == [3, 60, 60]


TOO_FAST: Fault = (403, "rateLimitExceeded", {})


def test_what_passes_is_asked_for_again_with_longer_waits(
    platform: Platform, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    platform.faults = {
        0: (500, "backendError", {}),
        1: None,
        2: (429, "tooMany", {"Retry-After": "7"}),
        3: TOO_FAST,
        6: (503, "backendError", {}),
    }
    _, slept = fetch(platform, tmp_path / "out")
    assert files(tmp_path / "out") == undisturbed
    assert slept[2] == 7.0
    bounds = ((1, 2), (2, 4), (7, 7), (8, 16), (1, 2))
    assert all(low <= s <= high for s, (low, high) in zip(slept, bounds, strict=True))


def test_what_does_not_pass_changes_nothing_and_can_be_gone_on_with(
    platform: Platform, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    platform.faults = {5 + turn: (500, "backendError", {}) for turn in range(TRIES)}
    with pytest.raises(DataError, match=r"after 6 tries: 500 backendError.*same command"):
        fetch(platform, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    fetch(platform, tmp_path / "out")
    assert files(tmp_path / "out") == undisturbed


@pytest.mark.parametrize("stop", [0, 1, 4, 9, 13])
def test_a_spent_quota_stops_it_and_another_day_goes_on(
    stop: int, platform: Platform, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    platform.faults = {stop: (403, "quotaExceeded", {})}
    with pytest.raises(QuotaSpent, match=r"quotaExceeded.*after midnight Pacific"):
        fetch(platform, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    first = platform.requests[:stop]
    platform.requests.clear()
    platform.faults.clear()
    said, _ = fetch(platform, tmp_path / "out", now=NOON + timedelta(days=1))
    assert files(tmp_path / "out") == undisturbed
    # The playlist that is not there is no page, and is asked for again.
    again = set(first) & set(platform.requests)
    assert all(channel_id(2)[2:] in path for path in again)
    assert any("going on" in line for line in said)


def test_our_own_quota_is_kept_over_runs_and_renewed_at_midnight_pacific(
    platform: Platform, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    for day in range(2):
        for _ in range(2):
            # 07:30 UTC in November is half an hour before midnight there.
            now = datetime(2026, 11, 3 + day, 7, 30, tzinfo=UTC)
            with pytest.raises(QuotaSpent, match="7 of 7 units are spent today"):
                fetch(platform, tmp_path / "out", quota=7, now=now)
        assert len(platform.requests) == 7 * (day + 1)
    fetch(platform, tmp_path / "out", quota=7, now=datetime(2026, 11, 4, 8, 30, tzinfo=UTC))
    assert files(tmp_path / "out") == undisturbed


def test_an_unchanged_page_is_not_sent_again_and_counts_as_seen_now(
    platform: Platform, tmp_path: Path
) -> None:
    fetch(platform, tmp_path / "out", observed_at=None)
    platform.likes = 25
    later = NOON + timedelta(days=7)
    said, _ = fetch(platform, tmp_path / "out", observed_at=None, now=later)
    # All but the videos, whose likes have changed, and the playlist that is not there.
    assert platform.conditional == REQUESTS - 5
    assert any(f"{REQUESTS - 5} of them unchanged" in line for line in said)
    tables = read_tables(tmp_path / "out")
    assert set(tables.posts["likes"]) == {25}
    assert set(tables.followers["observed_at"]) == {NOON, later}


def test_a_later_fetch_that_was_stopped_takes_no_page_of_the_one_before(
    platform: Platform, tmp_path: Path
) -> None:
    fetch(platform, tmp_path / "out", observed_at=None)
    platform.likes = 25
    day = NOON
    while True:
        day += timedelta(days=1)
        try:
            fetch(platform, tmp_path / "out", observed_at=None, now=day, quota=5)
            break
        except QuotaSpent:
            assert day < NOON + timedelta(days=9)
    tables = read_tables(tmp_path / "out")
    assert set(tables.posts["likes"]) == {25}
    assert tables.followers["observed_at"].max() > pd.Timestamp(NOON)
    assert platform.conditional == REQUESTS - 5


def test_a_line_cut_off_in_the_log_is_fetched_again(
    platform: Platform, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    platform.faults = {8: (403, "dailyLimitExceeded", {})}
    with pytest.raises(QuotaSpent):
        fetch(platform, tmp_path / "out")
    log = log_of(tmp_path / "out")
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-3]) + lines[-3][:40])
    fetch(platform, tmp_path / "out")
    assert files(tmp_path / "out") == undisturbed
    log.write_text('{"request": 1}\n')
    with pytest.raises(DataError, match="line 1: not a line of a fetch's log"):
        fetch(platform, tmp_path / "out")


def test_killed_in_the_middle_and_run_again_it_gives_the_same_tables(
    platform: Platform, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    reached, held = threading.Event(), threading.Event()

    def before(number: int) -> None:
        if number == 9 and not held.is_set():
            reached.set()
            held.wait(60)

    platform.before = before
    command = [sys.executable, "-m", "training", "import", "youtube"]
    command += ["--channels", CHANNELS[0], "--channels", CHANNELS[1], "--channels", CHANNELS[2]]
    command += ["--videos", "150", "--observed-at", "2026-11-01", "--api-url", platform.url]
    command += ["--out", str(tmp_path / "out")]
    environment = {**os.environ, "YOUTUBE_API_KEY": KEY}
    first = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        assert reached.wait(120)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
        held.set()
    assert not (tmp_path / "out").exists()
    asked = platform.requests[:9]
    platform.requests.clear()
    second = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    assert files(tmp_path / "out") == undisturbed
    again = set(asked) & set(platform.requests)
    assert all(channel_id(2)[2:] in path for path in again)


def test_a_wrong_key_and_unknown_channels_are_told_and_the_key_is_not(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="API key not valid") as caught:
        fetch(platform, tmp_path / "out", api_key="another-key")
    assert "another-key" not in str(caught.value) + repr(Fetch((), "another-key", 1, 1, ""))
    with pytest.raises(DataError, match="none of these channels: @nobody"):
        fetch(platform, tmp_path / "out", channels=["@nobody"])
    said, _ = fetch(platform, tmp_path / "out", channels=["@nobody", "channel1"])
    assert any("does not know 1 channels: @nobody" in line for line in said)
    monkeypatch.delenv("YOUTUBE_API_KEY", raising=False)
    with pytest.raises(DataError, match="YOUTUBE_API_KEY holds no API key"):
        fetch_of("youtube", ["@a"], "YOUTUBE_API_KEY", 1, 1, None)
    with pytest.raises(DataError, match="only youtube is fetched"):
        fetch_of("tiktok", ["@a"], "YOUTUBE_API_KEY", 1, 1, None)

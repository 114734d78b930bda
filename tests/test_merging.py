"""Merging observations: equal to the plain definition, whatever the order and the pieces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from training.sources.merging import merge_table
from training.sources.observed import Record

START = datetime(2026, 1, 1, tzinfo=UTC)


def record(creator: str, day: int, followers: int | None, name: str | None = None) -> Record:
    values: dict[str, Any] = {"creator_id": creator, "follower_count": followers}
    otherwise = {"platform": "tiktok", "handle": creator, "display_name": name}
    return Record(
        "creators", f"f{day}", 1, values, START + timedelta(days=day), otherwise=otherwise
    )


observations = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 10**6) | st.none()),
    min_size=1,
    max_size=12,
    unique_by=lambda one: (one[0], one[1]),
)


@given(observations, st.lists(st.integers(1, 4), max_size=12), st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_latest_known_value_wins(
    found: list[tuple[str, int, int | None]], pieces: list[int], chance: Any
) -> None:
    expected: dict[str, int | None] = {}
    for creator, _, followers in sorted(found, key=lambda one: one[1]):
        expected[creator] = followers if followers is not None else expected.get(creator)
    shuffled = [record(*one) for one in found]
    chance.shuffle(shuffled)
    frame: pd.DataFrame | None = None
    observed: dict[Any, datetime] = {}
    while shuffled:
        size = pieces.pop() if pieces else len(shuffled)
        some, shuffled = shuffled[:size], shuffled[size:]
        merged = merge_table("creators", some, frame, observed)
        assert not merged.faults
        frame = merged.frame
        for key, at in merged.observed.items():
            observed[key] = max(at, observed.get(key, at))
    assert frame is not None
    got = dict(zip(frame["creator_id"], frame["follower_count"], strict=True))
    assert {name: None if pd.isna(n) else n for name, n in got.items()} == expected


def test_what_stands_in_for_a_value_never_replaces_one() -> None:
    first = merge_table("creators", [record("a", 1, 5, "First")], None, {})
    again = merge_table("creators", [record("a", 9, None, "Second")], first.frame, first.observed)
    assert again.frame["display_name"].tolist() == ["First"]
    assert (again.added, again.updated, again.observed) == (0, 0, {})

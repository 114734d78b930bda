"""What files say of creators and their posts, each as it was at one moment, whatever the format.

A source's reader fills a `Gathering`; `merging` makes tables of it. Knows nothing of formats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from features.schemas import Fault
from training.sources.values import key


@dataclass(frozen=True)
class Record:
    """One row of one table, as one place says it.

    Attributes:
        table: The contract's table.
        file: File as it was named on the command line.
        row: Row as `Fault.row` defines it; in JSON the item, counted through the file from 1.
        values: The contract's columns by name: texts, moments in UTC, numbers; what is unknown
            is None or left out. Its key is always there.
        observed_at: When it was so.
        otherwise: What to take where nothing better is known, now or before.
    """

    table: str
    file: str
    row: int
    values: Mapping[str, Any]
    observed_at: datetime
    otherwise: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Gathering:
    """What the files of one source hold, gathered item by item.

    Attributes:
        source: The source's name, for faults.
        records: What was read.
        faults: What cannot be read.
        uncounted: Keys of posts that were named without any counts of them.
        at_the_end: What can be read once all files are, such as what names an account by its id.
        names: Names of accounts by the platform's own ids, for what has an id alone.
        left_out: Items that are no row by their nature, counted by what they are.
        told: What is worth knowing, one sentence each.
    """

    source: str
    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    uncounted: set[str] = field(default_factory=set)
    at_the_end: list[Callable[[], None]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)

    def of(self, table: str) -> Sequence[Record]:
        """The records of one table."""
        return [record for record in self.records if record.table == table]


def post_id(platform: str, own: str) -> str:
    """The key of a post: ids are a platform's own, so its name goes before them.

    >>> post_id("youtube", "dQ")
    'youtube:dQ'
    """
    return f"{platform}:{own}"


def creator_id(platform: str, own: str) -> str:
    """The key of a creator: the platform and what it knows the account by.

    YouTube knows a channel by its id; Instagram and TikTok by the user's name, for not every
    answer of theirs has an id.

    >>> creator_id("tiktok", "@Mia")
    'tiktok:mia'
    """
    if platform == "youtube" and own.startswith("UC"):
        return f"youtube:{own}"
    return f"{platform}:{key(own).removeprefix('@')}"

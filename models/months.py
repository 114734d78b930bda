"""What a creator did month by month: posts, sponsored ones, engagement, followers.

For people to look at; nothing is predicted from it. Knows nothing of where it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.facts import Facts
from features.windows import Floats, Ints, Rows, ratio

MONTHS_KEPT = 24  # up to the last month of the facts: two years show a season twice


@dataclass(frozen=True)
class Months:
    """The months in which each creator posted: row i of `rows` belongs to creator i.

    Attributes:
        month: Months since January 1970.
        posts: Posts, sponsored or not.
        sponsored: Those that are sponsored.
        engagement: Likes and comments of all of them, for each follower at that time; NaN where
            the followers are not known.
        followers: At the last post of the month; NaN unknown.
    """

    rows: Rows
    month: Ints
    posts: Ints
    sponsored: Ints
    engagement: Floats
    followers: Floats


def months_of(facts: Facts) -> Months:
    """Sum up every creator's posts by calendar month (UTC)."""
    posts = facts.posts
    creator = posts.timeline.group
    month = _month(posts.timeline.time_us)
    last = int(_month(np.array([facts.as_of_us - 1], dtype=np.int64))[0])
    shown = np.flatnonzero((month > last - MONTHS_KEPT) & (posts.timeline.time_us < facts.as_of_us))
    creator, month = creator[shown], month[shown]
    # Posts are sorted by creator and time, so a month's stand together.
    new = np.ones(len(shown), dtype=bool)
    new[1:] = (np.diff(creator) != 0) | (np.diff(month) != 0)
    start = np.flatnonzero(new)
    end = np.append(start[1:], len(shown))
    count = np.diff(np.append(start, len(shown)))
    followers = posts.followers[shown]
    known = ~np.isnan(followers)
    reactions = np.where(known, posts.likes[shown] + posts.comments[shown], 0.0)
    per_creator = np.bincount(creator[start], minlength=len(facts.creator_id))
    indptr = np.concatenate([[0], np.cumsum(per_creator)]).astype(np.int64)
    return Months(
        rows=Rows(indptr),
        month=month[start],
        posts=count.astype(np.int64),
        sponsored=_sums(posts.sponsored[shown].astype(np.int64), start).astype(np.int64),
        engagement=ratio(_sums(reactions, start), _sums(np.nan_to_num(followers), start)),
        followers=followers[end - 1] if len(end) else np.zeros(0),
    )


def _month(time_us: Ints) -> Ints:
    return time_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def _sums(values: Ints | Floats, start: Ints) -> Floats:
    if len(start) == 0:
        return np.zeros(0)
    out: Floats = np.add.reduceat(values, start).astype(np.float64)
    return out

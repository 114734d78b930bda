"""Briefs and posts of creators that worked, as pairs to fine-tune an encoder on.

Nothing that began or was resolved at the cut or later is looked at. Knows nothing of models.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.encoders import clean_text
from features.facts import Asks, Facts
from features.pair import LIFT_CLICKS, LIFT_CONVERSIONS
from features.schemas import DataError
from features.text import MINILM
from features.windows import Floats, Ints, Ragged, Timeline, ratio
from training.dataset import Rows, Strings, resolved

# A collaboration worked if it brought a fifth more than its campaign did on average, after
# shrinkage as in `features.pair`: the least that passes is one conversion where a third of one was
# due. In the worlds of `benchmarks/finetuned.py` 19%, 22% and 28% of all collaborations pass.
WORKED_LIFT = 1.2
# With fewer pairs an epoch is a handful of steps, and with fewer briefs a batch has too few others
# to be told apart from: a batch holds each brief once.
MIN_PAIRS = 100
MIN_BRIEFS = 8


@dataclass(frozen=True)
class TuneParams:
    """How to fine-tune.

    The learning rate and the number of posts were chosen in simulated worlds of seeds 411 and 412;
    what they bring is read off other worlds (`benchmarks/finetuned.py`).

    Attributes:
        base: ``all-MiniLM-L6-v2``, or the folder of a sentence-transformers model.
        epochs: Passes over the pairs.
        batch_size: Pairs that are told apart at once; at most as many as there are briefs.
        learning_rate: Of AdamW, after a tenth of the steps to warm up, falling to 0.
        max_tokens: Longer texts are cut in training, and in training alone.
        posts_each: Posts drawn for each collaboration that worked.
        max_pairs: Pairs in all, drawn where there are more.
        seed: Of all chance.
        threads: Processor threads.
    """

    base: str = MINILM
    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 1e-4
    max_tokens: int = 64
    posts_each: int = 8
    max_pairs: int = 4_000
    seed: int = 0
    threads: int = 2


@dataclass(frozen=True)
class Pairs:
    """Texts that belong together, as an encoder gets them.

    Attributes:
        brief, post: Cleaned texts, ``(n,)`` each.
        outcome: Place in `Facts.outcomes` of the collaboration that worked, ``(n,)``.
        place: Place in `Facts.posts` of the post, ``(n,)``.
    """

    brief: Strings
    post: Strings
    outcome: Ints
    place: Ints

    def __len__(self) -> int:
        return len(self.brief)

    def take(self, rows: Ints) -> Pairs:
        return Pairs(self.brief[rows], self.post[rows], self.outcome[rows], self.place[rows])

    @property
    def digest(self) -> str:
        """SHA-256 of the texts in their order, in hex."""
        texts = json.dumps([self.brief.tolist(), self.post.tolist()])
        return hashlib.sha256(texts.encode()).hexdigest()


def before_cut(rows: Rows, cut_us: int) -> Rows:
    """Rows that were resolved before a cut: none is of a campaign that began at it or later."""
    return rows.take(np.flatnonzero(rows.resolved_us < cut_us))


def worked(rows: Rows) -> NDArray[np.bool_]:
    """Which collaborations brought more than their campaign did for as many impressions, ``(n,)``.

    Compared is within a campaign, because what is sold moves rates more than who sells it. Where a
    campaign brought no conversion at all, clicks are compared instead.
    """
    labels = rows.labels
    campaign = np.unique(rows.campaign, return_inverse=True)[1]
    seen = labels.impressions.astype(np.float64)
    won = labels.conversions.astype(np.float64)
    told = ~np.isnan(labels.clicks)
    by_conversions = _lift(campaign, won, seen, LIFT_CONVERSIONS)
    by_clicks = _lift(
        campaign, np.where(told, labels.clicks, 0.0), np.where(told, seen, 0.0), LIFT_CLICKS
    )
    some = np.bincount(campaign, won)[campaign] > 0
    out: NDArray[np.bool_] = np.where(some, by_conversions, by_clicks) >= WORKED_LIFT
    return out


def _lift(campaign: Ints, events: Floats, exposure: Floats, held: float) -> Floats:
    """Events against those that the campaign's own rate foretells, shrunk towards 1."""
    rate = ratio(np.bincount(campaign, events), np.bincount(campaign, exposure))
    due = exposure * np.nan_to_num(rate)[campaign]
    out: Floats = (events + held) / (due + held)
    return out


def make_pairs(facts: Facts, cut_us: int, params: TuneParams) -> Pairs:
    """Draw pairs of a brief and an own post from before the start, of what worked before a cut.

    A post that is an advertisement is left out: its subject is its brand's.

    Args:
        facts: What happened; vectors are not looked at.
        cut_us: Nothing that began or was resolved at this moment or later counts.
        params: How many to draw.
    """
    rows = before_cut(resolved(facts), cut_us)
    good = np.sort(rows.outcome[worked(rows)])
    outcomes, rng = facts.outcomes, np.random.default_rng(params.seed)
    own = OwnPosts.of(facts)
    first, past = own.timeline.window(outcomes.creator[good], outcomes.started_us[good], None)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for outcome, start, end in zip(good, first, past, strict=True):
        drawn = rng.choice(end - start, min(params.posts_each, end - start), replace=False)
        brief = clean_text(str(facts.brief_text[outcomes.brief[outcome]]))
        for place in own.place[start + np.sort(drawn)]:
            post = clean_text(str(facts.posts.text[place]))
            if brief and post:
                found.setdefault((brief, post), (int(outcome), int(place)))
    texts, places = list(found), np.array(list(found.values()), dtype=np.int64).reshape(-1, 2)
    pairs = Pairs(
        np.array([brief for brief, _ in texts], dtype=object),
        np.array([post for _, post in texts], dtype=object),
        places[:, 0],
        places[:, 1],
    )
    if len(pairs) <= params.max_pairs:
        return pairs
    return pairs.take(np.sort(rng.choice(len(pairs), params.max_pairs, replace=False)))


@dataclass(frozen=True)
class OwnPosts:
    """Posts that are no advertisements, in time; `place` is each one's place in `Facts.posts`."""

    timeline: Timeline
    place: Ints

    @classmethod
    def of(cls, facts: Facts) -> OwnPosts:
        posts = facts.posts
        place = np.flatnonzero(~posts.sponsored)
        timeline = Timeline.build(posts.timeline.group[place], posts.timeline.time_us[place])
        return cls(timeline, place[timeline.order])

    def latest(self, asks: Asks, count: int) -> Ragged:
        """Places in `Facts.posts` of the latest posts before each ask, at most so many."""
        first, past = self.timeline.window(asks.creator, asks.as_of_us, None)
        recent = Ragged.from_slices(np.maximum(first, past - count), past)
        return replace(recent, index=self.place[recent.index])


def too_few(pairs: Pairs) -> None:
    """Refuse pairs that nothing can be learned from.

    Raises:
        DataError: They are too few, or of too few briefs.
    """
    briefs = len(set(pairs.brief))
    if len(pairs) < MIN_PAIRS or briefs < MIN_BRIEFS:
        raise DataError(
            f"{len(pairs):,} pairs of a brief and a post that worked, of {briefs:,} briefs; "
            f"fine-tuning needs {MIN_PAIRS:,} pairs and {MIN_BRIEFS:,} briefs"
        )

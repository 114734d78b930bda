"""How well encoders order the creators of campaigns to come, and whether one wins.

Two questions, of each campaign: are the creators that did best in it first, and do those that were
chosen stand above others who were not? Knows nothing of how an encoder was made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from sklearn.metrics import roc_auc_score

from features.encoders import Encoder, clean_text
from features.facts import Asks, Facts
from features.schemas import DataError
from features.text import VectorCache, embed_texts
from features.windows import Floats, Ints, Ragged, ratio
from models.projection import fit_projection
from training.bootstrap import LEVEL, Draws, Figure, draw, figure
from training.dataset import Rows, resolved, split_at
from training.figures import campaign_ndcg
from training.finetune_pairs import OwnPosts, Pairs
from training.finetune_taught import moment

# Fewer campaigns have no interval worth deciding by.
MIN_CAMPAIGNS = 8
# A creator is what the mean of so many latest posts says, a third of what `models.profiles` takes:
# judging costs an encoding of each by every encoder.
JUDGED_POSTS = 20
OTHERS_PER_CAMPAIGN = 30  # as in `training.dataset`: a few times as many as were chosen
DECIDES = "ndcg10_projected"  # the projected similarity is what a served model reads
GUARDS = "auc_projected"
FIGURES = {
    "ndcg10_cosine": "NDCG@10, cosine",
    "ndcg10_projected": "NDCG@10, projected",
    "auc_cosine": "AUC chosen, cosine",
    "auc_projected": "AUC chosen, projected",
}


@dataclass(frozen=True)
class HeldOut:
    """What encoders are judged on: campaigns that began at the cut or later.

    Attributes:
        rows: Their collaborations, without features.
        asks: The creators of `rows`, then others drawn for each campaign, as of its collaborations
            or its start, ``(n_asks,)``.
        brief: Place of each ask's brief in `Facts.brief_text`, ``(n_asks,)``.
        campaign: Code of each ask's campaign, ``(n_asks,)``.
        posts: Places in `Facts.posts` of each ask's latest own posts.
        earlier: Places in `Facts.posts` of each creator's latest own posts before the cut.
    """

    rows: Rows
    asks: Asks
    brief: Ints
    campaign: Ints
    posts: Ragged
    earlier: Ints

    @property
    def campaigns(self) -> int:
        return len(np.unique(self.rows.campaign))

    @property
    def needed(self) -> Ints:
        """Places in `Facts.posts` of all posts that `judge` looks at, ascending."""
        return np.unique(np.concatenate([self.posts.index, self.earlier]))


def held_out(facts: Facts, cut_us: int, seed: int) -> HeldOut:
    """Draw whom later campaigns could have chosen beside whom they did.

    Args:
        facts: What happened.
        cut_us: From when on campaigns are judged on.
        seed: Of the drawing.

    Raises:
        DataError: There are too few campaigns to judge on.
    """
    every = resolved(facts)
    rows = every.take(split_at(every, cut_us).test)
    numbers, first, inverse = np.unique(rows.campaign, return_index=True, return_inverse=True)
    if len(numbers) < MIN_CAMPAIGNS:
        raise DataError(
            f"{len(numbers):,} campaigns began at {moment(cut_us)} or later; "
            f"{MIN_CAMPAIGNS} are needed to judge an encoder on"
        )
    outcomes, own, rng = facts.outcomes, OwnPosts.of(facts), np.random.default_rng(seed)
    size = len(facts.creator_id)
    first_post = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(first_post, own.timeline.group, own.timeline.time_us)
    drawn = []
    for number, row in enumerate(first):
        could = first_post < rows.started_us[row]
        could[outcomes.creator[rows.outcome[inverse == number]]] = False
        others = np.flatnonzero(could)
        drawn.append(rng.choice(others, min(OTHERS_PER_CAMPAIGN, len(others)), replace=False))
    of = np.repeat(np.arange(len(numbers)), [len(some) for some in drawn])
    asks = Asks(
        np.concatenate([outcomes.creator[rows.outcome], *drawn]).astype(np.int64),
        np.concatenate([rows.started_us, rows.started_us[first[of]]]),
    )
    everyone = Asks(np.arange(size, dtype=np.int64), np.full(size, cut_us, dtype=np.int64))
    return HeldOut(
        rows=rows,
        asks=asks,
        brief=outcomes.brief[rows.outcome][np.concatenate([np.arange(len(rows)), first[of]])],
        campaign=np.concatenate([rows.campaign, numbers[of]]),
        posts=own.latest(asks, JUDGED_POSTS),
        earlier=own.latest(everyone, JUDGED_POSTS).index,
    )


def new_briefs(facts: Facts, held: HeldOut, pairs: Pairs) -> int:
    """How many judged campaigns have a brief that is in no pair.

    Where they are few, what is seen is how well briefs are told again, not how well new ones are.
    """
    taught = set(pairs.brief)
    briefs = dict(zip(held.campaign.tolist(), held.brief.tolist(), strict=True))
    return sum(clean_text(str(facts.brief_text[brief])) not in taught for brief in briefs.values())


def judge(
    facts: Facts,
    held: HeldOut,
    encoder: Encoder,
    home: Path,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Floats]:
    """How well an encoder orders creators, one value for each campaign.

    The cosine is that of the brief with the mean of a creator's latest posts. The projected
    similarity is of both under `models.projection`, fitted on posts before the cut, as if one more
    post had no subject; unlike the feature of that name it weighs all of these posts alike.

    Args:
        facts: What happened.
        held: Whom to order.
        encoder: What is judged.
        home: Where the product writes; vectors are kept there.
        progress: Called with each number of posts encoded, of those in `HeldOut.needed`.

    Returns:
        By the names in `FIGURES`, ``(n_campaigns,)`` each; NaN where a campaign has nothing to
        tell.
    """
    needed = held.needed
    cache = VectorCache(home, encoder)
    vectors = embed_texts(facts.posts.text[needed].tolist(), encoder, cache, progress).vectors
    briefs, which = np.unique(held.brief, return_inverse=True)
    asked = embed_texts(facts.brief_text[briefs].tolist(), encoder, cache).vectors
    place = np.searchsorted(needed, held.posts.index)
    count = np.diff(held.posts.indptr)
    mean = csr_array(
        (np.ones(len(place)), place, held.posts.indptr), shape=(len(held.asks), len(needed))
    )
    total = np.asarray(mean @ vectors.astype(np.float64))
    length = np.linalg.norm(total, axis=1)
    cosine = ratio((total * asked[which]).sum(axis=1), length)

    earlier = np.searchsorted(needed, held.earlier)
    projection = fit_projection(vectors[earlier], facts.posts.timeline.group[held.earlier])
    subject = np.asarray(mean @ projection.project(vectors).astype(np.float64))
    projected = (subject * projection.project(asked)[which]).sum(axis=1) / (count + 1)
    projected[count == 0] = np.nan
    out = {}
    for name, score in (("cosine", cosine), ("projected", projected)):
        out[f"ndcg10_{name}"] = campaign_ndcg(held.rows, score[: len(held.rows)], 10)
        out[f"auc_{name}"] = _chosen_auc(held, score)
    return {name: out[name] for name in FIGURES}


def _chosen_auc(held: HeldOut, score: Floats) -> Floats:
    """Chance that one who was chosen scores above one who was drawn, in each campaign."""
    chosen = np.arange(len(score)) < len(held.rows)
    score = np.nan_to_num(score, nan=-2.0)  # below any cosine: of whom there is no post
    numbers = np.unique(held.rows.campaign)
    out = np.full(len(numbers), np.nan)
    for row, number in enumerate(numbers):
        here = held.campaign == number
        if not chosen[here].all():
            out[row] = roc_auc_score(chosen[here], score[here])
    return out


@dataclass(frozen=True)
class Verdict:
    """Whether a fine-tuned encoder is worth using.

    Attributes:
        wins: Whether it is better than every other by more than chance.
        words: Why.
        figures: By encoder and by the names in `FIGURES`.
        differences: Of the fine-tuned one to each other, campaigns paired.
    """

    wins: bool
    words: str
    figures: Mapping[str, Mapping[str, Figure]]
    differences: Mapping[str, Mapping[str, Figure]]


def decide(
    tuned: Mapping[str, Floats], others: Mapping[str, Mapping[str, Floats]], seed: int
) -> Verdict:
    """Compare on the same campaigns, drawn with replacement.

    It wins if, against each other encoder, the interval of the difference in NDCG@10 of the
    projected similarity lies above 0, and that of the AUC not below 0.

    Args:
        tuned: What `judge` says of the fine-tuned encoder.
        others: The same of those it has to beat, by name.
        seed: Of the drawing.
    """
    draws = draw(np.arange(len(tuned[DECIDES]), dtype=np.int64), seed)
    differences = {
        name: {key: _paired(draws, tuned[key], values[key]) for key in FIGURES}
        for name, values in others.items()
    }
    lost, told = False, []
    for name, found in differences.items():
        decides, guards = found[DECIDES], found[GUARDS]
        better = decides.low > 0
        worse = guards.high < 0
        lost |= worse or not better
        told.append(
            f"against {name}, NDCG@10 of the projected similarity {decides.value:+.3f} "
            f"({decides.low:+.3f} to {decides.high:+.3f}), AUC of the chosen {guards.value:+.3f} "
            f"({guards.low:+.3f} to {guards.high:+.3f})"
        )
    count = int((~np.isnan(tuned[DECIDES])).sum())
    words = (
        f"{'does not win' if lost else 'wins'} on {count:,} campaigns, {LEVEL:.0%} intervals: "
        + "; ".join(told)
    )
    return Verdict(
        not lost,
        words,
        {
            name: {key: figure(draws.means(values[key])) for key in FIGURES}
            for name, values in {"fine-tuned": tuned, **others}.items()
        },
        differences,
    )


def _paired(draws: Draws, one: Floats, other: Floats) -> Figure:
    return figure(draws.means(one - other))

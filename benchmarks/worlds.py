"""Simulated worlds cut at the day from which brands appear that were never seen before.

What the other benchmarks share: a world is made and read, known up to the cut, and asked about the
campaigns after it, for every creator, with what would truly have come of each.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import ndcg_score

from features.facts import Asks, brand_code, build_facts, distinct_briefs
from features.schemas import Tables
from features.tables import read_tables
from features.text import VectorCache, embed_texts, load_encoder
from features.vectors import Vectors
from features.windows import Floats, Ints
from models.niche import NicheModel, fit_niche, zero_shot
from models.snapshots import Known, know
from training.dataset import Rows, labelled_rows, rows_of
from training.simulate import World, simulate, true_rates, write_world

ENCODER = "use-multilingual-v3"


@dataclass(frozen=True)
class Campaign:
    """One campaign's brief, its first day, and who asks."""

    campaign_id: str
    brief: str
    brand: str
    started_at: pd.Timestamp


@dataclass(frozen=True)
class Cut:
    """A world with its campaigns after the cut; none of those is resolved in what is known.

    Attributes:
        world: With its truth.
        tables: The whole of it.
        late: One row for each later campaign: campaign_id, brief, brand, started_at.
        late_from: The cut.
    """

    world: World
    tables: Tables
    late: pd.DataFrame
    late_from: pd.Timestamp


def make_world(creators: int, seed: int, home: Path) -> Cut:
    """Simulate a world, write it under `home`, read it back and cut it."""
    world = simulate(creators, seed)
    folder = home / f"world{creators}_{seed}"
    write_world(world, folder)
    tables = read_tables(folder)
    late_from = pd.Timestamp(str(world.truth["world"]["late_from"].iloc[0]), tz="UTC")
    deals = tables.sponsorships
    late = deals[deals["started_at"] >= late_from].sort_values("started_at", kind="stable")
    return Cut(world, tables, late.drop_duplicates("campaign_id"), late_from)


def of_unseen_brands(cut: Cut) -> pd.DataFrame:
    """Those later campaigns whose brands never appeared before the cut."""
    deals = cut.tables.sponsorships
    seen = set(deals.loc[deals["started_at"] < cut.late_from, "brand"])
    return cut.late[~cut.late["brand"].isin(seen)]


def known_of(tables: Tables, early: pd.DataFrame, asked: pd.DataFrame, home: Path) -> Known:
    """What is known of a world with only `early` sponsorships, and the briefs of those `asked`.

    The asked ones' rows stand in the tables for their briefs; none is resolved at its start.
    """
    kept = dataclasses.replace(tables, sponsorships=pd.concat([early, asked]))
    encoder = load_encoder(ENCODER, home)
    cache = VectorCache(home, encoder)
    facts = build_facts(
        kept,
        embed_texts(kept.posts["text"].tolist(), encoder, cache).vectors,
        embed_texts(distinct_briefs(kept), encoder, cache).vectors,
    )
    labels = facts.creators.set_index("creator_id")["niche"].dropna().to_dict()

    def fit(vectors: Vectors, creator: Ints, _: int) -> NicheModel:
        if len(vectors) == 0:
            return zero_shot(encoder)
        return fit_niche(vectors, facts.creator_id[creator], labels, encoder)

    return know(facts, fit)


def rows_known(known: Known, early: pd.DataFrame) -> Rows:
    """Labelled rows of the `early` sponsorships alone."""
    rows = labelled_rows(known)
    ids = set(early["sponsorship_id"])
    kept = [known.facts.outcomes.sponsorship_id[row] in ids for row in rows.outcome]
    return rows.take(np.flatnonzero(kept))


def campaigns(asked: pd.DataFrame) -> list[Campaign]:
    """One campaign a row, such as `Cut.late` has."""
    return [
        Campaign(str(row.campaign_id), str(row.brief), str(row.brand), pd.Timestamp(row.started_at))  # type: ignore[arg-type]
        for row in asked.itertuples()
    ]


def everyone(known: Known, campaign: Campaign) -> Floats:
    """Rows of every creator for one campaign, as of its start, ``(n_creators, n_features)``."""
    n = len(known.facts.creator_id)
    start = int(campaign.started_at.timestamp() * 1_000_000)
    place = int(np.searchsorted(known.facts.brief_text, campaign.brief))
    asks = Asks(np.arange(n, dtype=np.int64), np.full(n, start, dtype=np.int64))
    return rows_of(known, asks, np.full(n, place), np.full(n, brand_code(campaign.brand)))


def truth_of(cut: Cut, campaign: Campaign) -> pd.DataFrame:
    """`true_rates` of a campaign, in the order of creators that `everyone` has."""
    return true_rates(cut.world, campaign_id=campaign.campaign_id).sort_values("creator_id")


def ndcg(rate: Floats, score: Floats, depth: int = 10) -> float:
    """NDCG of true rates, gain linear in the rate; a missing score stands last."""
    order = np.argsort(np.argsort(np.nan_to_num(score, nan=-np.inf), kind="stable"))
    return float(ndcg_score(rate[np.newaxis] / rate.max(), order[np.newaxis], k=depth))

"""How many outcomes a learned model needs before it orders creators better than the heuristic.

    python -m benchmarks.cold_start

In SIMULATED worlds, whose true rates are known, a model is trained as `training.pipeline` trains
it, on N sponsorships of whole campaigns drawn from before the last three months, and asked to order
all creators for each campaign of those three months. Printed is NDCG@10 of the true conversion
rates, of the learned model and of the heuristic on the same rows, and in how many worlds the
learned one wins. `pipeline.MIN_OUTCOMES` and `MIN_CONVERSIONS` are read from this table.
"""

from __future__ import annotations

import dataclasses
import platform
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.metrics import ndcg_score

from features.facts import Asks, brand_code, build_facts, distinct_briefs
from features.schemas import Tables
from features.tables import read_tables
from features.text import VectorCache, embed_texts, load_encoder
from features.windows import Floats, Ints
from models.conversion import FitParams
from models.heuristic import fit_heuristic
from models.niche import fit_niche, zero_shot
from models.profiles import Known, know
from training.dataset import labelled_rows, rows_of, split_by_time
from training.pipeline import learn_outcomes
from training.simulate import World, simulate, true_rates, write_world

SEEDS = (101, 102, 103, 104)
CREATORS = 400
SIZES = (100, 200, 300, 500, 800, 1200)
CAMPAIGNS = 20
HOME = Path("var/benchmarks/cold_start")


def main() -> None:
    """Print the table."""
    scores: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for seed in SEEDS:
        world = simulate(CREATORS, seed)
        folder = HOME / f"world{seed}"
        write_world(world, folder)
        tables = read_tables(folder)
        for size in SIZES:
            scores[size].append(one(world, tables, size))
    table = Table(
        title=f"SIMULATED, {len(SEEDS)} worlds of {CREATORS} creators, {platform.machine()}"
    )
    for title in ("outcomes", "conversions", "learned", "heuristic", "learned wins"):
        table.add_column(title, justify="right")
    for size, rows in scores.items():
        learned, heuristic, conversions = (np.array(column) for column in zip(*rows, strict=True))
        table.add_row(
            f"{size:,}",
            f"{conversions.mean():,.0f}",
            f"{learned.mean():.3f}",
            f"{heuristic.mean():.3f}",
            f"{(learned > heuristic).sum()} of {len(SEEDS)}",
        )
    Console().print(table)


def one(world: World, tables: Tables, size: int) -> tuple[float, float, int]:
    """NDCG@10 of the learned model and of the heuristic, and the conversions learned from."""
    late = pd.Timestamp(str(world.truth["world"]["late_from"].iloc[0]), tz="UTC")
    deals = tables.sponsorships
    early = deals[deals["resolved_at"] < late]
    drawn = early["campaign_id"].drop_duplicates().sample(frac=1, random_state=size)
    place = dict(zip(drawn, range(len(drawn)), strict=True))
    early = early.iloc[np.argsort(early["campaign_id"].map(place), kind="stable")].head(size)
    campaigns = deals[deals["started_at"] >= late].drop_duplicates("campaign_id").head(CAMPAIGNS)
    # The late campaigns' rows stand in the tables for their briefs; none is resolved at its start.
    known = _known(dataclasses.replace(tables, sponsorships=pd.concat([early, campaigns])))
    rows = labelled_rows(known)
    early_ids = set(early["sponsorship_id"])
    kept = np.flatnonzero(
        [known.facts.outcomes.sponsorship_id[row] in early_ids for row in rows.outcome]
    )
    rows = rows.take(kept)
    learned = learn_outcomes(rows, split_by_time(rows), FitParams(), lambda _: None)
    heuristic = fit_heuristic(rows.matrix)
    pairs = []
    for campaign in campaigns.itertuples():
        matrix = _everyone(known, campaign)
        truth = true_rates(world, campaign_id=str(campaign.campaign_id)).sort_values("creator_id")
        rate = truth["conversion_rate"].to_numpy(np.float64)
        pairs.append(
            [_ndcg(rate, model.predict(matrix).score) for model in (learned.model, heuristic)]
        )
    means = np.mean(pairs, axis=0)
    return float(means[0]), float(means[1]), int(rows.labels.conversions.sum())


def _known(tables: Tables) -> Known:
    encoder = load_encoder("use-multilingual-v3", HOME)
    cache = VectorCache(HOME, encoder)
    facts = build_facts(
        tables,
        embed_texts(tables.posts["text"].tolist(), encoder, cache).vectors,
        embed_texts(distinct_briefs(tables), encoder, cache).vectors,
    )
    labels = facts.creators.set_index("creator_id")["niche"].dropna().to_dict()

    def fit(vectors: Floats, creator: Ints, _: int):  # type: ignore[no-untyped-def]
        if len(vectors) == 0:
            return zero_shot(encoder)
        return fit_niche(vectors, facts.creator_id[creator], labels, encoder)

    return know(facts, fit)  # type: ignore[arg-type]


def _everyone(known: Known, campaign) -> Floats:  # type: ignore[no-untyped-def]
    n = len(known.facts.creator_id)
    start = int(campaign.started_at.timestamp() * 1_000_000)
    place = int(np.searchsorted(known.facts.brief_text, campaign.brief))
    asks = Asks(np.arange(n, dtype=np.int64), np.full(n, start, dtype=np.int64))
    return rows_of(known, asks, np.full(n, place), np.full(n, brand_code(campaign.brand)))


def _ndcg(rate: Floats, score: Floats) -> float:
    order = np.argsort(np.argsort(np.nan_to_num(score, nan=-np.inf), kind="stable"))
    return float(ndcg_score(rate[np.newaxis] / rate.max(), order[np.newaxis], k=10))


if __name__ == "__main__":
    main()

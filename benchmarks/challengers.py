"""Other ways to learn, beside the model: search, objectives, weights, averages and calibrations.

    python -m benchmarks.challengers

In SIMULATED worlds of development (the seeds of `benchmarks.held_out` are not looked at, here or
for any choice), each way is fitted on what was resolved before the last three months, and asked
about every campaign of those months whose brand never appeared before. Printed for each:

- NDCG@10 of the true conversion rates, all creators ordered;
- deviance and calibration error (ECE) of the rates of those really chosen, against what came;
- a verdict: an order is kept if it beats the model's in every world and by more than chance over
  campaigns; a calibration, if deviance and ECE are both less in every world.

Where ../shared/data/world_us is there, the same ways stand side by side on its last fifth of time,
their differences from the model with intervals over campaigns.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import ways
from benchmarks.curves import CURVES
from benchmarks.ways import Averaged, Challenger, Outcomes, Parts
from benchmarks.worlds import (
    ENCODER,
    campaigns,
    everyone,
    known_of,
    make_world,
    ndcg,
    of_unseen_brands,
    rows_known,
    truth_of,
)
from features.catalogue import FEATURE_NAMES, NOT_LEARNED
from features.tables import read_tables
from features.windows import Floats, Ints
from models.choice import MATCH
from models.conversion import Labels
from models.conversion_fit import FitParams
from training.bootstrap import draw, figure
from training.dataset import Candidates, Rows, Split, draw_candidates, labelled_rows, split_by_time
from training.figures import calibration_errors, campaign_ndcg, deviances
from training.tune import Searched, search

SEEDS = (601, 602, 603, 604)
CREATORS = 600
TRIALS = 30
BAG = 5
DEPTH = 10
HOME = Path("var/benchmarks/challengers")
WORLD_US = Path("../shared/data/world_us")
PARAMS = FitParams(threads=1)
MODEL, TUNED = "model", f"model, best of {TRIALS} trials"
LEARNABLE = tuple(name for name in FEATURE_NAMES if name not in NOT_LEARNED)


@dataclass(frozen=True)
class Asked:
    """A campaign after the cut, as every creator stood then.

    Attributes:
        matrix: Rows of all creators, ``(n_creators, n_features)``.
        rate: Their true conversion rates, ``(n_creators,)``.
        booked: Places of those really chosen.
        labels: What came of those.
    """

    matrix: Floats
    rate: Floats
    booked: Ints
    labels: Labels


@dataclass(frozen=True)
class World:
    """What is learned from, and what is asked after."""

    rows: Rows
    candidates: Candidates
    asked: list[Asked]


@dataclass(frozen=True)
class Figures:
    """Of one way in one world: NDCG of each campaign, and figures of those really chosen."""

    ndcg: Floats
    deviance: float
    ece: float
    expected_to_observed: float


def main() -> None:
    """Print the tables; seeds may be given instead of `SEEDS`."""
    seeds = [int(text) for text in sys.argv[1:]] or list(SEEDS)
    console = Console(width=150)
    told: dict[str, list[Figures]] = defaultdict(list)
    searches: dict[str, Searched] = {}
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("worlds", total=len(seeds))
        for seed in seeds:
            world = prepared(seed)
            split = split_by_time(world.rows)
            found, searched = fitted(
                ways.of_all(world.rows, world.candidates, split), world.rows, split
            )
            searches[f"world {seed}"] = searched
            for name, challenger in found.items():
                own = figures(challenger, world.asked)
                told[name].append(own)
                progress.log(f"{seed} {name}: NDCG@10 {own.ndcg.mean():.3f}")
            progress.advance(task)
    title = f"SIMULATED worlds of {CREATORS:,} creators, {platform.machine()}"
    for what, value in (
        ("NDCG@10 of true rates, brands never seen", lambda f: float(f.ndcg.mean())),
        ("Deviance a row, those really chosen", lambda f: f.deviance),
        ("ECE, those really chosen", lambda f: f.ece),
        ("Expected / observed, those really chosen", lambda f: f.expected_to_observed),
    ):
        console.print(_table(f"{what}: {title}", told, seeds, value))
    for name, line in verdicts(told).items():
        console.print(f"{name}: {line}", highlight=False)
    if WORLD_US.is_dir():
        searches["world_us"] = _later_time(console)
    console.print(_search_table(searches))


def prepared(seed: int) -> World:
    """A world with its features; kept under `HOME` until the code that makes them changes."""
    file = HOME / f"{CREATORS}_{seed}_{_sources()}.npz"
    if file.exists():
        return _load(file)
    cut = make_world(CREATORS, seed, HOME)
    deals = cut.tables.sponsorships
    early = deals[deals["resolved_at"] < cut.late_from]
    unseen = of_unseen_brands(cut)
    known = known_of(cut.tables, early, unseen, HOME)
    rows = rows_known(known, early)
    place = {creator: i for i, creator in enumerate(known.facts.creator_id)}
    asked = []
    for campaign in campaigns(unseen):
        booked = deals[deals["campaign_id"] == campaign.campaign_id]
        asked.append(
            Asked(
                everyone(known, campaign),
                truth_of(cut, campaign)["conversion_rate"].to_numpy(np.float64),
                np.array([place[creator] for creator in booked["creator_id"]], dtype=np.int64),
                Labels(
                    booked["impressions"].to_numpy(np.int64),
                    booked["clicks"].to_numpy(np.float64),
                    booked["conversions"].to_numpy(np.int64),
                ),
            )
        )
    world = World(rows, draw_candidates(known, rows, PARAMS.seed), asked)
    _save(world, file)
    return world


def prepared_world_us() -> World:
    """All labelled rows of world_us, with nobody asked after; kept as `prepared` keeps."""
    tables = read_tables(WORLD_US)
    file = HOME / f"world_us_{tables.digest[:12]}_{_sources()}.npz"
    if file.exists():
        return _load(file)
    nobody = tables.sponsorships.iloc[:0]
    known = known_of(tables, tables.sponsorships, nobody, HOME)
    rows = labelled_rows(known)
    world = World(rows, draw_candidates(known, rows, PARAMS.seed), [])
    _save(world, file)
    return world


def fitted(parts: Parts, rows: Rows, split: Split) -> tuple[dict[str, Challenger], Searched]:
    """Every way, fitted on the same rows, and the search by which one was found."""
    searched = search(rows, split, PARAMS, TRIALS)
    own = ways.model(parts, PARAMS)
    rank = ways.ranked(parts, PARAMS, "lambdarank")
    linear = ways.linear(parts, own.model.choice)
    out: dict[str, Challenger] = {
        MODEL: own,
        TUNED: ways.model(parts, searched.best),
        f"model, mean of {BAG} seeds": ways.bagged(parts, PARAMS, BAG),
        "no correction for choice": Outcomes(replace(own.model, choice=None)),
        "propensity weights, match": ways.weighted(parts, PARAMS, MATCH),
        "propensity weights, match, square root": ways.weighted(parts, PARAMS, MATCH, 0.5),
        "propensity weights, all features": ways.weighted(parts, PARAMS, LEARNABLE),
        "LambdaRank": rank,
        "XE-NDCG": ways.ranked(parts, PARAMS, "rank_xendcg"),
        "mean of model and LambdaRank": Averaged((own, rank)),
        "logistic regression": linear,
        "mean of model and logistic regression": Averaged((own, linear)),
    }
    return out | ways.recalibrated(parts, PARAMS, list(CURVES)), searched


def figures(challenger: Challenger, asked: list[Asked]) -> Figures:
    """How well it orders all creators, and what it tells of those really chosen."""
    order = [ndcg(one.rate, challenger.predict(one.matrix)[0], DEPTH) for one in asked]
    rate = np.concatenate(
        [challenger.predict(one.matrix[one.booked], chosen=True)[1] for one in asked]
    )
    labels = Labels(
        np.concatenate([one.labels.impressions for one in asked]),
        np.concatenate([one.labels.clicks for one in asked]),
        np.concatenate([one.labels.conversions for one in asked]),
    )
    everything = draw(np.arange(len(rate)), replicates=1)
    return Figures(
        np.array(order),
        float(deviances(labels, rate).mean()),
        float(calibration_errors(labels, rate, everything)[0]),
        float((rate * labels.impressions).sum() / labels.conversions.sum()),
    )


def verdicts(told: Mapping[str, list[Figures]]) -> dict[str, str]:
    """Whether each way wins against the model, in one line each."""
    out = {}
    model = told[MODEL]
    number = np.concatenate([np.full(len(one.ndcg), i) for i, one in enumerate(model)])
    draws = draw(np.arange(len(number)))
    for name, own in told.items():
        if name == MODEL:
            continue
        pairs = list(zip(own, model, strict=True))
        sharper = sum(a.deviance < b.deviance for a, b in pairs)
        truer = sum(a.ece < b.ece for a, b in pairs)
        likely = np.mean([a.deviance / b.deviance - 1 for a, b in pairs])
        words = (
            f"deviance {likely:+.1%}, less in {sharper} of {len(pairs)} worlds; ECE less in {truer}"
        )
        if name in CURVES:
            kept = sharper == truer == len(pairs)
        else:
            gap = figure(draws.means(np.concatenate([a.ndcg - b.ndcg for a, b in pairs])))
            ahead = sum(a.ndcg.mean() > b.ndcg.mean() for a, b in pairs)
            kept = ahead == len(pairs) and gap.low > 0
            words = (
                f"NDCG@10 {gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}), "
                f"more in {ahead} of {len(pairs)} worlds; {words}"
            )
        out[name] = f"{'kept' if kept else 'left out'}: {words}"
    return out


def _later_time(console: Console) -> Searched:
    """The same ways on the last fifth of time of world_us, beside the model."""
    world = prepared_world_us()
    split = split_by_time(world.rows)
    parts = ways.before_test(world.rows, world.candidates, split)
    found, searched = fitted(parts, world.rows, split)
    test = world.rows.take(split.test)
    draws = draw(test.campaign)
    level = parts.whole.labels.conversions.sum() / parts.whole.labels.impressions.sum()
    null = draws.sums(deviances(test.labels, np.full(len(test), level)))
    table = Table(title=f"world_us (SIMULATED), last fifth of time: {len(test):,} rows")
    for column in ("", "NDCG@10", "less model's", "deviance explained", "less model's", "ECE"):
        table.add_column(column, justify="right" if column else "left")
    base: tuple[Floats, Floats] | None = None
    for name, challenger in found.items():
        score, rate = challenger.predict(test.matrix, chosen=True)
        order = campaign_ndcg(test, score, DEPTH)
        explained = 1 - draws.sums(deviances(test.labels, rate)) / null
        base = base or (order, explained)
        table.add_row(
            name,
            f"{np.nanmean(order):.3f}",
            _with_interval(draws.means(order - base[0])),
            f"{explained[0]:.3f}",
            _with_interval(explained - base[1]),
            f"{calibration_errors(test.labels, rate, draws)[0]:.3f}",
        )
    console.print(table)
    return searched


def _with_interval(replicates: Floats) -> str:
    found = figure(replicates)
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _table(
    title: str,
    told: Mapping[str, list[Figures]],
    seeds: list[int],
    value: Callable[[Figures], float],
) -> Table:
    table = Table(title=title)
    table.add_column("")
    for column in (*map(str, seeds), "mean"):
        table.add_column(column, justify="right")
    for name, worlds in told.items():
        values = [value(one) for one in worlds]
        table.add_row(name, *(f"{v:.3f}" for v in values), f"{np.mean(values):.3f}")
    return table


def _search_table(searches: Mapping[str, Searched]) -> Table:
    table = Table(title=f"What {TRIALS} trials found on folds before the test part")
    names = list(next(iter(searches.values())).trials[0].params)
    for column in ("", "trial", "pruned", "deviance, less default's", *names):
        table.add_column(column, justify="right" if column else "left")
    for where, searched in searches.items():
        best, gain = searched.best_trial, searched.gain
        table.add_row(
            where,
            str(best.number),
            str(sum(trial.pruned for trial in searched.trials)),
            f"{gain.value:+.1%} ({gain.low:+.1%} to {gain.high:+.1%})",
            *(f"{best.params[name]:.3g}" for name in names),
        )
    return table


def _sources() -> str:
    """Digest of the code that makes rows, so that no row of older code is judged."""
    digest = hashlib.sha256(ENCODER.encode())
    made_by = [*Path("features").glob("*.py"), *Path("training").glob("world_*.py")]
    made_by += [Path(f"models/{n}.py") for n in ("niche", "niche_fit", "profiles", "projection")]
    made_by += [Path(f"training/{n}.py") for n in ("simulate", "grammar", "dataset")]
    for file in sorted(made_by):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _save(world: World, file: Path) -> None:
    told: dict[str, Floats | Ints] = {}
    parts: list[tuple[str, Rows | Candidates | Asked]] = [
        ("rows", world.rows),
        ("candidates", world.candidates),
        *((f"asked{i}", one) for i, one in enumerate(world.asked)),
    ]
    for prefix, part in parts:
        for field in fields(part):
            value = getattr(part, field.name)
            if isinstance(value, Labels):
                told |= {f"{prefix}.labels.{f.name}": getattr(value, f.name) for f in fields(value)}
            else:
                told[f"{prefix}.{field.name}"] = value
    file.parent.mkdir(parents=True, exist_ok=True)
    part_file = file.with_suffix(".part.npz")
    np.savez_compressed(part_file, **told)  # type: ignore[arg-type]
    part_file.replace(file)


def _load(file: Path) -> World:
    with np.load(file) as told:
        values = {name: told[name] for name in told.files}

    def of(prefix: str) -> dict[str, np.ndarray]:
        start = f"{prefix}."
        return {k.removeprefix(start): v for k, v in values.items() if k.startswith(start)}

    def labelled(prefix: str) -> dict[str, object]:
        plain = {k: v for k, v in of(prefix).items() if "." not in k}
        return plain | {"labels": Labels(**of(f"{prefix}.labels"))}

    count = sum(name.endswith(".booked") for name in values)
    return World(
        Rows(**labelled("rows")),  # type: ignore[arg-type]
        Candidates(**of("candidates")),
        [Asked(**labelled(f"asked{i}")) for i in range(count)],  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    main()

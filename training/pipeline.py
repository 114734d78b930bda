"""Train: reads top to bottom.

Tables, vectors, rows, niche models, conversion model, figures, index, bundle, registry. Knows
nothing of how a command line looks: it tells its steps to a `Reporter`.
"""

from __future__ import annotations

import dataclasses
import subprocess
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit, urlunsplit

from features.catalogue import FEATURE_NAMES
from features.facts import Facts, build_facts, distinct_briefs
from features.schemas import Tables
from features.tables import read_tables
from features.text import Encoder, VectorCache, embed_texts, load_encoder
from features.vectors import Vectors
from features.windows import Ints
from models import bundle as bundles
from models import index as indexes
from models.bundle import Bundle, Content, Origin
from models.conversion import ConversionModel
from models.conversion_fit import FitParams
from models.heuristic import HeuristicModel
from models.index import Index
from models.niche import NicheModel, fit_niche, zero_shot
from models.prices import fit_prices
from models.profiles import Known, know
from models.registry import Registry, RunRecord, Version
from training.dataset import Rows, Split, draw_candidates, labelled_rows, split_by_time
from training.evaluate import importances, metrics, plots
from training.learning import (
    fit_before_test,
    fit_on_all,
    order_by_rules,
    too_close,
    too_little,
)
from training.settings import TrainingSettings


class Reporter(Protocol):
    """Where the pipeline tells what it does."""

    def step(self, title: str, total: int) -> AbstractContextManager[Any]:
        """Open a step of `total` units; what it yields is called with each number of units done."""

    def say(self, text: str) -> None:
        """Tell one fact."""


@dataclass(frozen=True)
class Learned:
    """A model with how it was judged; `rows` and figures only where outcomes were learned from."""

    model: ConversionModel | HeuristicModel
    reason: str
    metrics: dict[str, float]
    params: dict[str, Any]
    judged: tuple[Rows, Any] | None


@dataclass(frozen=True)
class Trained:
    """What a training run brought.

    Attributes:
        encoded: Posts that were really encoded; the others' vectors were known.
        bundle: The bundle as saved and loaded again.
        version: The registered version.
        promoted: Whether it became the champion.
    """

    encoded: int
    bundle: Bundle
    version: Version
    promoted: bool


def train(
    settings: TrainingSettings,
    source: str,
    report: Reporter,
    on_invalid: Literal["refuse", "quarantine"] = "refuse",
) -> Trained:
    """Fit, judge, log and publish a model from a data set.

    Args:
        settings: Where things lie, and how to learn.
        source: Folder or SQL URL of the tables.
        report: Where steps are told.
        on_invalid: What to do with rows that break the contract.

    Raises:
        InvalidTables: The tables break the contract; nothing was trained or changed.
        RegistryError: The model could not be published.
    """
    tables = read(settings, source, report, on_invalid)
    encoder = load_encoder(settings.encoder, settings.home)
    facts, encoded = embed(tables, encoder, settings, report)
    known = learn_niches(facts, encoder, settings, report)
    learned = learn(known, encoder, settings, report)
    with report.step("Profiling creators", len(facts.creator_id)) as done:
        index = indexes.build(known, done)
    with tempfile.TemporaryDirectory(prefix="creatorfit-") as scratch:
        folder = Path(scratch) / "bundle"
        bundle = write(folder, known, encoder, learned, index, tables)
        version = publish(settings, folder, bundle, learned, tables, source, report)
    promoted = promote(settings, version, learned, report)
    return Trained(encoded, bundle, version, promoted)


def read(
    settings: TrainingSettings,
    source: str,
    report: Reporter,
    on_invalid: Literal["refuse", "quarantine"] = "refuse",
) -> Tables:
    """Read and check the tables, and tell what is unusual about them."""
    with report.step("Reading tables", 1) as done:
        tables = read_tables(
            source, on_invalid=on_invalid, quarantine_dir=settings.home / "quarantine"
        )
        done(1)
    for warning in tables.warnings:
        report.say(warning)
    for table, count in tables.quarantined.items():
        report.say(f"{count} rows of {table} set aside in {settings.home / 'quarantine'}")
    report.say(
        f"{len(tables.creators):,} creators, {len(tables.posts):,} posts, "
        f"{len(tables.sponsorships):,} sponsorships"
    )
    return tables


def embed(
    tables: Tables, encoder: Encoder, settings: TrainingSettings, report: Reporter
) -> tuple[Facts, int]:
    """Encode what was never encoded, and sort everything in time."""
    cache = VectorCache(settings.home, encoder)
    briefs = distinct_briefs(tables)
    texts = tables.posts["text"].tolist()
    with report.step(f"Encoding posts ({encoder.name})", len(texts)) as done:
        posts = embed_texts(texts, encoder, cache, done)
    brief_vectors = embed_texts(briefs, encoder, cache).vectors
    report.say(f"{posts.encoded:,} texts encoded, the others' vectors were known")
    facts = build_facts(tables, posts.vectors, brief_vectors, settings.currency)
    return facts, posts.encoded


def learn_niches(
    facts: Facts, encoder: Encoder, settings: TrainingSettings, report: Reporter
) -> Known:
    """Fit a niche model for each month, from labels where creators carry them."""
    labels = facts.creators.set_index("creator_id")["niche"].dropna().to_dict()
    unlearned = zero_shot(encoder)

    def fit_until(vectors: Vectors, creator: Ints, until_us: int) -> NicheModel:
        if not labels:
            return unlearned
        if len(vectors) == 0:
            day = _day(until_us)
            reason = f"{len(labels):,} creators are labelled, but nobody posted before {day}"
            return replace(unlearned, reason=reason)
        return fit_niche(vectors, facts.creator_id[creator], labels, encoder, settings.seed)

    with report.step("Learning niches", 1) as done:
        known = know(facts, fit_until)
        done(1)
    model = known.snapshots[-1].model
    report.say(f"niches: {model.kind}, {len(model.labels)} labels; {model.reason}")
    return known


def learn(known: Known, encoder: Encoder, settings: TrainingSettings, report: Reporter) -> Learned:
    """Learn from outcomes where there are enough, else order by stated rules."""
    with report.step("Building rows", len(known.facts.outcomes)) as done:
        rows = labelled_rows(known, done)
    outcomes, as_of_us = known.facts.outcomes, known.facts.as_of_us
    still_open = int((outcomes.resolved_us >= as_of_us).sum())
    if still_open:
        report.say(
            f"{still_open:,} sponsorships left out: not resolved by {_day(as_of_us)}, the last "
            "moment in the tables (an empty resolved_at is 30 days after the start)"
        )
    unseen = len(outcomes) - still_open - len(rows)
    if unseen:
        report.say(f"{unseen:,} sponsorships left out: they have no impressions")
    reason = too_little(rows)
    if reason is None:
        split = split_by_time(rows)
        reason = too_close(rows, split)
    if reason is None:
        learned = learn_outcomes(known, rows, split, settings.fit_params, report)
        explained = learned.metrics["rate_deviance_explained"]
        if explained > 0:
            return learned
        reason = f"on later time the learned model explained none of the deviance ({explained:.3f})"
    report.say(f"cold start: {reason}")
    return Learned(order_by_rules(known, encoder), reason, {}, {}, None)


def learn_outcomes(
    known: Known, rows: Rows, split: Split, params: FitParams, report: Reporter
) -> Learned:
    """Fit on the past, calibrate on later rows, judge on later ones still, fit again on all."""
    with report.step("Fitting the model", 3) as done:
        candidates = draw_candidates(known, rows, params.seed)
        done(1)
        judged = fit_before_test(rows, candidates, split, params)
        done(1)
        final = fit_on_all(rows, candidates, judged, params)
        done(1)
    test = rows.take(split.test)
    predictions = judged.model.predict(test.matrix, chosen=True)
    figures = metrics(test, predictions) | {
        "fit_rows": float(len(split.fit)),
        "calibration_rows": float(len(split.later)),
        "calibration_slope": judged.model.calibration.slope,
        "train_rows": float(len(rows)),
        "train_conversions": float(rows.labels.conversions.sum()),
    }
    rounds = {f"rounds_{k}": count for k, count in dataclasses.asdict(judged.rounds).items()}
    return Learned(
        model=final,
        reason=f"learned from {len(rows):,} resolved sponsorships",
        metrics=figures,
        params=dataclasses.asdict(params) | rounds,
        judged=(test, predictions),
    )


def write(
    folder: Path,
    known: Known,
    encoder: Encoder,
    learned: Learned,
    index: Index,
    tables: Tables,
) -> Bundle:
    """Save the bundle, and load it again: what is published is what was read back."""
    values = index.profiles.numbers.values
    followers_log = values[:, FEATURE_NAMES.index("followers_log")]
    bundles.save(
        folder,
        Content(
            encoder=encoder,
            niche=known.snapshots[-1].model,
            projection=known.snapshots[-1].projection,
            model=learned.model,
            prices=fit_prices(index.price, known.facts.platform, followers_log),
            index=index,
        ),
        Origin(
            kind_reason=learned.reason,
            data={
                "digest": tables.digest,
                "creators": len(tables.creators),
                "posts": len(tables.posts),
                "sponsorships": len(tables.sponsorships),
            },
            params=learned.params,
            metrics=learned.metrics,
        ),
    )
    return bundles.load(folder)


def publish(
    settings: TrainingSettings,
    folder: Path,
    bundle: Bundle,
    learned: Learned,
    tables: Tables,
    source: str,
    report: Reporter,
) -> Version:
    """Log the run with its plots to MLflow and register the bundle."""
    manifest = bundle.manifest
    with report.step("Publishing to MLflow", 1) as done:
        test, predictions = learned.judged or (None, None)
        drawn = plots(test, predictions, learned.model, bundle.index, folder.parent / "plots")
        shares = importances(learned.model) if isinstance(learned.model, ConversionModel) else {}
        record = RunRecord(
            name=f"{manifest.kind}, data to {_day(manifest.as_of_us)}",
            card=manifest.kind_reason,
            params={
                "kind": manifest.kind,
                "kind_reason": manifest.kind_reason,
                "encoder": bundle.encoder.name,
                "niche_model": bundle.niche.kind,
                "features": len(manifest.features),
                "currency": manifest.currency,
                **manifest.params,
            },
            metrics=learned.metrics
            | {f"data_{name}": float(n) for name, n in manifest.data.items() if name != "digest"},
            tags={
                "data_digest": tables.digest,
                "git_commit": _git_commit(),
                "leading_features": ", ".join(sorted(shares, key=lambda name: -shares[name])[:5]),
            },
            data=tables.sponsorships,
            data_digest=tables.digest,
            data_source=_without_password(source),
            files={"plots": drawn},
        )
        version = Registry(settings.registry_uri, settings.artifacts).publish(
            folder, bundle, record
        )
        done(1)
    report.say(f"published {version.name} version {version.version}, run {version.run_id}")
    return version


def promote(
    settings: TrainingSettings, version: Version, learned: Learned, report: Reporter
) -> bool:
    """Make the version the champion, unless it knows less than the one that is.

    A model learned from outcomes is not replaced by a heuristic, unless this code can no longer
    serve it, for it was made from other features.
    """
    registry = Registry(settings.registry_uri, settings.artifacts)
    champion = registry.champion()
    if (
        champion is not None
        and champion.kind == "outcomes"
        and champion.features_digest == bundles.features_digest()
        and learned.model.kind == "heuristic"
    ):
        report.say(
            f"not promoted: version {champion.version} was learned from outcomes, this one was not"
        )
        return False
    registry.promote(version.version, "no champion before it")
    report.say(f"version {version.version} is now the champion")
    return True


def _day(microseconds: int) -> str:
    """A moment's date, or ``the first post`` where there is no moment before it."""
    if microseconds < 0:
        return "the first post"
    return f"{datetime.fromtimestamp(microseconds / 1_000_000, UTC):%Y-%m-%d}"


def _without_password(source: str) -> str:
    """A source as it may be shown: the password of a URL is left out."""
    parts = urlsplit(source)
    if parts.password is None:
        return source
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))


def _git_commit() -> str:
    """The commit of the code that trains, or ``unknown`` where there is no checkout."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return found.stdout.strip() or "unknown"

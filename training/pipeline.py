"""Train and evaluate: reads top to bottom.

Tables, vectors, niche models, index, rows, conversion model, figures, gate, bundle, registry. Knows
nothing of how a command line looks: it tells its steps to a `Reporter`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from features.facts import Facts, build_facts, distinct_briefs, last_moment_us
from features.forgotten import FILE, read_forgotten
from features.readings import TextRules
from features.schemas import Tables
from features.tables import read_tables
from features.text import Encoder, VectorCache, embed_texts, load_encoder
from features.vectors import Vectors
from features.windows import Ints
from models import index as indexes
from models.bundle import Bundle
from models.conversion_fit import FitParams
from models.index import Index
from models.niche import NicheModel, fit_niche, zero_shot
from models.registry import Registry, Version
from models.safety import RiskModel
from models.snapshots import Known, know
from models.stage import Grow, grow_here
from training.dataset import draw_candidates, labelled_rows, split_by_time
from training.finetune_taught import noted_in, rows_begun_since, seen_until_us
from training.forget import QUARANTINE, in_words, scrub, without
from training.gate import Decision
from training.judging import Learning, assess, steps
from training.learning import (
    fit_before_test,
    fit_on_all,
    order_by_rules,
    too_close,
    too_little,
)
from training.outcomes import with_outcomes
from training.promotion import Champion, decide, rival, standing
from training.publishing import (
    Learned,
    Material,
    day,
    publish,
)
from training.safety_fit import fit_risks
from training.settings import TrainingSettings
from training.tune import search

OnInvalid = Literal["refuse", "quarantine"]
NicheFit = Callable[[Vectors, Ints, int], NicheModel]


class Reporter(Protocol):
    """Where the pipeline tells what it does."""

    def step(self, title: str, total: int) -> AbstractContextManager[Any]:
        """Open a step of `total` units; what it yields is called with each number of units done."""

    def say(self, text: str) -> None:
        """Tell one fact."""


class Place(Protocol):
    """Where posts are read, encoded and profiled and trees are grown: `HERE`, or on a cluster."""

    @property
    def grow(self) -> Grow: ...

    def read(self, source: str, settings: TrainingSettings, on_invalid: OnInvalid) -> Tables:
        """Read and check the tables."""
        ...

    def know(
        self, tables: Tables, encoder: Encoder, settings: TrainingSettings, report: Reporter
    ) -> tuple[Known, int]:
        """Encode the texts and learn niches; returns too how many texts were encoded."""
        ...

    def index(
        self, known: Known, risks: RiskModel, settings: TrainingSettings, report: Reporter
    ) -> Index:
        """Profile every creator as of the end of what is known."""
        ...


class Here:
    """This process."""

    grow: Grow = staticmethod(grow_here)

    def read(self, source: str, settings: TrainingSettings, on_invalid: OnInvalid) -> Tables:
        quarantine = settings.home / QUARANTINE
        return read_tables(source, on_invalid=on_invalid, quarantine_dir=quarantine)

    def know(
        self, tables: Tables, encoder: Encoder, settings: TrainingSettings, report: Reporter
    ) -> tuple[Known, int]:
        facts, encoded = embed(tables, encoder, settings, report)
        return learn_niches(facts, encoder, settings, report), encoded

    def index(
        self, known: Known, risks: RiskModel, settings: TrainingSettings, report: Reporter
    ) -> Index:
        with report.step("Profiling creators", len(known.facts.creator_id)) as done:
            return indexes.build(known, done, risks, TextRules(settings.home))


HERE = Here()


@dataclass(frozen=True)
class Trained:
    """What a training run brought.

    Attributes:
        encoded: Posts that were really encoded; the others' vectors were known.
        bundle: The bundle as saved and loaded again.
        version: The registered version.
        decision: Whether it became the champion, and why.
        report: The report's files.
        stand_in: A version of stated rules that is served instead, where this one was refused and
            nothing else can be.
    """

    encoded: int
    bundle: Bundle
    version: Version
    decision: Decision
    report: list[Path]
    stand_in: Trained | None = None

    @property
    def promoted(self) -> bool:
        return self.decision.promote


def train(
    settings: TrainingSettings,
    source: str,
    report: Reporter,
    on_invalid: OnInvalid = "refuse",
    full: bool = True,
    trials: int = 0,
) -> Trained:
    """Fit, judge, log and publish a model from a data set, and promote it if the gate passes.

    A learned model that the gate refuses while no learned one is served is followed by a version
    of stated rules: whoever asks gets an answer from these tables, and is told what kind it is of.

    Args:
        settings: Where things lie, and how to learn.
        source: Folder or SQL URL of the tables.
        report: Where steps are told.
        on_invalid: What to do with rows that break the contract.
        full: Whether to judge brands and creators never seen and every family of features too.
        trials: How many sets of parameters to try before the test part; with 0 those stay that won
            in `benchmarks.challengers`.

    Raises:
        InvalidTables: The tables break the contract; nothing was trained or changed.
        DataError: There is too little to search on.
        RegistryError: The model could not be published.
        ClusterError: The cluster of `TrainingSettings.scheduler` is away, not fit, or gave up.
    """
    with _place(settings, report) as place:
        return _train(settings, source, report, on_invalid, full, trials, place)


@contextmanager
def _place(settings: TrainingSettings, report: Reporter) -> Iterator[Place]:
    """This process, or the cluster whose scheduler the settings name."""
    if not settings.scheduler:
        yield HERE
        return
    from training.distributed import cluster_of  # Dask, which is an extra

    with cluster_of(settings, report) as cluster:
        yield cluster


def _train(
    settings: TrainingSettings,
    source: str,
    report: Reporter,
    on_invalid: OnInvalid,
    full: bool,
    trials: int,
    place: Place,
) -> Trained:
    tables = read(settings, source, report, on_invalid, place)
    registry = Registry(settings.registry_uri, settings.artifacts)
    champion = standing(registry, settings.bundles)
    encoder = load_encoder(settings.encoder, settings.home)
    taught = seen_until_us(settings.encoder)
    material, encoded = prepare(settings, source, tables, encoder, taught, report, place)
    learned = learn(material, champion, settings, report, full, trials, place)
    trained = _published(settings, registry, material, learned, encoded, report)
    if not trained.promoted and (champion is None or not champion.learned):
        rules = by_rules(material, f"version {trained.version.version} was refused", None)
        stand_in = _published(settings, registry, material, rules, encoded, report)
        return replace(trained, stand_in=stand_in)
    return trained


def _published(
    settings: TrainingSettings,
    registry: Registry,
    material: Material,
    learned: Learned,
    encoded: int,
    report: Reporter,
) -> Trained:
    with report.step("Publishing to MLflow", 1) as done:
        version, bundle, files = publish(settings, registry, material, learned)
        done(1)
    report.say(f"published {version.name} version {version.version}, run {version.run_id}")
    decision = learned.decision
    told = "is now the champion" if decision.promote else "was not promoted"
    report.say(f"version {version.version} {told}: {decision.reason}")
    return Trained(encoded, bundle, version, decision, files)


def prepare(
    settings: TrainingSettings,
    source: str,
    tables: Tables,
    encoder: Encoder,
    taught_until_us: int | None,
    report: Reporter,
    place: Place = HERE,
) -> tuple[Material, int]:
    """Read the texts, and profile every creator; returns too how many texts were encoded."""
    known, encoded = place.know(tables, encoder, settings, report)
    with report.step("Learning brand-safety risks", 1) as done:
        risks = fit_risks(encoder, VectorCache(settings.home, encoder))
        done(1)
    index = place.index(known, risks, settings, report)
    return Material(source, tables, encoder, taught_until_us, known, index), encoded


def prepare_as(
    settings: TrainingSettings, source: str, bundle: Bundle, report: Reporter
) -> Material:
    """Read and prepare tables as a bundle reads them: by its encoder, and in its currency."""
    tables = read(settings, source, report)
    own = settings.model_copy(update={"currency": bundle.manifest.currency})
    taught = noted_in(bundle.manifest.params)
    return prepare(own, source, tables, bundle.encoder, taught, report)[0]


def read(
    settings: TrainingSettings,
    source: str,
    report: Reporter,
    on_invalid: OnInvalid = "refuse",
    place: Place = HERE,
) -> Tables:
    """Read and check the tables, with the service's outcomes, and tell what is unusual of them."""
    with report.step("Reading tables", 1) as done:
        tables = place.read(source, settings, on_invalid)
        done(1)
    forgotten = read_forgotten(settings.home)
    tables, left_out = without(tables, forgotten)
    if left_out:
        report.say(f"left out, for {FILE} says so: {in_words(left_out)}")
    if tables.quarantined:
        scrub(settings.home / QUARANTINE, forgotten)
    until_us = last_moment_us(tables)
    tables = with_outcomes(tables, settings.store_url, report, until_us=until_us)
    if tables.elsewhere is not None:
        both = f"{tables.digest} {tables.elsewhere.digest}"
        tables = replace(tables, digest=hashlib.sha256(both.encode()).hexdigest())
    for warning in tables.warnings:
        report.say(warning)
    for table, count in tables.quarantined.items():
        report.say(f"{count} rows of {table} set aside in {settings.home / QUARANTINE}")
    report.say(
        f"{len(tables.creators):,} creators, {tables.n_posts:,} posts, "
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
    rules = TextRules(settings.home)
    facts = build_facts(tables, posts.vectors, brief_vectors, settings.currency, rules)
    return facts, posts.encoded


def learn_niches(
    facts: Facts, encoder: Encoder, settings: TrainingSettings, report: Reporter
) -> Known:
    """Fit a niche model for each month, from labels where creators carry them."""
    with report.step("Learning niches", 1) as done:
        known = know(facts, niche_fitter(facts, encoder, settings))
        done(1)
    tell_niches(known, report)
    return known


def niche_fitter(facts: Facts, encoder: Encoder, settings: TrainingSettings) -> NicheFit:
    """What fits the niche model of a month."""
    labels = facts.creators.set_index("creator_id")["niche"].dropna().to_dict()
    unlearned = zero_shot(encoder)

    def fit_until(vectors: Vectors, creator: Ints, until_us: int) -> NicheModel:
        if not labels:
            return unlearned
        if until_us < 0:  # the first snapshot, which knows no post
            told = day(until_us)
            reason = f"{len(labels):,} creators are labelled, but nobody posted before {told}"
            return replace(unlearned, reason=reason)
        return fit_niche(vectors, facts.creator_id[creator], labels, encoder, settings.seed)

    return fit_until


def tell_niches(known: Known, report: Reporter) -> None:
    """Say which niche model serves, and why."""
    model = known.snapshots[-1].model
    report.say(f"niches: {model.kind}, {len(model.labels)} labels; {model.reason}")


def learn(
    material: Material,
    champion: Champion | None,
    settings: TrainingSettings,
    report: Reporter,
    full: bool,
    trials: int = 0,
    place: Place = HERE,
) -> Learned:
    """Learn from outcomes where there are enough, else order by stated rules."""
    learning = learning_of(material, settings.fit_params, report)
    if isinstance(learning, str):
        report.say(f"cold start: {learning}")
        return by_rules(material, learning, champion)
    searched = None
    if trials:
        with report.step("Searching parameters", trials) as done:
            searched = search(learning.rows, learning.split, learning.params, trials, done)
        report.say(
            f"the best of {trials:,} trials has {searched.gain.value:+.1%} deviance on folds "
            "before the test part; whether that holds later, the gate says"
        )
        learning = replace(learning, params=searched.best)
    learning = replace(learning, grow=place.grow)
    rows, candidates, params = learning.rows, learning.candidates, learning.params
    with report.step("Fitting the model", 2) as done:
        fitted = fit_before_test(rows, candidates, learning.split, params, place.grow)
        done(1)
        final = fit_on_all(rows, candidates, fitted, params, place.grow)
        done(1)

    with report.step("Judging the model", steps(full) + 1) as done:
        other = rival(learning, champion, reader(settings, material, report, place))
        decision = decide(learning, fitted.model, champion, other)
        done(1)
        beside = [] if other is None or other.candidate is None else [other.candidate]
        evaluation = assess(learning, fitted.model, beside, full=full, done=done)
    rounds = {f"rounds_{k}": count for k, count in dataclasses.asdict(fitted.rounds).items()}
    return Learned(
        model=final,
        judged=fitted.judged,
        reason=f"learned from {len(rows):,} resolved sponsorships",
        params=dataclasses.asdict(params) | rounds,
        metrics={
            "fit_rows": float(len(learning.split.fit)),
            "fit_calibration_rows": float(len(learning.split.later)),
            "fit_calibration_slope": fitted.model.calibration.slope,
            "fit_conversions": float(rows.labels.conversions.sum()),
        },
        evaluation=evaluation,
        decision=decision,
        searched=searched,
    )


def reader(
    settings: TrainingSettings, material: Material, report: Reporter, place: Place = HERE
) -> Callable[[Bundle], Known]:
    """Reads the same tables as a bundle's encoder does, and in its currency."""

    def read_as(bundle: Bundle) -> Known:
        report.say(f"reading the texts as the champion does ({bundle.encoder.name})")
        own = settings.model_copy(update={"currency": bundle.manifest.currency})
        return place.know(material.tables, bundle.encoder, own, report)[0]

    return read_as


def learning_of(material: Material, params: FitParams, report: Reporter) -> Learning | str:
    """What there is to learn from, or why it is too little."""
    known = material.known
    with report.step("Building rows", len(known.facts.outcomes)) as done:
        rows = labelled_rows(known, done)
    outcomes, as_of_us = known.facts.outcomes, known.facts.as_of_us
    still_open = int((outcomes.resolved_us >= as_of_us).sum())
    if still_open:
        report.say(
            f"{still_open:,} sponsorships left out: not resolved by {day(as_of_us)}, the last "
            "moment in the tables (an empty resolved_at is 30 days after the start)"
        )
    unseen = len(outcomes) - still_open - len(rows)
    if unseen:
        report.say(f"{unseen:,} sponsorships left out: they have no impressions")
    every = len(rows)
    rows = rows_begun_since(material.taught_until_us, rows, material.encoder.name)
    if len(rows) < every:
        report.say(f"{every - len(rows):,} sponsorships left out: the encoder was taught on them")
    reason = too_little(rows)
    if reason is not None:
        return reason
    split = split_by_time(rows)
    reason = too_close(rows, split)
    if reason is not None:
        return reason
    with report.step("Drawing candidates", 1) as done:
        candidates = draw_candidates(known, rows, params.seed)
        done(1)
    digest, mix = material.encoder.digest, material.index.profiles.mix
    return Learning(known, digest, mix, rows, candidates, split, params)


def by_rules(material: Material, reason: str, champion: Champion | None) -> Learned:
    """A version of stated rules; it replaces no model that was learned and can be served."""
    model = order_by_rules(material.known, material.index.profiles, material.encoder)
    decision = Decision(True, f"stated rules: {reason}", "nothing")
    if champion is not None and champion.learned:
        told = f"{champion.name} was learned from outcomes, this one was not: {reason}"
        decision = Decision(False, told, champion.name)
    return Learned(model, None, reason, {}, {}, None, decision)

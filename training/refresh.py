"""The champion on newer tables: the same models, a new index, a new version.

What hangs on a text alone (vector, language, disclosures, risks) is known from before by the text's
hash; all else is computed for every creator, by the code that `train` uses, so a refreshed index is
the index that a whole build of the same tables with the same models has. Learns nothing from
outcomes, and knows nothing of how a command line looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.creator import build_history
from features.facts import Facts, last_moment_us
from features.pair import pair_features
from features.readings import TextRules
from features.schemas import BundleError, DataError, NoModel, Tables
from features.text import VectorCache
from models import index as indexes
from models.bundle import Bundle
from models.index import Index
from models.registry import Registry, Version
from models.snapshots import Known, Snapshot, profile_brief
from training.finetune_taught import noted_in
from training.gate import Decision
from training.pipeline import Reporter, embed, read
from training.publishing import Learned, Material, day, publish
from training.safety_fit import fit_risks
from training.settings import TrainingSettings

# Fewer creators than this share of the champion's are a table that was read in part, not news.
LEFT_MIN = 0.5
PROBED_BRIEFS = 5  # the latest of the tables, for which every creator is scored

FROM = "refreshed_from"  # of a version's parameters: the version whose models it holds


@dataclass(frozen=True)
class Refreshed:
    """What a refresh brought.

    Attributes:
        encoded: Posts that were really encoded; the others' vectors were known.
        before: The champion whose models it holds.
        decision: Whether it became the champion, and why.
    """

    encoded: int
    before: Version
    bundle: Bundle
    version: Version
    decision: Decision


def refresh(
    settings: TrainingSettings,
    source: str,
    report: Reporter,
    on_invalid: Literal["refuse", "quarantine"] = "refuse",
) -> Refreshed:
    """Publish the champion's models with an index of newer tables, and promote that.

    Args:
        settings: Where things lie; encoder and currency are the champion's.
        source: Folder or SQL URL of the tables.
        report: Where steps are told.
        on_invalid: What to do with rows that break the contract.

    Raises:
        NoModel: There is no champion.
        BundleError: This code cannot use the champion.
        DataError: The tables are older than the champion, hold less than half of its creators, or
            lead to a score that is no number. Nothing was published.
        InvalidTables: The tables break the contract; nothing was changed.
        RegistryError: The version could not be published.
    """
    registry = Registry(settings.registry_uri, settings.artifacts)
    version, champion = _champion(registry, settings)
    own = settings.model_copy(update={"currency": champion.manifest.currency})
    tables = read(own, source, report, on_invalid)
    _no_less(tables, champion, source)
    material, encoded = prepare(own, source, tables, champion, report)
    with report.step("Checking scores", 1) as done:
        _all_scored(material.known, material.index, champion, source)
        done(1)
    now = registry.champion()
    promote = now is not None and now.version == version.version
    reason = (
        f"the models of version {version.version}, data to {day(material.index.as_of_us)}"
        if promote
        else f"version {version.version} is no longer the champion whose models these are"
    )
    learned = Learned(
        model=champion.model,
        judged=champion.judged,
        reason=champion.manifest.kind_reason,
        params=champion.manifest.params | {FROM: version.version},
        metrics=champion.manifest.metrics,
        evaluation=None,
        decision=Decision(promote, reason, f"version {version.version}"),
    )
    with report.step("Publishing to MLflow", 1) as done:
        new, bundle, _ = publish(own, registry, material, learned)
        done(1)
    return Refreshed(encoded, version, bundle, new, learned.decision)


def prepare(
    settings: TrainingSettings, source: str, tables: Tables, champion: Bundle, report: Reporter
) -> tuple[Material, int]:
    """Profile every creator of tables by a bundle's models; also how many texts were encoded."""
    facts, encoded = embed(tables, champion.encoder, settings, report)
    known = known_by(champion, facts)
    risks = fit_risks(champion.encoder, VectorCache(settings.home, champion.encoder))
    with report.step("Profiling creators", len(facts.creator_id)) as done:
        index = indexes.build(known, done, risks, TextRules(settings.home))
    taught = noted_in(champion.manifest.params)
    return Material(source, tables, champion.encoder, taught, known, index), encoded


def known_by(bundle: Bundle, facts: Facts) -> Known:
    """Facts as a bundle's models read them now: no other moment may be asked about."""
    snapshot = Snapshot(int(np.iinfo(np.int64).min), bundle.niche, bundle.projection)
    return Known(build_history(facts), (snapshot,))


def _champion(registry: Registry, settings: TrainingSettings) -> tuple[Version, Bundle]:
    version = registry.champion()
    if version is None:
        raise NoModel("there is no champion to refresh: python -m training train makes one")
    try:
        bundle = registry.load(version, settings.bundles)
    except BundleError as error:
        told = f"version {version.version} cannot be refreshed: {error}"
        raise BundleError(told, kind=error.kind) from error
    return version, bundle


def _no_less(tables: Tables, champion: Bundle, source: str) -> None:
    """Refuse tables that lie before the champion, or that hold far less than it."""
    as_of_us, before_us = last_moment_us(tables) + 1, champion.index.as_of_us
    if as_of_us < before_us:
        raise DataError(
            f"{source}: ends on {day(as_of_us)}, before the champion's tables did "
            f"({day(before_us)}): its model knows what came later"
        )
    there, were = len(tables.creators), len(champion.index)
    if there < LEFT_MIN * were:
        raise DataError(
            f"{source}: {there:,} creators, but the champion has {were:,}: less than "
            f"{LEFT_MIN:.0%} of them looks like tables that were read in part; train, if it is so"
        )


def _all_scored(known: Known, index: Index, champion: Bundle, source: str) -> None:
    """Refuse an index of which the model makes a score that is no number."""
    facts = known.facts
    latest = np.argsort(facts.outcomes.started_us, kind="stable")[::-1][:PROBED_BRIEFS]
    everyone = np.arange(len(index), dtype=np.int64)
    for deal in latest.tolist():
        brief = int(facts.outcomes.brief[deal])
        profile = profile_brief(
            champion.niche,
            champion.projection,
            facts.brief_vector[brief],
            facts.brief_language[brief],
            int(facts.outcomes.brand[deal]),
        )
        rows = pair_features(index.profiles, everyone, [profile], np.zeros_like(everyone))
        bad = ~np.isfinite(champion.model.predict(rows).score)
        if bad.any():
            first = index.ids[np.flatnonzero(bad)[0]]
            raise DataError(
                f"{source}: creator {first!r}: its score for the brief of "
                f"{facts.outcomes.sponsorship_id[deal]!r} is no number, of {int(bad.sum()):,} "
                "creators in all; the champion stays"
            )

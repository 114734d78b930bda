"""A trained model becomes a bundle, a run with its report, and a registered version.

Knows nothing of how a model is fitted or judged.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from features.catalogue import FEATURE_NAMES
from features.schemas import Tables
from features.text import Encoder
from models import bundle as bundles
from models.bundle import Bundle, Content, Judgeable, Origin
from models.conversion import ConversionModel
from models.heuristic import HeuristicModel
from models.index import Index
from models.prices import fit_prices
from models.probing import ask, load_sound
from models.registry import Registry, RunRecord, Version
from models.search_fit import search_for
from models.snapshots import Known
from training import plots
from training.card import facts_of, limits, model_card
from training.evaluate import Evaluation, headline
from training.finetune_taught import noted
from training.gate import Decision
from training.report import Page, write_report
from training.settings import TrainingSettings
from training.tune import Searched, log_trials


@dataclass(frozen=True)
class Learned:
    """A model, how it was judged, and whether it may become the champion.

    Attributes:
        judged: The model as it was before the rows it was judged on; None for a heuristic.
        reason: Why it is of its kind.
        metrics: Of the fitting; those of `evaluation` come on top.
        searched: The search that found its parameters, if there was one.
    """

    model: ConversionModel | HeuristicModel
    judged: Judgeable | None
    reason: str
    params: dict[str, Any]
    metrics: dict[str, float]
    evaluation: Evaluation | None
    decision: Decision
    searched: Searched | None = None

    @property
    def all_metrics(self) -> dict[str, float]:
        told = {} if self.evaluation is None else headline(self.evaluation)
        return told | self.metrics


@dataclass(frozen=True)
class Material:
    """What every version of a run is made of, whichever model it holds.

    `taught_until_us` is the moment until which the encoder was taught what worked, if it was.
    """

    source: str
    tables: Tables
    encoder: Encoder
    taught_until_us: int | None
    known: Known
    index: Index


def publish(
    settings: TrainingSettings,
    registry: Registry,
    material: Material,
    learned: Learned,
) -> tuple[Version, Bundle, list[Path]]:
    """Save the bundle, log the run with its report and register it; then promote or refuse it.

    Returns:
        The version, the bundle as it was saved and read back, and the report's files.
    """
    with tempfile.TemporaryDirectory(prefix="creatorfit-") as scratch:
        simulated = settings.calls_simulated(material.source)
        bundle = _write(Path(scratch) / "bundle", material, learned, simulated)
        manifest = bundle.manifest
        page = page_of(material, learned, manifest.as_of_us, simulated)
        report = write_report(page, Path(scratch) / "report")
        pictures = plots.of_model(learned.model, bundle.index)
        if learned.evaluation is not None:
            pictures |= plots.pictures(learned.evaluation)
        model = learned.model
        shares = plots.importances(model) if isinstance(model, ConversionModel) else {}
        record = RunRecord(
            name=f"{manifest.kind}, data to {day(manifest.as_of_us)}",
            card=model_card(page),
            params={
                "kind": manifest.kind,
                "kind_reason": manifest.kind_reason,
                "encoder": bundle.encoder.name,
                "niche_model": bundle.niche.kind,
                "features": len(manifest.features),
                "currency": manifest.currency,
                **manifest.params,
            },
            metrics=manifest.metrics
            | {
                f"data_{name}": float(n)
                for name, n in manifest.data.items()
                if name not in ("digest", "simulated")
            },
            tags={
                "data_digest": material.tables.digest,
                "git_commit": _git_commit(),
                "simulated": str(page.simulated).lower(),
                "leading_features": ", ".join(sorted(shares, key=lambda name: -shares[name])[:5]),
                "gate": "promoted" if learned.decision.promote else "refused",
                "gate_reason": learned.decision.reason,
            },
            data=material.tables.sponsorships,
            data_digest=material.tables.digest,
            data_source=without_password(material.source),
            files={
                "plots": plots.save(pictures, Path(scratch) / "plots"),
                "report": report,
            },
        )
        version = registry.publish(Path(scratch) / "bundle", bundle, record)
        kept = keep_report(report, settings.home, f"version-{version.version}")
    if learned.searched is not None:
        log_trials(registry, version.run_id, learned.searched)
    if learned.decision.promote:
        registry.promote(version.version, learned.decision.reason)
    else:
        registry.refuse(version.version, learned.decision.reason)
    return version, bundle, kept


def _write(folder: Path, material: Material, learned: Learned, simulated: bool) -> Bundle:
    """Save the bundle, and load it again: what is published is what was read back."""
    index, known, tables = material.index, material.known, material.tables
    followers_log = index.profiles.numbers.values[:, FEATURE_NAMES.index("followers_log")]
    prices = fit_prices(index.price, known.facts.platform, followers_log)
    content = Content(
        encoder=material.encoder,
        niche=known.snapshots[-1].model,
        projection=known.snapshots[-1].projection,
        model=learned.model,
        judged=learned.judged,
        prices=prices,
        index=index,
        search=search_for(known, index, learned.model, prices),
        probes=None,
    )
    bundles.save(
        folder,
        replace(content, probes=ask(content)),
        Origin(
            kind_reason=learned.reason,
            data={
                "digest": tables.digest,
                "simulated": simulated,
                "creators": len(tables.creators),
                "posts": tables.n_posts,
                "sponsorships": len(tables.sponsorships),
            },
            params=learned.params | noted(material.taught_until_us),
            metrics=learned.all_metrics,
        ),
    )
    return load_sound(folder)


def page_of(material: Material, learned: Learned, as_of_us: int, simulated: bool) -> Page:
    """What the report of a run says."""
    tables = material.tables
    told = {
        "data digest": tables.digest[:12],
        "creators": len(tables.creators),
        "posts": tables.n_posts,
        "sponsorships": len(tables.sponsorships),
        "text encoder": material.encoder.name,
        "why this kind": learned.reason,
    }
    return Page(
        title=f"A {learned.model.kind} model, data to {day(as_of_us)}"
        if learned.model.kind == "heuristic"
        else f"A model of outcomes, data to {day(as_of_us)}",
        simulated=simulated,
        facts=facts_of(told, without_password(material.source), day(as_of_us), learned.params),
        evaluation=learned.evaluation,
        decision=learned.decision,
        limits=limits(learned.evaluation, learned.model.kind),
        params=tuple(learned.params),
    )


def keep_report(paths: list[Path], home: Path, name: str) -> list[Path]:
    """Copy a report into ``home/reports`` under a name; returns where its files lie."""
    folder = home / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(path, folder / f"{name}{path.suffix}")) for path in paths]


def day(microseconds: int) -> str:
    """A moment's date, or ``the first post`` where there is no moment before it."""
    if microseconds < 0:
        return "the first post"
    return f"{datetime.fromtimestamp(microseconds / 1_000_000, UTC):%Y-%m-%d}"


def without_password(source: str) -> str:
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

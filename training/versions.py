"""A registered version, judged again on a data set: what `python -m training evaluate` does.

Knows nothing of how a command line looks.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path

from features.schemas import DataError
from models.bundle import Bundle
from models.conversion import ConversionModel
from models.conversion_fit import FitParams
from models.registry import CHAMPION, Registry, Version
from training.card import facts_of, limits
from training.dataset import split_at
from training.evaluate import Evaluation, headline
from training.judging import assess, steps
from training.learning import too_close
from training.pipeline import Reporter, learning_of, prepare_as, reader
from training.promotion import rival, standing
from training.publishing import day, without_password
from training.report import Page, write_report
from training.settings import TrainingSettings


@dataclass(frozen=True)
class Evaluated:
    """How good a registered version is on a data set.

    Attributes:
        run_id: The run that the figures were logged in, under the version's own.
        report: The report's files.
    """

    version: Version
    evaluation: Evaluation
    run_id: str
    report: list[Path]


def evaluate(
    settings: TrainingSettings, source: str, report: Reporter, which: str = CHAMPION
) -> Evaluated:
    """Judge a registered version on rows of a data set that it had not seen, and log it.

    It stands beside the rules, logistic regression and, where it is another version, the champion.

    Args:
        settings: Where things lie.
        source: Folder or SQL URL of the tables.
        report: Where steps are told.
        which: Number or alias of the version.

    Raises:
        NoModel: There is no such version.
        BundleError: This code cannot use it.
        DataError: There is nothing to judge it on.
        InvalidTables: The tables break the contract.
    """
    registry = Registry(settings.registry_uri, settings.artifacts)
    version = registry.version(which)
    bundle = registry.load(version, settings.bundles)
    material = prepare_as(settings, source, bundle, report)
    learning = learning_of(material, params_of(bundle, settings.fit_params), report)
    if isinstance(learning, str):
        raise DataError(f"{source}: {learning}")
    model = bundle.model
    if bundle.judged is not None:
        model = bundle.judged.model
        learning = replace(learning, split=split_at(learning.rows, bundle.judged.test_from_us))
        reason = too_close(learning.rows, learning.split)
        if reason is not None:
            raise DataError(f"{source}: version {version.version} cannot be judged: {reason}")
    full = isinstance(model, ConversionModel)
    champion = standing(registry, settings.bundles)
    if champion is not None and champion.version.version == version.version:
        champion = None  # it is the one that is judged
    with report.step("Judging the model", steps(full) + 1) as done:
        other = rival(learning, champion, reader(settings, material, report))
        done(1)
        beside = [] if other is None or other.candidate is None else [other.candidate]
        evaluation = assess(learning, model, beside, full=full, done=done)
    page = Page(
        title=f"Version {version.version}, judged on data to {day(material.index.as_of_us)}",
        simulated=settings.calls_simulated(source),
        facts=facts_of(
            {"data digest": material.tables.digest[:12], "text encoder": bundle.encoder.name},
            without_password(source),
            day(material.index.as_of_us),
            {},
        ),
        evaluation=evaluation,
        decision=None,
        limits=limits(evaluation, model.kind),
    )
    name = f"evaluation-version-{version.version}-{material.tables.digest[:8]}"
    files = write_report(page, settings.home / "reports", name)
    run_id = registry.record(
        f"evaluation of version {version.version}",
        {"version": version.version, "tables": without_password(source)},
        headline(evaluation),
        {"data_digest": material.tables.digest, "simulated": str(page.simulated).lower()},
        parent=version.run_id,
        files={"report": files},
    )
    return Evaluated(version, evaluation, run_id, files)


def params_of(bundle: Bundle, default: FitParams) -> FitParams:
    """The parameters that a bundle was fitted with, where it says them."""
    told = bundle.manifest.params
    names = [field.name for field in dataclasses.fields(FitParams) if field.name in told]
    known = {name: told[name] for name in names}
    if "without" in known:
        known["without"] = tuple(known["without"])
    return replace(default, **known)

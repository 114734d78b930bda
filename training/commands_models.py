"""The commands that make models and judge them.

They know nothing about what is served.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.console import AsJson, ConsoleReporter, OnInvalid, Source, print_json, registry_of
from training.settings import TrainingSettings

# The figures of a run that are told at its end, where it has them.
TOLD = {
    "rate_deviance_explained": "deviance explained",
    "rate_deviance_explained_best_rule": "deviance explained by the best simple rule",
    "rank_ndcg10": "NDCG@10",
    "rank_ndcg10_best_rule": "NDCG@10 of the best simple rule",
    "calibration_ece": "calibration error",
    "calibration_interval_coverage": "outcomes within the 80% interval",
}


def train(
    source: Source,
    on_invalid: OnInvalid = "refuse",
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Judge on later time alone: no cold start, no ablations"),
    ] = False,
    trials: Annotated[
        int, typer.Option(min=0, help="Search over so many sets of parameters, as child runs")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit a model, judge it on later time, log it to MLflow, and promote it if the gate passes.

    Writes a version into the MLflow store, a report into HOME/reports, vectors of texts into
    HOME/vectors. Exit status 0 whatever the gate says (see `history`), 2 where tables are refused.

    Example: python -m training train ../my-tables --quick

    Example: python -m training train ../my-tables
    """
    from training.pipeline import train as run

    report = ConsoleReporter(Console(stderr=True))
    trained = run(TrainingSettings(), source, report, on_invalid, not quick, trials)
    figures = trained.bundle.manifest.metrics
    for name, words in TOLD.items():
        if name in figures:
            report.say(f"on later time, {words}: {figures[name]:.3f}")
    report.say(f"report: {trained.report[0]}")
    if as_json:
        print_json(
            {
                "version": trained.version.version,
                "run_id": trained.version.run_id,
                "kind": trained.bundle.manifest.kind,
                "promoted": trained.promoted,
                "reason": trained.decision.reason,
                "metrics": figures,
                "report": str(trained.report[0]),
                "stand_in": trained.stand_in and trained.stand_in.version.version,
            }
        )
        return
    for one in filter(None, (trained, trained.stand_in)):
        told = " is the champion" if one.promoted else " was published, not promoted"
        kind = one.bundle.manifest.kind
        Console().print(f"version {one.version.version} ({kind}){told}", highlight=False)


def evaluate(
    source: Source,
    model: Annotated[
        str, typer.Option(help="Alias or number of the version to judge")
    ] = "champion",
    as_json: AsJson = False,
) -> None:
    """Judge a version on outcomes it has not seen, beside baselines and without each signal.

    Writes one HTML page that stands alone, and JSON, into HOME/reports, and logs both. Exit status
    0 whatever it finds.

    Example: python -m training evaluate ../my-tables --model 3
    """
    from training.report import SHORT, verdict_of
    from training.versions import evaluate as run

    report = ConsoleReporter(Console(stderr=True))
    found = run(TrainingSettings(), source, report, model)
    report.say(f"logged as run {found.run_id}")
    if as_json:
        Console().out(found.report[1].read_text("utf-8"), highlight=False, end="")
        return
    console = Console()
    segments = [(segment.name, segment) for segment in found.evaluation.segments]
    if found.evaluation.ablations is not None:
        segments.append(("what each signal is worth", found.evaluation.ablations))
    for told, segment in segments:
        table = Table(
            title=f"{told}: {segment.rows:,} collaborations of {segment.campaigns:,} campaigns"
        )
        table.add_column("")
        for words in SHORT.values():
            table.add_column(words, justify="right")
        for name, figures in segment.figures.items():
            table.add_row(name, *(f"{figures[one].value:.3f}" for one in SHORT))
        console.print(table)
    console.print(verdict_of(found.evaluation), highlight=False)
    console.print(f"report: {found.report[0]}", highlight=False, soft_wrap=True)


def finetune(source: Source, as_json: AsJson = False) -> None:
    """Teach the text encoder on briefs and posts that worked, and say whether it wins.

    Writes it into HOME/finetuned. Nothing uses it before you set it; it is logged as a run of its
    own. Exit status 0 whether it wins or not.

    Example: python -m training finetune ../my-tables
    """
    from training.finetune import log, run

    report = ConsoleReporter(Console(stderr=True))
    found = run(TrainingSettings(), source, report)
    run_id = log(registry_of(TrainingSettings()), found)
    if as_json:
        print_json(
            {
                "folder": str(found.folder),
                "run_id": run_id,
                "wins": found.verdict.wins,
                "tags": found.tags,
            }
        )
        return
    console = Console()
    console.print(f"the fine-tuned encoder {found.tags['verdict']}", highlight=False)
    console.print(f"it lies in {found.folder}; run {run_id}", highlight=False, soft_wrap=True)
    if found.verdict.wins:
        console.print(
            f"to train with it: CREATORFIT_ENCODER={found.folder}; outcomes of campaigns before "
            f"{found.tags['cut']} are then not learned from, for it has seen them",
            highlight=False,
            soft_wrap=True,
        )

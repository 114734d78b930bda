"""The command that takes the champion to newer tables.

It knows nothing about how that is done.
"""

from __future__ import annotations

from rich.console import Console

from training.console import AsJson, ConsoleReporter, OnInvalid, Source, print_json
from training.settings import TrainingSettings


def refresh(source: Source, on_invalid: OnInvalid = "refuse", as_json: AsJson = False) -> None:
    """Take the champion to newer tables: the same models, a new index, a new version.

    Nothing is learned, so it takes a small part of what `train` does; texts that were read before
    are not read again. Writes a version into the MLflow store and promotes it; its figures are
    those its models were judged by. Stated rules are refreshed too; `train` learns where it can.
    Exit status 0 where it is done, 2 where there is no champion, or the tables are refused, are
    older than it or lack half of its creators; the champion stays then.

    Example: python -m training refresh ../my-tables

    Example: python -m training refresh ../my-tables --on-invalid quarantine --json
    """
    from training.refresh import refresh as run

    done = run(TrainingSettings(), source, ConsoleReporter(Console(stderr=True)), on_invalid)
    if as_json:
        print_json(
            {
                "version": done.version.version,
                "run_id": done.version.run_id,
                "refreshed_from": done.before.version,
                "as_of_us": done.bundle.manifest.as_of_us,
                "encoded": done.encoded,
                "promoted": done.decision.promote,
                "reason": done.decision.reason,
            }
        )
        return
    told = "is the champion" if done.decision.promote else "was published, not promoted"
    Console().print(
        f"version {done.version.version} {told}: {done.decision.reason}", highlight=False
    )

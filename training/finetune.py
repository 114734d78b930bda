"""An encoder fine-tuned on what worked before a cut, and judged on the campaigns after it.

Reads top to bottom: tables, pairs, training, judging, verdict, and a run of its own in the
registry. It wins or it does not: nothing is set to use it. Knows nothing of the model of outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.facts import Facts, build_facts, distinct_briefs
from features.schemas import DataError, Tables
from features.text import load_encoder
from features.windows import Floats
from models.registry import Registry
from training.dataset import resolved, split_by_time
from training.finetune_judge import (
    FIGURES,
    Verdict,
    decide,
    held_out,
    judge,
    new_briefs,
)
from training.finetune_pairs import WORKED_LIFT, TuneParams, make_pairs, too_few
from training.finetune_taught import NOTE, moment, not_seen
from training.finetune_train import Tuned, steps_of, tune
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from training.pipeline import Reporter


@dataclass(frozen=True)
class Finetuned:
    """A fine-tuned encoder and how it did.

    Attributes:
        folder: A sentence-transformers model: what ``CREATORFIT_ENCODER`` may name.
        digest: Of the encoder that is made of it.
        cut_us: It is to be judged and used on campaigns that began then or later, and no others.
        verdict: Against its base and the encoder that is in use.
        params, metrics, tags: What a run of its own has to log.
    """

    folder: Path
    digest: str
    cut_us: int
    verdict: Verdict
    params: dict[str, Any]
    metrics: dict[str, float]
    tags: dict[str, str]


def run(
    settings: TrainingSettings,
    source: str,
    report: Reporter,
    params: TuneParams | None = None,
) -> Finetuned:
    """Fine-tune an encoder on a data set and judge it on the campaigns after the cut.

    Args:
        settings: Where things lie, which encoder is in use, seed and threads.
        source: Folder or SQL URL of the tables.
        report: Where steps are told.
        params: How to fine-tune; seed and threads are those of the settings where it is not given.

    Raises:
        InvalidTables: The tables break the contract.
        DataError: There is too little to learn from or to judge on.
        EncoderError: The base, or the encoder in use, cannot be loaded, or was itself fine-tuned on
            campaigns to judge on.
    """
    from training.pipeline import read  # brings MLflow, which nothing else here needs

    params = params or TuneParams(seed=settings.seed, threads=settings.threads)
    tables = read(settings, source, report)
    facts = facts_without_vectors(tables, settings.currency)
    every = resolved(facts)
    if len(every) == 0:
        raise DataError("no sponsorship is resolved: there is nothing to fine-tune on")
    cut_us = split_by_time(every).test_from_us
    not_seen(settings.encoder, cut_us)
    pairs = make_pairs(facts, cut_us, params)
    too_few(pairs)
    held = held_out(facts, cut_us, params.seed)
    strange = new_briefs(facts, held, pairs)
    report.say(
        f"{len(pairs):,} pairs of a brief and a post that worked before {moment(cut_us)}; "
        f"{held.campaigns:,} campaigns after it to judge on"
    )
    with report.step("Fine-tuning", steps_of(pairs, params)) as done:
        tuned = tune(pairs, cut_us, params, settings.home, done)
    specs = {"fine-tuned": str(tuned.folder), "base": params.base, "in use": settings.encoder}
    encoders = {role: load_encoder(spec, settings.home) for role, spec in specs.items()}
    values: dict[str, dict[str, Floats]] = {}
    for role, encoder in encoders.items():
        with report.step(f"Judging ({role}: {encoder.name})", len(held.needed)) as done:
            values[role] = judge(facts, held, encoder, settings.home, done)
    mine = values.pop("fine-tuned")
    verdict = decide(mine, {encoders[role].name: found for role, found in values.items()}, 0)
    words = f"{verdict.words}; {strange:,} of {held.campaigns:,} campaigns have a brief of no pair"
    report.say(f"the fine-tuned encoder {words}")
    return Finetuned(
        folder=tuned.folder,
        digest=encoders["fine-tuned"].digest,
        cut_us=cut_us,
        verdict=verdict,
        params=asdict(params)
        | {"base": encoders["base"].name, "in_use": encoders["in use"].name}
        | {"worked_lift": WORKED_LIFT},
        metrics=_metrics(verdict, {role: encoders[role].name for role in values}, tuned)
        | {
            "pairs": float(len(pairs)),
            "judged_campaigns": float(held.campaigns),
            "judged_campaigns_of_new_briefs": float(strange),
        },
        tags={
            "kind": "finetuned encoder",
            "wins": str(verdict.wins).lower(),
            "verdict": words,
            "cut": moment(cut_us),
            "data_digest": tables.digest,
            "encoder_digest": encoders["fine-tuned"].digest,
            "folder": str(tuned.folder),
        },
    )


def log(registry: Registry, found: Finetuned) -> str:
    """Keep a fine-tuning and its verdict as a run of its own; returns the run's id.

    The model itself stays where it lies; the run has its note, with the loss of each step.

    Raises:
        RegistryError: It could not be logged.
    """
    return registry.record(
        f"fine-tuned {found.params['base']} on what worked until {found.tags['cut']}",
        found.params,
        found.metrics,
        found.tags,
        files={"finetuned": [found.folder / NOTE]},
    )


def facts_without_vectors(tables: Tables, currency: str) -> Facts:
    """The facts of tables; vectors are of length 0."""
    none = np.zeros((len(tables.posts), 0), dtype=np.float32)
    briefs = np.zeros((len(distinct_briefs(tables)), 0), dtype=np.float32)
    return build_facts(tables, none, briefs, currency)


def _metrics(verdict: Verdict, names: Mapping[str, str], tuned: Tuned) -> dict[str, float]:
    """Figures by what an encoder is here, so that runs with other encoders can be compared."""
    out = {}
    for key in FIGURES:
        out[key] = verdict.figures["fine-tuned"][key].value
        for role, name in names.items():
            word = role.replace(" ", "_")
            out[f"{key}_{word}"] = verdict.figures[name][key].value
            gain = verdict.differences[name][key]
            out[f"{key}_gain_on_{word}"] = gain.value
            out[f"{key}_gain_on_{word}_low"] = gain.low
            out[f"{key}_gain_on_{word}_high"] = gain.high
    part = max(len(tuned.loss) // 10, 1)
    out["loss_first"] = float(tuned.loss[:part].mean())
    out["loss_last"] = float(tuned.loss[-part:].mean())
    return {name: value for name, value in out.items() if np.isfinite(value)}

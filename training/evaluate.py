"""How good a model is on rows it has not seen, beside what it has to beat.

Every figure comes with an interval over campaigns, and all candidates are judged on the same rows.
Knows nothing of how candidates were made, of pages, or of where figures are logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom

from features.windows import Floats, Ints
from models.conversion import INTERVAL
from training.baselines import RULES
from training.bootstrap import Draws, Figure, draw, figure
from training.dataset import Rows, Strings
from training.figures import (
    BINS,
    calibration_bins,
    calibration_errors,
    campaign_captured,
    campaign_ndcg,
    campaign_recall,
    deviances,
    weighted_auc,
)

AUC_REPLICATES = 200  # an AUC costs a sort for each candidate, and a pass for each replicate
SLICE_CONVERSIONS = 30  # fewer say nothing of a rate
SLICE_ROWS = 20
SLICES_SHOWN = 12
SERVED = "model as served"  # the model itself, with a correction that held-out rows cannot show


@dataclass(frozen=True)
class Candidate:
    """What is judged.

    Attributes:
        name: What it is called.
        score: Larger is better, ``(n,)``; NaN stands last.
        rate: Expected conversions for each impression, ``(n,)``.
        shape: Of the Gamma around the rate, ``(n,)``; None where there is no interval.
    """

    name: str
    score: Floats
    rate: Floats
    shape: Floats | None = None


@dataclass(frozen=True)
class Judged:
    """Rows to judge on, and what they are of.

    Attributes:
        rows: That no candidate has seen.
        groups: Name of each row's group by what it is grouped by, such as ``tier``, ``(n,)`` each.
        niche: Code of the brief's and the creator's leading niches, as a pair, ``(n,)``.
    """

    rows: Rows
    groups: Mapping[str, Strings]
    niche: Ints

    def take(self, kept: NDArray[np.bool_]) -> Judged:
        rows = np.flatnonzero(kept)
        groups = {name: values[rows] for name, values in self.groups.items()}
        return Judged(self.rows.take(rows), groups, self.niche[rows])


@dataclass(frozen=True)
class Bin:
    """One bin of the reliability curve; `observed` has an interval."""

    expected: float
    observed: Figure
    impressions: int


@dataclass(frozen=True)
class Slice:
    """A group of rows, and what was expected of it for each conversion that came."""

    name: str
    rows: int
    conversions: int
    expected_to_observed: Figure


@dataclass(frozen=True)
class Segment:
    """Candidates side by side on some of the rows.

    Attributes:
        name: Which rows.
        rows, campaigns, conversions: How many.
        figures: By candidate and by figure.
    """

    name: str
    rows: int
    campaigns: int
    conversions: int
    figures: Mapping[str, Mapping[str, Figure]]


@dataclass(frozen=True)
class Evaluation:
    """Everything that is told of the first candidate, beside the others.

    Attributes:
        segments: All rows, and parts of them.
        ablations: The first candidate without one family of features, on all rows.
        reliability: Its reliability curve.
        groups: Its calibration in the large, by what rows are grouped by.
        worst: Groups and pairs of groups where it is worst, the worst first.
        slices_looked_at: Out of how many.
        coverage: Share of the outcomes within its predictive interval, all and by group.
    """

    segments: tuple[Segment, ...]
    ablations: Segment | None
    reliability: tuple[Bin, ...]
    groups: Mapping[str, tuple[Slice, ...]]
    worst: tuple[Slice, ...]
    slices_looked_at: int
    coverage: Mapping[str, Figure]


FIGURES = {
    "ndcg5": "NDCG@5",
    "ndcg10": "NDCG@10",
    "ndcg20": "NDCG@20",
    "recall": "recall of the best quarter in the first half",
    "captured10": "conversions captured by the first 10 (or half) against the best possible",
    "deviance": "binomial deviance",
    "deviance_explained": "deviance explained, against one rate for all",
    "auc": "AUC",
    "auc_within_niche": "AUC within a niche",
    "brier_skill": "Brier skill, against one rate for all",
    "ece": "calibration error (ECE), relative",
    "expected_to_observed": "expected / observed",
}


def evaluate(
    judged: Judged,
    candidates: Sequence[Candidate],
    *,
    parts: Mapping[str, tuple[Judged, Sequence[Candidate]]] | None = None,
    ablations: Sequence[Candidate] = (),
    seed: int = 0,
) -> Evaluation:
    """Judge candidates on the same rows; the first is the one that all else is told of.

    Args:
        judged: The rows.
        candidates: The model first.
        parts: Other rows, with the candidates' predictions for them, such as cold brands.
        ablations: The model without one family of features, by name.
        seed: Of the bootstrap.
    """
    model = candidates[0]
    draws = draw(judged.rows.campaign, seed)
    segments = [_segment("all", judged, candidates, draws)]
    for name, (rows, of_part) in (parts or {}).items():
        if len(np.unique(rows.rows.campaign)) > 1 and rows.rows.labels.conversions.sum() > 0:
            segments.append(_segment(name, rows, of_part, draw(rows.rows.campaign, seed)))
    worst, looked_at = _worst(judged, model, draws)
    return Evaluation(
        segments=tuple(segments),
        ablations=_segment("all", judged, [model, *ablations], draws) if ablations else None,
        reliability=_reliability(judged, model, draws),
        groups={
            what: tuple(
                found
                for name in np.unique(names)
                if (found := _slice(str(name), names == name, judged, model, draws)) is not None
            )
            for what, names in judged.groups.items()
        },
        worst=worst,
        slices_looked_at=looked_at,
        coverage=_coverage(judged, model, draws),
    )


def _segment(name: str, judged: Judged, candidates: Sequence[Candidate], draws: Draws) -> Segment:
    labels = judged.rows.labels
    return Segment(
        name,
        len(judged.rows),
        draws.times.shape[1],
        int(labels.conversions.sum()),
        {candidate.name: figures_of(judged, candidate, draws) for candidate in candidates},
    )


def figures_of(judged: Judged, candidate: Candidate, draws: Draws) -> dict[str, Figure]:
    """Each of `FIGURES` for one candidate."""
    rows, labels = judged.rows, judged.rows.labels
    x, n = labels.conversions.astype(np.float64), labels.impressions.astype(np.float64)
    rate, score = candidate.rate, candidate.score
    null = np.full(len(rows), x.sum() / n.sum())
    deviance = draws.sums(deviances(labels, rate))
    count = draws.sums(np.ones(len(rows)))
    observed = np.maximum(draws.sums(x), 1e-9)
    times = draws.times[: AUC_REPLICATES + 1, draws.campaign]
    standing = np.nan_to_num(score, nan=-np.inf, neginf=-np.inf)
    everyone = np.zeros(len(rows), dtype=np.int64)
    return {
        "ndcg5": figure(draws.means(campaign_ndcg(rows, score, 5))),
        "ndcg10": figure(draws.means(campaign_ndcg(rows, score, 10))),
        "ndcg20": figure(draws.means(campaign_ndcg(rows, score, 20))),
        "recall": figure(draws.means(campaign_recall(rows, score))),
        "captured10": figure(draws.means(campaign_captured(rows, score, 10))),
        "deviance": figure(deviance / count),
        "deviance_explained": figure(1 - deviance / draws.sums(deviances(labels, null))),
        "auc": figure(weighted_auc(labels, standing, everyone, times)),
        "auc_within_niche": figure(weighted_auc(labels, standing, judged.niche, times)),
        "brier_skill": figure(1 - _brier(x, n, rate, draws) / _brier(x, n, null, draws)),
        "ece": figure(calibration_errors(labels, rate, draws)),
        "expected_to_observed": figure(draws.sums(rate * n) / observed),
    }


def _brier(x: Floats, n: Floats, rate: Floats, draws: Draws) -> Floats:
    """Sum over impressions of the squared distance of the rate from 0 or 1 (Brier 1950)."""
    return draws.sums(x * (1 - rate) ** 2 + (n - x) * rate**2)


def _reliability(judged: Judged, model: Candidate, draws: Draws) -> tuple[Bin, ...]:
    labels = judged.rows.labels
    bins = calibration_bins(labels, model.rate)
    out = []
    for number in range(BINS):
        here = (bins == number).astype(np.float64)
        n = draws.sums(here * labels.impressions)
        if n[0] == 0:
            continue
        expected = draws.sums(here * labels.impressions * model.rate)[0] / n[0]
        with np.errstate(invalid="ignore"):
            observed = figure(draws.sums(here * labels.conversions) / n)
        out.append(Bin(float(expected), observed, int(n[0])))
    return tuple(out)


def _slice(
    name: str, here: NDArray[np.bool_], judged: Judged, model: Candidate, draws: Draws
) -> Slice | None:
    labels = judged.rows.labels
    conversions, rows = int(labels.conversions[here].sum()), int(here.sum())
    if conversions < SLICE_CONVERSIONS or rows < SLICE_ROWS:
        return None
    expected = draws.sums(np.where(here, model.rate * labels.impressions, 0.0))
    observed = draws.sums(np.where(here, labels.conversions, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = expected / observed
    return Slice(name, rows, conversions, figure(ratio))


def _worst(judged: Judged, model: Candidate, draws: Draws) -> tuple[tuple[Slice, ...], int]:
    """Groups, and pairs of groups, whose rates are wrong at the greatest cost in deviance.

    The cost is what one factor for the group would save. Only groups whose expectation is off
    beyond their interval are named; with many looked at, one in ten such is chance.
    """
    labels = judged.rows.labels
    found: list[tuple[float, Slice]] = []
    looked_at = 0
    seen: set[bytes] = set()
    wholes = [{what: names} for what, names in judged.groups.items()]
    pairs = [dict(pair) for pair in combinations(judged.groups.items(), 2)]
    for part in [*wholes, *pairs]:
        told = [np.char.add(f"{what} ", names.astype(str)) for what, names in part.items()]
        joined = told[0] if len(told) == 1 else np.char.add(np.char.add(told[0], ", "), told[1])
        for name in np.unique(joined):
            here = joined == name
            if here.tobytes() in seen:  # a pair that adds nothing to one of its groups
                continue
            seen.add(here.tobytes())
            one = _slice(str(name), here, judged, model, draws)
            if one is None or here.all():
                continue
            looked_at += 1
            ratio = one.expected_to_observed
            if ratio.low <= 1 <= ratio.high or not np.isfinite(ratio.value):
                continue
            inside = labels.take(np.flatnonzero(here))
            saved = deviances(inside, model.rate[here]).sum()
            saved -= deviances(inside, model.rate[here] / ratio.value).sum()
            found.append((float(saved), one))
    found.sort(key=lambda pair: (-pair[0], pair[1].name))
    return tuple(one for _, one in found[:SLICES_SHOWN]), looked_at


def _coverage(judged: Judged, model: Candidate, draws: Draws) -> dict[str, Figure]:
    """Share of outcomes in the middle `INTERVAL` of what was foretold, by `confidence` too.

    Counts are discrete, so each outcome's place in its own distribution is spread evenly over the
    step that it stands on (randomised PIT: Czado, Gneiting and Held 2009): a right model holds
    exactly `INTERVAL`, however small the counts.
    """
    if model.shape is None:
        return {}
    labels = judged.rows.labels
    x = labels.conversions
    mean = np.maximum(model.rate * labels.impressions, 1e-12)
    chance = model.shape / (model.shape + mean)
    upper = nbinom.cdf(x, model.shape, chance)
    lower = nbinom.cdf(x - 1, model.shape, chance)
    bottom, top = (1 - INTERVAL) / 2, (1 + INTERVAL) / 2
    step = np.maximum(upper - lower, 1e-300)
    inside = np.clip((np.minimum(upper, top) - np.maximum(lower, bottom)) / step, 0.0, 1.0)
    out: dict[str, Floats] = {"all": np.ones(len(x))}
    for name in np.unique(judged.groups.get("confidence", np.array([], dtype=object))):
        out[f"confidence {name}"] = (judged.groups["confidence"] == name).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return {
            name: figure(draws.sums(inside * here) / draws.sums(here)) for name, here in out.items()
        }


def headline(evaluation: Evaluation) -> dict[str, float]:
    """The few figures by which runs are compared, named so that what belongs together stands so."""
    first = evaluation.segments[0]
    model = next(iter(first.figures.values()))
    chosen = {
        "rank_ndcg5": "ndcg5",
        "rank_ndcg10": "ndcg10",
        "rank_ndcg20": "ndcg20",
        "rank_recall": "recall",
        "rank_captured10": "captured10",
        "rate_deviance": "deviance",
        "rate_deviance_explained": "deviance_explained",
        "rate_auc": "auc",
        "rate_auc_within_niche": "auc_within_niche",
        "rate_brier_skill": "brier_skill",
        "calibration_ece": "ece",
        "calibration_expected_to_observed": "expected_to_observed",
    }
    out = {name: model[figure].value for name, figure in chosen.items()}
    for segment in evaluation.segments[1:]:
        of_model = next(iter(segment.figures.values()))
        what = segment.name.replace(" ", "_")
        out[f"{what}_ndcg10"] = of_model["ndcg10"].value
        out[f"{what}_deviance_explained"] = of_model["deviance_explained"].value
    others = {name: figures for name, figures in first.figures.items() if name in RULES}
    if others:
        best = max(figures["ndcg10"].value for figures in others.values())
        out["rank_ndcg10_best_rule"] = best
        likely = max(figures["deviance_explained"].value for figures in others.values())
        out["rate_deviance_explained_best_rule"] = likely
    if evaluation.coverage:
        out["calibration_interval_coverage"] = evaluation.coverage["all"].value
    out |= {
        "test_rows": float(first.rows),
        "test_campaigns": float(first.campaigns),
        "test_conversions": float(first.conversions),
    }
    return {name: value for name, value in sorted(out.items()) if np.isfinite(value)}

"""How well a version keeps its promises on outcomes that came in since it was made.

Where there are too few to tell, nothing is told. Knows nothing of drift or of what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from sklearn.model_selection import GroupKFold

from features.windows import Floats, Ints
from models.conversion import ConversionModel
from models.snapshots import Known
from training.baselines import rate_of
from training.bootstrap import Figure, draw
from training.dataset import Rows
from training.evaluate import Bin, Candidate, Judged, evaluate
from training.figures import deviances
from training.judging import candidate_of
from training.monitor_drift import Watched

# Fewer new outcomes and nothing is said of calibration. On SIMULATED outcomes of 15 campaigns of 10
# rows whose rates scatter by a factor (coefficient of variation 0.3 and 0.6 between campaigns, 0.58
# within) the level of a right model raised an alarm in 2% and 4% of 300 worlds, and outcomes that
# were halved did in 100% and 94%; of 8 campaigns in 4% and 5%, and 99% and 83%.
MIN_CAMPAIGNS, MIN_CONVERSIONS = 15, 100
# Off by more than this factor is off: in the 80% interval of a rate there is room for less.
OFF_BY = 1.25
# Rates that another line through their logarithms would tell so much better are off too.
RECALIBRATION_SAVES = 0.05
# Of the interval that has to say so as well: a monitor looks again and again.
SURE = 0.99
# What sells is mostly the brand's, and its campaigns share that: whole brands are drawn where there
# are so many, else campaigns, and what is told is then of these brands only. In a SIMULATED world
# that went on unchanged a right model raised an alarm by the campaigns of 14 brands.
MIN_BRANDS = 10
FOLDS = 5
NOTHING = Figure(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class NewOutcomes:
    """What came of collaborations that the version has not learned from.

    Attributes:
        rows, campaigns, conversions: How many.
        ndcg10_then: On the rows that the version was judged on.
        silent: Why nothing is said of calibration; empty where it is.
        drawn: What was drawn for the `SURE` intervals: brands or campaigns.
        observed_to_expected: Conversions for each one promised, with the `SURE` interval.
        recalibration_saves: Share of the deviance that an intercept and a slope on the log rate
            would save, fitted on other brands than they are tried on; with the `SURE` interval.
        figures: Those of `training.evaluate.FIGURES`, with its intervals.
        coverage: Share of outcomes within the predictive 80% interval.
        reliability: Expected against observed rates.
    """

    rows: int
    campaigns: int
    conversions: int
    ndcg10_then: float
    silent: str = ""
    drawn: str = ""
    observed_to_expected: Figure = NOTHING
    recalibration_saves: Figure = NOTHING
    figures: Mapping[str, Figure] = field(default_factory=dict)
    coverage: Figure = NOTHING
    reliability: tuple[Bin, ...] = ()

    @property
    def off(self) -> bool:
        """Whether promises are too high or too low by more than `OFF_BY`, beyond chance."""
        ratio = self.observed_to_expected
        far = ratio.value * OFF_BY < 1 or ratio.value > OFF_BY
        return far and not ratio.low <= 1 <= ratio.high

    @property
    def bent(self) -> bool:
        """Whether another line through the log rates tells them better, beyond chance."""
        saved = self.recalibration_saves
        return saved.value > RECALIBRATION_SAVES and saved.low > 0


def unseen(watched: Watched, known: Known, rows: Rows) -> Rows:
    """Rows whose outcome the version has not learned from: it was open then, or not reported."""
    told = watched.index.collaborations
    learned = set(told.text["sponsorship_id"].filter(pa.array(told.resolved)).to_pylist())
    ids = known.facts.outcomes.sponsorship_id[rows.outcome]
    late = np.array([one not in learned for one in ids], dtype=bool)
    return rows.take(np.flatnonzero(late | (rows.resolved_us >= watched.index.as_of_us)))


def promised(watched: Watched, rows: Rows) -> Candidate | None:
    """What a version says of rows; None where it promises no rate."""
    if not isinstance(watched.model, ConversionModel):
        return None
    return candidate_of(watched.name, watched.model, rows.matrix, rows)


def judge(
    new: Rows, brand: Ints, candidate: Candidate | None, ndcg10_then: float, seed: int = 0
) -> NewOutcomes:
    """Judge a version on outcomes that it has not learned from.

    Args:
        new: Those rows.
        brand: Code of each row's brand, ``(n,)``.
        candidate: What it says of them; None where it promises no rate.
        ndcg10_then: On the rows that it was judged on when it was made.
        seed: Of the bootstrap.
    """
    conversions, campaigns = int(new.labels.conversions.sum()), len(np.unique(new.campaign))
    out = NewOutcomes(len(new), campaigns, conversions, ndcg10_then)
    if campaigns < MIN_CAMPAIGNS or conversions < MIN_CONVERSIONS:
        reason = (
            f"too few outcomes came in since to say how well promises are kept: {len(new):,} of "
            f"{campaigns:,} campaigns with {conversions:,} conversions, and {MIN_CAMPAIGNS} "
            f"campaigns with {MIN_CONVERSIONS} conversions are needed"
        )
        return replace(out, silent=reason)
    if candidate is None:
        return replace(out, silent="it orders by stated rules and promises no rate to be kept")
    # Rows in one order, whatever order they came in: folds and sums are then the same.
    order = np.lexsort((new.outcome, new.started_us, new.campaign))
    new, brand, candidate = new.take(order), brand[order], _candidate(candidate, order)
    nowhere = np.zeros(len(new), dtype=np.int64)
    found = evaluate(Judged(new, {}, nowhere), [candidate], seed=seed)
    by_brand = len(np.unique(brand)) >= MIN_BRANDS
    ratio, saved = kept(new, brand if by_brand else new.campaign, candidate, seed)
    return replace(
        out,
        drawn="brands" if by_brand else "campaigns",
        observed_to_expected=ratio,
        recalibration_saves=saved,
        figures=found.segments[0].figures[candidate.name],
        coverage=found.coverage.get("all", NOTHING),
        reliability=found.reliability,
    )


def kept(new: Rows, cluster: Ints, candidate: Candidate, seed: int = 0) -> tuple[Figure, Figure]:
    """Conversions for each one promised, and the share of deviance that calibrating anew saves.

    Args:
        new: Rows, in their order.
        cluster: Code of what is drawn, and kept together in a fold, ``(n,)``; at least `FOLDS`.
        candidate: What was promised.
        seed: Of the bootstrap.
    """
    draws = draw(cluster, seed)
    seen, rate = new.labels.impressions.astype(np.float64), candidate.rate
    came = draws.sums(new.labels.conversions.astype(np.float64))
    anew = _recalibrated(new, cluster, rate)
    own, other = (draws.sums(deviances(new.labels, one)) for one in (rate, anew))
    return _sure(came / draws.sums(rate * seen)), _sure(1 - other / own)


def _candidate(candidate: Candidate, order: Ints) -> Candidate:
    shape = None if candidate.shape is None else candidate.shape[order]
    return Candidate(candidate.name, candidate.score[order], candidate.rate[order], shape)


def _recalibrated(rows: Rows, cluster: Ints, rate: Floats) -> Floats:
    """Rates by an intercept and a slope on their logarithm, of the other clusters' outcomes."""
    score, out = np.log(np.maximum(rate, 1e-12)), np.empty(len(rows))
    folds = GroupKFold(FOLDS).split(score, groups=cluster)
    for others, here in folds:
        labels = rows.labels.take(others)
        if labels.conversions.sum() == 0:
            out[here] = rate[here]
        else:
            out[here] = rate_of(score[others], labels, score[here])
    return out


def _sure(replicates: Floats) -> Figure:
    """The first of the replicates, and the middle `SURE` of the others."""
    rest = replicates[1:][np.isfinite(replicates[1:])]
    low, high = np.quantile(rest, [(1 - SURE) / 2, (1 + SURE) / 2])
    return Figure(float(replicates[0]), float(low), float(high))

"""Who is judged on what: the held-out rows, the candidates, the cold parts and the ablations.

Knows nothing of what the figures are, of promotion, or of pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.catalogue import FEATURE_NAMES, FEATURES, NOT_LEARNED
from features.language import primary
from features.schemas import PLATFORMS, TIERS
from features.windows import Floats, Ints
from models.conversion import ConversionModel, Predictions, gamma_shape
from models.conversion_fit import FitParams, fit, refit
from models.heuristic import HeuristicModel, fit_heuristic
from models.snapshots import Known
from models.stage import Grow, grow_here
from training.baselines import fit_logistic, rate_of, rules
from training.dataset import Candidates, Rows, Split, Strings
from training.evaluate import SERVED, Candidate, Evaluation, Judged, evaluate
from training.holdout import FOLDS, Hidden, hide_brands, hide_creators
from training.learning import MIN_PART, fit_before_test

MODEL, LOGISTIC = "model", "logistic regression"
STATED = "stated rules"
COLD_BRAND, COLD_CREATOR = "cold brand", "cold creator"
FAMILIES = ("text", "engagement", "sponsorship", "history", "price", "audience", "size")
UNKNOWN = "unknown"
Model = ConversionModel | HeuristicModel


@dataclass(frozen=True)
class Learning:
    """What there is to learn from: rows, whom their campaigns could have chosen, and a split.

    Attributes:
        known: What the rows were built from.
        encoder_digest: Of the encoder that `known` was read by.
        mix: Niche mix of every creator, ``(n_creators, n_niches)``.
        grow: Where trees are grown.
    """

    known: Known
    encoder_digest: str
    mix: Floats
    rows: Rows
    candidates: Candidates
    split: Split
    params: FitParams
    grow: Grow = grow_here

    @property
    def test(self) -> Rows:
        return self.rows.take(self.split.test)

    @property
    def early(self) -> Rows:
        """All rows that came before the test part."""
        return self.rows.take(np.sort(np.concatenate([self.split.fit, self.split.later])))


def assess(
    learning: Learning,
    model: Model,
    others: Sequence[Candidate],
    *,
    full: bool,
    done: Callable[[int], None] | None = None,
) -> Evaluation:
    """Judge a model on the rows it has not seen, beside rules, logistic regression and others.

    Args:
        learning: What it was fitted from.
        model: The model, as it was before the test part.
        others: What else stands beside it on the same test rows, such as the champion.
        full: Whether to fit it again without each family of features, and without the past of
            some brands and creators, fold by fold: a dozen fits more.
        done: Called with the number of steps done; there are `steps` of them.
    """
    tell = done or (lambda _: None)
    rows, test = learning.rows, learning.test
    held_out = Judged(test, groups(learning, test, model), _niche(learning, test))
    candidates = [
        candidate_of(MODEL, model, test.matrix, learning.early),
        *others,
        *_served(model, test.matrix),
        *baselines(learning, test.matrix),
    ]
    tell(1)
    parts = {"warm": _warm(held_out, candidates)}
    fewer = []
    if full:
        for family in FAMILIES:
            params = without(family, learning.params)
            less = fit_before_test(rows, learning.candidates, learning.split, params, learning.grow)
            fewer.append(candidate_of(f"without {family}", less.model, test.matrix, learning.early))
            tell(1)
        parts |= {name: (held_out, found) for name, found in _cold(learning, tell).items()}
    tell(1)
    return evaluate(held_out, candidates, parts=parts, ablations=fewer, seed=learning.params.seed)


def steps(full: bool) -> int:
    """How many steps `assess` tells of."""
    return 2 + (len(FAMILIES) + 2 * FOLDS if full else 0)


def without(family: str, params: FitParams) -> FitParams:
    """Parameters of a model that is not told one family of features."""
    names = tuple(feature.name for feature in FEATURES if feature.family == family)
    power = 0.0 if family == "text" else params.choice_power
    return replace(params, without=(*NOT_LEARNED, *names), choice_power=power)


def baselines(learning: Learning, matrix: Floats) -> list[Candidate]:
    """What anyone would try first, fitted on the early rows, for rows of features.

    Logistic regression on the same features, simple rules, and the stated rules of a cold start.
    """
    split, early = learning.split, learning.early
    fit_part, later = (learning.rows.take(part) for part in (split.fit, split.later))
    logistic = fit_logistic(fit_part, later, early).predict(matrix)
    out = [Candidate(LOGISTIC, np.log(logistic), logistic)]
    told = rules(early.matrix, learning.params.seed)
    for name, score in rules(matrix, learning.params.seed).items():
        out.append(Candidate(name, score, rate_of(told[name], early.labels, score)))
    out.append(candidate_of(STATED, fit_heuristic(early.matrix), matrix, early))
    return out


def groups(learning: Learning, rows: Rows, model: Model) -> dict[str, Strings]:
    """What rows are grouped by: names of size, platform, niche, language and so on."""
    outcomes, matrix = learning.known.facts.outcomes, rows.matrix
    labels = np.array([*learning.known.snapshots[-1].model.labels, UNKNOWN], dtype=object)
    brief, creator = _niches(learning, rows)
    before = outcomes.started_us < learning.split.test_from_us
    seen_brand = np.isin(outcomes.brand[rows.outcome], outcomes.brand[before])
    worked = np.isin(outcomes.creator[rows.outcome], outcomes.creator[before])
    predictions = predict(model, matrix)
    creators, of_row = learning.known.facts.creators, outcomes.creator[rows.outcome]
    return {
        "tier": _names(matrix, "tier", tuple(name for name, _ in TIERS)),
        "platform": _names(matrix, "platform", tuple(PLATFORMS)),
        "brief's niche": labels[brief],
        "creator's niche": labels[creator],
        "creator's language": _spoken(creators["language"])[of_row],
        "creator's country": creators["country"].fillna(UNKNOWN).to_numpy(object)[of_row],
        "brand": _either(seen_brand, "seen before", "new"),
        "creator": _either(worked, "sponsored before", "never sponsored"),
        "price": _either(~np.isnan(_column(matrix, "price_log")), "known", UNKNOWN),
        "confidence": np.array(
            [predictions.confidence(row) for row in range(len(rows))], dtype=object
        ),
    }


def _spoken(tags: pd.Series) -> Strings:
    """Languages without their varieties: en of en-GB."""
    spoken: Strings = tags.astype(object).fillna(UNKNOWN).map(primary).to_numpy(object)
    return spoken


def _column(matrix: Floats, name: str) -> Floats:
    return matrix[:, FEATURE_NAMES.index(name)]


def _names(matrix: Floats, feature: str, names: tuple[str, ...]) -> Strings:
    code = np.nan_to_num(_column(matrix, feature), nan=len(names)).astype(np.int64)
    return np.array([*names, UNKNOWN], dtype=object)[code]


def _either(where: NDArray[np.bool_], yes: str, no: str) -> Strings:
    return np.where(where, yes, no).astype(object)


def _niches(learning: Learning, rows: Rows) -> tuple[Ints, Ints]:
    """Leading niche of each row's brief and creator; one more than there are where unknown."""
    facts = learning.known.facts
    model = learning.known.snapshots[-1].model
    of_brief = np.argmax(model.predict_proba(facts.brief_vector), axis=1)
    unknown = np.isnan(learning.mix[:, 0])
    of_creator = np.argmax(np.nan_to_num(learning.mix), axis=1)
    of_creator[unknown] = len(model.labels)
    outcomes = facts.outcomes
    return of_brief[outcomes.brief[rows.outcome]], of_creator[outcomes.creator[rows.outcome]]


def _niche(learning: Learning, rows: Rows) -> Ints:
    brief, creator = _niches(learning, rows)
    out: Ints = brief * (learning.mix.shape[1] + 1) + creator
    return out


def candidate_of(name: str, model: Model, matrix: Floats, early: Rows) -> Candidate:
    """A model's own rates; of a heuristic, rates that its scores foretold on the early rows."""
    told = predict(model, matrix)
    if isinstance(model, ConversionModel):
        return Candidate(name, told.score, told.rate, gamma_shape(model.calibration, matrix))
    known = model.predict(early.matrix).score
    return Candidate(name, told.score, rate_of(known, early.labels, told.score))


def predict(model: Model, matrix: Floats) -> Predictions:
    """What a model says of creators that brands chose by themselves, such as in a history."""
    if isinstance(model, ConversionModel):
        return model.predict(matrix, chosen=True)
    return model.predict(matrix)


def _served(model: Model, matrix: Floats) -> list[Candidate]:
    """The same with the correction for whom brands choose, which these rows cannot show."""
    if not isinstance(model, ConversionModel) or model.choice is None:
        return []
    told = model.predict(matrix)
    return [Candidate(SERVED, told.score, told.rate)]


Part = tuple[Judged, list[Candidate]]


def _warm(judged: Judged, candidates: list[Candidate]) -> Part:
    kept = (judged.groups["brand"] == "seen before") & (
        judged.groups["creator"] == "sponsored before"
    )
    return judged.take(kept), [_take(candidate, kept) for candidate in candidates]


def _take(candidate: Candidate, kept: NDArray[np.bool_]) -> Candidate:
    shape = None if candidate.shape is None else candidate.shape[kept]
    return Candidate(candidate.name, candidate.score[kept], candidate.rate[kept], shape)


def _cold(learning: Learning, done: Callable[[int], None]) -> dict[str, list[Candidate]]:
    """The test rows as if of brands never seen, and of creators never sponsored.

    Each row is judged once as the one and once as the other, by models that were fitted without
    the brands, or the creators, of its fold; none where a fold leaves too little to learn from.
    """
    known, rows, seed = learning.known, learning.rows, learning.params.seed
    out = {}
    for part, hide in ((COLD_BRAND, hide_brands), (COLD_CREATOR, hide_creators)):
        filled: dict[str, _Filled] = {}
        for hidden in hide(known, rows, seed):
            candidates = _without_the_hidden(learning, hidden)
            done(1)
            if candidates is None:
                return {}
            for one in candidates:
                place = filled.setdefault(one.name, _Filled.of(len(learning.test)))
                place.fill(hidden.past[learning.split.test], one)
        out[part] = [Candidate(name, found.score, found.rate) for name, found in filled.items()]
    return out


@dataclass(frozen=True)
class _Filled:
    """Scores and rates that are filled in fold by fold, ``(n,)`` each."""

    score: Floats
    rate: Floats

    @classmethod
    def of(cls, n: int) -> _Filled:
        return cls(np.full(n, np.nan), np.full(n, np.nan))

    def fill(self, kept: NDArray[np.bool_], one: Candidate) -> None:
        self.score[kept], self.rate[kept] = one.score[kept], one.rate[kept]


def _without_the_hidden(learning: Learning, hidden: Hidden) -> list[Candidate] | None:
    """The model and the baselines fitted without what is hidden, for all test rows."""
    split = replace(
        learning.split,
        fit=learning.split.fit[~hidden.past[learning.split.fit]],
        later=learning.split.later[~hidden.past[learning.split.later]],
    )
    early, later = (hidden.rows.take(part) for part in (split.fit, split.later))
    for part in (early, later):
        if len(part) < MIN_PART or part.labels.conversions.sum() < MIN_PART:
            return None
    apart = replace(learning, rows=hidden.rows, split=split)
    params, both, test, grow = learning.params, apart.early, apart.test, learning.grow
    first, rounds = fit(early.matrix, early.labels, later.matrix, later.labels, params, grow)
    model = refit(both.matrix, both.labels, params, rounds, first.calibration, grow=grow)
    return [candidate_of(MODEL, model, test.matrix, both), *baselines(apart, test.matrix)]

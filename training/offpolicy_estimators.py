"""Targets, estimators and the reward model of off-policy evaluation.

A place is one position of one answer; what it earns depends on who stands there and which position
it is, not on the others in the answer (item-position model: Li et al. 2018, "Offline evaluation of
ranking policies with click models"). Estimators are functions of arrays. Knows nothing of logs,
models or when a figure can be believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import lightgbm as lgb
import numpy as np
from scipy.sparse import csr_array

from features.catalogue import CATEGORICAL, FEATURE_NAMES
from features.windows import Floats, Ints
from training.bootstrap import Draws, draw
from training.served import Served

FOLDS = 5
SOFTMAX_DRAWS = 1000  # orders drawn for each answer
# Small trees, strongly held, as many as the sponsorship models need at this rate; not tuned. The
# least of a leaf and its penalty are in conversions.
ROUNDS = 150
REWARD_PARAMS: dict[str, Any] = {
    "objective": "poisson",
    "learning_rate": 0.05,
    "num_leaves": 7,
    "min_data_in_leaf": 20,
    "min_sum_hessian_in_leaf": 10.0,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}


# ---------------------------------------------------------------- targets


@dataclass(frozen=True)
class Placement:
    """Whom a policy would show where: `probability` above 0 of each candidate and place.

    Attributes:
        row: Place of the candidate in `Served`, ``(n_placements,)``.
        position: From 1.
        probability: Of a candidate's standing there. Those of one place of an answer sum to 1.
    """

    row: Ints
    position: Ints
    probability: Floats


def ranked(served: Served, score: Floats) -> Placement:
    """Show each answer's highest scores, as many as were shown; equal ones by creator id.

    Args:
        served: The candidates.
        score: Larger is better, NaN stands last, ``(n,)``.
    """
    order = np.lexsort((-_standing(score), served.answer))
    start = np.searchsorted(served.answer, served.answer)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - start + 1
    row = np.flatnonzero(place <= served.length[served.answer])
    return Placement(row, place[row], np.ones(len(row)))


def softmax(
    served: Served,
    score: Floats,
    temperature: float,
    seed: int = 0,
    draws: int = SOFTMAX_DRAWS,
) -> Placement:
    """Draw place after place with odds ``exp(score / temperature)`` (Plackett-Luce).

    Probabilities are shares of drawn orders (Gumbel noise: Kool, van Hoof and Welling 2019,
    "Stochastic beams and where to find them"). All estimators but SNIPS are linear in them, so
    drawing biases none of those.

    Args:
        served: The candidates.
        score: Larger is better, NaN stands last, ``(n,)``.
        temperature: In units of the score, above 0.
        seed: Of the drawing.
        draws: How many orders for each answer.
    """
    if not temperature > 0:
        raise ValueError(f"a temperature is above 0, not {temperature}")
    rng = np.random.default_rng(seed)
    logit = _standing(score) / temperature
    ends = np.searchsorted(served.answer, np.arange(len(served) + 1))
    parts = []
    for first, past, length in zip(ends[:-1], ends[1:], served.length, strict=True):
        noisy = logit[first:past] + rng.gumbel(size=(draws, past - first))
        order = np.argsort(-noisy, axis=1, kind="stable")[:, :length]
        for place in range(length):
            count = np.bincount(order[:, place], minlength=past - first)
            there = np.flatnonzero(count)
            at = np.full(len(there), place + 1)
            parts.append(np.column_stack([first + there, at, count[there]]))
    row, position, count = np.concatenate(parts).T.astype(np.int64)
    return Placement(row, position, count / draws)


def _standing(score: Floats) -> Floats:
    return np.where(np.isnan(score), -np.inf, score)


# ---------------------------------------------------------------- estimators


def answers_drawn(answer: Ints, count: int, seed: int = 0, replicates: int = 1000) -> Draws:
    """Draw answers with replacement, for sums over their places.

    Args:
        answer: Number of each shown place's answer, ``(n_shown,)``.
        count: How many answers; one may have shown nothing.
        seed: Of the drawing.
        replicates: How many.
    """
    return replace(draw(np.arange(count), seed, replicates), campaign=answer)


def on_policy(reward: Floats, draws: Draws) -> Floats:
    """Reward for each answer as it was served, ``(1 + replicates,)``."""
    return draws.sums(reward) / _answers(draws)


def ips(reward: Floats, weight: Floats, draws: Draws) -> Floats:
    """Inverse propensity score: rewards weighted to the target's, ``(1 + replicates,)``.

    Args:
        reward: Of each shown place, ``(n_shown,)``.
        weight: The target's probability of what stood there over the log's, ``(n_shown,)``.
        draws: Of the answers.
    """
    return draws.sums(weight * reward) / _answers(draws)


def snips(reward: Floats, weight: Floats, draws: Draws) -> Floats:
    """Self-normalised IPS: the weighted mean reward of a place, times places for each answer.

    NaN where no weight is above 0. Arguments as for `ips`.
    """
    places = draws.sums(np.ones(len(weight))) / _answers(draws)
    with np.errstate(invalid="ignore"):
        out: Floats = draws.sums(weight * reward) / draws.sums(weight) * places
    return out


def direct(expected: Floats, draws: Draws) -> Floats:
    """Direct method: what a reward model expects of the target's answers.

    Args:
        expected: Of each answer as the target would give it, ``(n_answers,)``.
        draws: Of the answers.
    """
    out: Floats = draws.times @ expected / _answers(draws)
    return out


def doubly_robust(
    reward: Floats, weight: Floats, shown: Floats, expected: Floats, draws: Draws
) -> Floats:
    """The direct method, corrected by weighted errors of its reward model where that can be seen.

    Right in the mean if either the propensities or the reward model are.

    Args:
        reward, weight: As for `ips`.
        shown: What the reward model expects of each shown place, ``(n_shown,)``.
        expected: As for `direct`.
        draws: Of the answers.
    """
    return direct(expected, draws) + ips(reward - shown, weight, draws)


def _answers(draws: Draws) -> Floats:
    out: Floats = draws.times.sum(axis=1)
    return out


def weights(served: Served, placement: Placement) -> Floats:
    """The target's probability of each shown place over the log's, ``(n_shown,)``.

    Raises:
        ValueError: The target's probabilities are none: those of a place do not sum to 1.
    """
    longest = int(served.length.max(initial=0))
    row, position, probability = placement.row, placement.position, placement.probability
    if len(row) and not 1 <= position.min() <= position.max() <= longest:
        raise ValueError("the target shows more places than were served")
    place = served.answer[row] * longest + position - 1
    sums = np.bincount(place, probability, len(served) * longest).reshape(len(served), longest)
    wanted = np.arange(longest) < served.length[:, np.newaxis]
    if (probability < 0).any() or not np.allclose(sums, wanted, atol=1e-6):
        raise ValueError("the target's probabilities of each served place must sum to 1")
    size = (len(served.answer), longest + 1)
    table = csr_array((probability, (row, position)), shape=size)
    shown = served.shown
    chance = np.asarray(table[shown, served.position[shown]], dtype=np.float64).ravel()
    return chance / served.propensity[shown]


# ---------------------------------------------------------------- the reward model


def expect_rewards(
    served: Served,
    placement: Placement,
    *,
    folds: int = FOLDS,
    seed: int = 0,
    threads: int = 1,
) -> tuple[Floats, Floats]:
    """What is expected of each shown place, and of each answer as the target would give it.

    LightGBM on the features and the position, fitted to the conversions of what was shown. Fitted
    once for each fold of the answers, on the others: none is judged by a model that saw it.

    Args:
        served: At least two answers, with their conversions.
        placement: The target.
        folds: How many.
        seed: Of the folds and of LightGBM.
        threads: Processor threads.

    Returns:
        ``(n_shown,)`` and ``(n_answers,)``.
    """
    count, shown = len(served), served.shown
    fold = np.random.default_rng(seed).permutation(count) % min(folds, count)
    of_shown, of_target = fold[served.answer[shown]], fold[served.answer[placement.row]]
    at_shown, at_target = np.zeros(len(shown)), np.zeros(len(placement.row))
    for number in range(min(folds, count)):
        learn, here, there = of_shown != number, of_shown == number, of_target == number
        rows = shown[learn]
        if served.conversions[rows].sum() == 0:  # a Poisson mean of 0 has no logarithm
            continue
        data = lgb.Dataset(
            _places(served, rows, served.position[rows]),
            served.conversions[rows],
            feature_name=[*FEATURE_NAMES, "position"],
            categorical_feature=list(CATEGORICAL),
        )
        options = REWARD_PARAMS | {"seed": seed, "num_threads": threads}
        model = lgb.train(options, data, ROUNDS)
        if here.any():
            rows = shown[here]
            at_shown[here] = _expected(model, served, rows, served.position[rows])
        if there.any():
            rows, position = placement.row[there], placement.position[there]
            at_target[there] = _expected(model, served, rows, position)
    answer = served.answer[placement.row]
    expected = np.bincount(answer, placement.probability * at_target, count)
    return at_shown, np.asarray(expected, dtype=np.float64)


def _expected(model: lgb.Booster, served: Served, rows: Ints, position: Ints) -> Floats:
    return np.asarray(model.predict(_places(served, rows, position)), dtype=np.float64)


def _places(served: Served, rows: Ints, position: Ints) -> Floats:
    return np.column_stack([served.matrix[rows], position])

"""The arithmetic of learning niches: a regression around a prior guess, folds, and calibration.

Knows nothing of labels' names, encoders or the taxonomy: rows, numbers of labels, and vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# What is tried inside the training part: how far to trust the taxonomy on the labels' names, and
# the inverse weight of the L2 penalty on departing from it. The first wins a tie.
SETTINGS = tuple((trust, c) for trust in (6.0, 0.0, 12.0) for c in (4.0, 1.0, 16.0))
INNER_FOLDS = 4


@dataclass(frozen=True)
class Examples:
    """Posts of labelled creators: their vectors, creators by number, and labels of creators."""

    vectors: Floats  # (n_posts, dim)
    creator: Ints  # (n_posts,)
    label: Ints  # (n_creators,)
    means: Floats  # (n_creators, dim): the mean vector of each creator's posts


@dataclass(frozen=True)
class Learned:
    """A fitted regression, and what was chosen and measured by cross-validation on the way."""

    weights: Floats  # (K, dim)
    bias: Floats  # (K,)
    measured: dict[str, float]


def learn(examples: Examples, guess: Floats, seed: int) -> Learned:
    """Fit a classifier of creators, all choices made by cross-validation over these creators.

    Args:
        examples: Labelled creators, of every label at least one.
        guess: Unit vectors ``(K, dim)`` that the labels' weights are thought to point along.
        seed: Of the folds.
    """
    with threadpool_limits(limits=1, user_api="blas"):  # the same fit on any number of cores
        fold = _folds(examples.label, seed)
        trials = [_held_out(examples, trust * guess, c, fold) for trust, c in SETTINGS]
        total = sum_by(examples.creator, len(examples.label))
        scores = [judge(_mean_shares(logits, total), examples.label) for logits in trials]
        best = max(range(len(SETTINGS)), key=lambda place: sum(scores[place]))
        trust, c = SETTINGS[best]
        sharpness = _sharpness(trials[best], total, examples.label)
        weights, bias = _regress(examples.means, examples.label, trust * guess, c)
    measured = {
        "creators": float(len(examples.label)),
        "inner_accuracy": scores[best][0],
        "inner_macro_f1": scores[best][1],
        "taxonomy_trust": trust,
        "c": c,
        "sharpness": sharpness,
    }
    return Learned(sharpness * weights, sharpness * bias, measured)


def softmax(logits: Floats) -> Floats:
    """Shares ``(n, K)`` whose logarithms differ as the logits do; each row by itself."""
    return _shares(logits - logits.max(axis=1, keepdims=True))[0]


def _shares(below_top: Floats) -> tuple[Floats, Floats]:
    """Shares, made in place of logits less their row's largest, and the sums of powers."""
    powers = np.exp(below_top, out=below_top)
    sums = powers.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(powers, sums, out=powers)
    return shares, sums[:, 0]


def sum_by(owner: Ints, size: int) -> csr_array:
    """A matrix that adds up the rows ``(n, k)`` of each owner, in their order: ``(size, n)``."""
    order = np.argsort(owner, kind="stable")
    indptr = np.searchsorted(owner[order], np.arange(size + 1))
    return csr_array((np.ones(len(owner)), order, indptr), shape=(size, len(owner)))


def _folds(label: Ints, seed: int) -> Ints:
    """A fold for each creator, with every label spread over the folds."""
    order = np.random.default_rng(seed).permutation(len(label))
    order = order[np.argsort(label[order], kind="stable")]
    fold = np.empty(len(label), dtype=np.int64)
    fold[order] = np.arange(len(label)) % INNER_FOLDS
    return fold


def _held_out(examples: Examples, start: Floats, c: float, folds: Ints) -> Floats:
    """Logits of every post from a model that has not seen its creator."""
    logits = np.zeros((len(examples.vectors), len(start)))
    for fold in np.unique(folds):
        seen = folds != fold
        weights, bias = _regress(examples.means[seen], examples.label[seen], start, c)
        held = ~seen[examples.creator]
        logits[held] = examples.vectors[held] @ weights.T + bias
    return logits


def _regress(rows: Floats, label: Ints, start: Floats, c: float) -> tuple[Floats, Floats]:
    """Weights ``(K, dim)`` and bias ``(K,)`` of a balanced logistic regression around `start`.

    Minimises the log loss, summed with labels weighing the same, plus ``|weights - start|² / 2c``.
    """
    size, dim = start.shape
    counts = np.bincount(label, minlength=size)
    weight = (len(label) / ((counts > 0).sum() * np.maximum(counts, 1)))[label]
    offset = rows @ start.T
    own = np.arange(len(label)), label

    def loss(flat: Floats) -> tuple[float, Floats]:
        step, bias = flat[:-size].reshape(size, dim), flat[-size:]
        logits = offset + rows @ step.T + bias
        top = logits.max(axis=1, keepdims=True)
        right = logits[own]
        slope, sums = _shares(np.subtract(logits, top, out=logits))
        value = (weight * (top[:, 0] + np.log(sums) - right)).sum()
        slope[own] -= 1.0
        slope *= weight[:, np.newaxis]
        gradient = slope.T @ rows + step / c
        return (
            float(value + np.square(step).sum() / (2 * c)),
            np.concatenate([gradient.ravel(), slope.sum(axis=0)]),
        )

    found = minimize(
        loss,
        np.zeros(size * dim + size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 300, "gtol": 1e-3, "ftol": 1e-6},
    )
    solution: Floats = found.x
    return start + solution[:-size].reshape(size, dim), solution[-size:]


def _mean_shares(logits: Floats, total: csr_array) -> Floats:
    """Plain mean shares of each creator's posts ``(n_creators, K)``; `total` adds them up."""
    mixes: Floats = total @ softmax(logits) / np.diff(total.indptr)[:, np.newaxis]
    return mixes


def judge(mixes: Floats, label: Ints) -> tuple[float, float]:
    """Accuracy and macro-F1 (mean over the labels there are)."""
    said = mixes.argmax(axis=1)
    size = mixes.shape[1]
    right = np.bincount(label[said == label], minlength=size)
    both = np.bincount(said, minlength=size) + np.bincount(label, minlength=size)
    scores = 2 * right[both > 0] / both[both > 0]
    return float((said == label).mean()), float(scores.mean())


def _sharpness(logits: Floats, total: csr_array, label: Ints) -> float:
    """The factor on held-out logits that gives creators' mixes the lowest log loss.

    Guo et al. 2017, "On Calibration of Modern Neural Networks" (temperature scaling); here of the
    mean over a creator's posts, which is what is shown.
    """
    mine = np.arange(len(label)), label

    def loss(factor: float) -> float:
        return float(-np.log(np.maximum(_mean_shares(factor * logits, total)[mine], 1e-9)).mean())

    factors = np.geomspace(0.25, 8.0, 41)  # 9% apart: finer than the folds can tell
    return float(min(factors, key=loss))

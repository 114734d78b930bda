"""How good a model is on later time, as figures and as plots.

Every figure is of rows that were neither fitted nor calibrated on. Beside the model stand simple
rules on the same rows. Knows nothing of where figures are logged.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import xlogy
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.metrics import ndcg_score, roc_auc_score

from features.catalogue import FEATURE_NAMES, FEATURES
from features.schemas import TIERS
from features.windows import Floats, Ints
from models.conversion import ConversionModel, Labels, Predictions
from models.index import Index
from training.dataset import Rows

RULES: tuple[tuple[str, str, float], ...] = (
    ("followers", "followers_log", 1.0),
    ("engagement_rate", "engagement_rate", 1.0),
    ("cosine", "topic_similarity", 1.0),
    ("past_rate", "past_conversion_rate", 1.0),
)
BINS = 10


def metrics(rows: Rows, predictions: Predictions) -> dict[str, float]:
    """Figures of a model on held-out rows, about thirty, by name.

    Args:
        rows: Rows of a later time than any the model has seen.
        predictions: The model's, for those rows.
    """
    labels = rows.labels
    rate = labels.conversions / labels.impressions
    null = np.full(len(rows), labels.conversions.sum() / labels.impressions.sum())
    out = {
        "test_rows": float(len(rows)),
        "test_campaigns": float(len(np.unique(rows.campaign))),
        "test_conversions": float(labels.conversions.sum()),
        "rate_deviance": deviance(labels, predictions.rate),
        "rate_deviance_null": deviance(labels, null),
        "rate_expected_to_observed": float(
            (predictions.rate * labels.impressions).sum() / max(labels.conversions.sum(), 1)
        ),
        "rate_ece": calibration_error(labels, predictions.rate),
        "rate_spearman": _spearman(predictions.rate, rate),
        "rate_auc": _weighted_auc(labels, predictions.rate),
        "rate_top_decile_lift": _lift(labels, predictions.rate),
        "rate_interval_ratio_median": float(
            np.median(predictions.rate_high / np.maximum(predictions.rate_low, 1e-12))
        ),
    }
    out["rate_deviance_explained"] = 1.0 - out["rate_deviance"] / out["rate_deviance_null"]
    for depth in (5, 10):
        out[f"ndcg{depth}"] = ndcg(rows, predictions.rate, depth)
        for name, feature, sign in RULES:
            values = sign * rows.matrix[:, FEATURE_NAMES.index(feature)]
            out[f"ndcg{depth}_rule_{name}"] = ndcg(rows, values, depth)
        out[f"ndcg{depth}_rule_random"] = ndcg(
            rows, np.random.default_rng(0).random(len(rows)), depth
        )
    out |= _reach(labels, predictions) | _clicks(labels, predictions) | _by_tier(rows, predictions)
    return {name: value for name, value in out.items() if np.isfinite(value)}


def deviance(labels: Labels, rate: Floats) -> float:
    """Mean binomial deviance of conversions out of impressions (McCullagh and Nelder 1989)."""
    x = labels.conversions.astype(np.float64)
    n = labels.impressions.astype(np.float64)
    mean = np.clip(rate, 1e-12, 1 - 1e-12) * n
    part = xlogy(x, np.where(x > 0, x / mean, 1.0))
    part += xlogy(n - x, np.where(n > x, (n - x) / (n - mean), 1.0))
    return float(2 * part.mean())


def calibration_bins(labels: Labels, rate: Floats) -> tuple[Floats, Floats, Floats]:
    """Expected rate, observed rate and impressions in `BINS` bins of equal impressions."""
    order = np.argsort(rate, kind="stable")
    seen = np.cumsum(labels.impressions[order])
    edge = np.searchsorted(seen, seen[-1] * np.arange(1, BINS) / BINS)
    groups = [group for group in np.split(order, edge) if len(group)]
    n = np.array([labels.impressions[group].sum() for group in groups], dtype=np.float64)
    expected = np.array([(rate[group] * labels.impressions[group]).sum() for group in groups])
    observed = np.array([labels.conversions[group].sum() for group in groups])
    return expected / n, observed / n, n


def calibration_error(labels: Labels, rate: Floats) -> float:
    """Mean distance of expected and observed rates over the bins, relative to the overall rate."""
    expected, observed, n = calibration_bins(labels, rate)
    overall = labels.conversions.sum() / labels.impressions.sum()
    return float(np.average(np.abs(expected - observed), weights=n) / overall)


def ndcg(rows: Rows, score: Floats, depth: int) -> float:
    """NDCG of observed conversion rates within each campaign, averaged over those that had any.

    Jaervelin and Kekaelaeinen 2002; the gain is linear in the rate. A missing score stands last.
    """
    score = np.where(np.isnan(score), -np.inf, score)
    score = np.argsort(np.argsort(score, kind="stable"), kind="stable").astype(np.float64)
    rate = rows.labels.conversions / rows.labels.impressions
    values = []
    for campaign in np.unique(rows.campaign):
        here = np.flatnonzero(rows.campaign == campaign)
        if len(here) > 1 and rate[here].sum() > 0:
            gain = rate[here] / rate[here].max()
            values.append(ndcg_score(gain[np.newaxis], score[here][np.newaxis], k=depth))
    return float(np.mean(values)) if values else float("nan")


def _spearman(a: Floats, b: Floats) -> float:
    return float(spearmanr(a, b).statistic) if len(a) > 2 and np.ptp(a) > 0 else float("nan")


def _weighted_auc(labels: Labels, score: Floats) -> float:
    """Chance that an impression that converted has the higher score than one that did not."""
    x, n = labels.conversions, labels.impressions
    if x.sum() == 0 or (n - x).sum() == 0:
        return float("nan")
    truth = np.repeat([1, 0], len(x))
    return float(roc_auc_score(truth, np.tile(score, 2), sample_weight=np.concatenate([x, n - x])))


def _lift(labels: Labels, rate: Floats) -> float:
    """Observed rate of the tenth of rows with the highest scores, over that of all."""
    top = np.argsort(-rate, kind="stable")[: max(1, len(rate) // 10)]
    overall = labels.conversions.sum() / labels.impressions.sum()
    return float(labels.conversions[top].sum() / labels.impressions[top].sum() / overall)


def _reach(labels: Labels, predictions: Predictions) -> dict[str, float]:
    seen = np.log(labels.impressions)
    inside = (labels.impressions >= predictions.impressions_low) & (
        labels.impressions <= predictions.impressions_high
    )
    error = np.abs(np.log(predictions.impressions) - seen)
    return {
        "reach_r2_log": float(1 - np.var(np.log(predictions.impressions) - seen) / np.var(seen)),
        "reach_median_factor": float(np.exp(np.median(error))),
        "reach_interval_coverage": float(inside.mean()),
    }


def _clicks(labels: Labels, predictions: Predictions) -> dict[str, float]:
    known = ~np.isnan(labels.clicks) & ~np.isnan(predictions.click_rate)
    if not known.any():
        return {}
    rate = labels.clicks[known] / labels.impressions[known]
    expected = (predictions.click_rate[known] * labels.impressions[known]).sum()
    return {
        "click_spearman": _spearman(predictions.click_rate[known], rate),
        "click_expected_to_observed": float(expected / max(labels.clicks[known].sum(), 1)),
    }


def _by_tier(rows: Rows, predictions: Predictions) -> dict[str, float]:
    tier = rows.matrix[:, FEATURE_NAMES.index("tier")]
    out = {}
    for code, (name, _) in enumerate(TIERS):
        here = tier == code
        observed = rows.labels.conversions[here].sum()
        if observed >= 20:  # fewer say nothing of calibration
            expected = (predictions.rate[here] * rows.labels.impressions[here]).sum()
            out[f"rate_expected_to_observed_{name}"] = float(expected / observed)
    return out


def plots(
    rows: Rows | None, predictions: Predictions | None, model: object, index: Index, folder: Path
) -> list[Path]:
    """Draw calibration, lift, importance and the niche map, as PNG files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Figure] = {"niche_map": _niche_map(index)}
    if rows is not None and predictions is not None:
        figures["calibration"] = _calibration_plot(rows.labels, predictions.rate)
        figures["lift"] = _lift_plot(rows.labels, predictions.rate)
    if isinstance(model, ConversionModel):
        figures["importance"] = _importance_plot(model)
    paths = []
    for name, figure in sorted(figures.items()):
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=110, bbox_inches="tight")
        paths.append(path)
    return paths


def _canvas(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size)
    return figure, figure.subplots()


def _calibration_plot(labels: Labels, rate: Floats) -> Figure:
    expected, observed, _ = calibration_bins(labels, rate)
    figure, axes = _canvas((5, 5))
    top = max(expected.max(), observed.max()) * 1.05
    axes.plot([0, top], [0, top], color="grey", linewidth=1, label="as expected")
    axes.plot(expected, observed, marker="o", label="a tenth of the impressions each")
    axes.set(xlabel="expected conversion rate", ylabel="observed conversion rate")
    axes.set_title("Calibration on later time")
    axes.legend()
    return figure


def _lift_plot(labels: Labels, rate: Floats) -> Figure:
    order = np.argsort(-rate, kind="stable")
    share_seen = np.cumsum(labels.impressions[order]) / labels.impressions.sum()
    share_won = np.cumsum(labels.conversions[order]) / max(labels.conversions.sum(), 1)
    figure, axes = _canvas((5, 5))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="in any order")
    axes.plot(share_seen, share_won, label="highest expected rate first")
    axes.set(xlabel="share of impressions", ylabel="share of conversions")
    axes.set_title("Lift on later time")
    axes.legend()
    return figure


def importances(model: ConversionModel) -> dict[str, float]:
    """Share of the gain of clicks and conversions that each feature's splits earn."""
    total = np.zeros(len(FEATURES))
    for stage in (model.clicks, model.conversions):
        if stage is not None:
            gain = stage.booster.feature_importance("gain").astype(np.float64)
            total += gain / max(gain.sum(), 1e-12)
    total /= max(total.sum(), 1e-12)
    return dict(zip(FEATURE_NAMES, total.tolist(), strict=True))


def _importance_plot(model: ConversionModel) -> Figure:
    shares = sorted(importances(model).items(), key=lambda pair: pair[1])[-20:]
    figure, axes = _canvas((7, 6))
    axes.barh([name for name, _ in shares], [share for _, share in shares])
    axes.set(xlabel="share of the gain, clicks and conversions together")
    axes.set_title("Importance")
    return figure


def _niche_map(index: Index) -> Figure:
    topics = index.profiles.topics[:, 0]
    shown: Ints = np.flatnonzero(topics.any(axis=1)).astype(np.int64)
    figure, axes = _canvas((9, 7))
    if len(shown) > 2:
        flat = PCA(n_components=2, random_state=0).fit_transform(topics[shown])
        leading = np.argmax(np.nan_to_num(index.profiles.mix[shown]), axis=1)
        colours = mpl.colormaps["gist_ncar"](np.linspace(0.02, 0.95, len(index.labels)))
        for niche in np.unique(leading):
            here = leading == niche
            axes.scatter(
                flat[here, 0], flat[here, 1], s=8, color=colours[niche], label=index.labels[niche]
            )
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7, ncols=2)
    axes.set_title("Creators by leading topic (two principal components)")
    axes.set(xticks=[], yticks=[])
    return figure

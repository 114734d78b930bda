"""Pictures of an evaluation and of a model.

Drawn by matplotlib as figures: the report takes them as SVG, MLflow as PNG files. Knows nothing of
how figures were made.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from features.catalogue import FEATURE_NAMES, FEATURES
from features.windows import Ints
from models.conversion import INTERVAL, ConversionModel
from models.index import Index
from training import bootstrap
from training.evaluate import FIGURES, Bin, Evaluation, Segment

INK, MUTED, ACCENT = "#20304a", "#9aa5b5", "#d1495b"


def pictures(evaluation: Evaluation) -> dict[str, Figure]:
    """All pictures of an evaluation, by name."""
    first = evaluation.segments[0]
    out = {
        "calibration": reliability(evaluation.reliability),
        "ndcg10": _dots(first, "ndcg10"),
        "deviance_explained": _dots(first, "deviance_explained"),
    }
    if evaluation.ablations is not None:
        out["ablations"] = _dots(evaluation.ablations, "deviance_explained")
    if evaluation.coverage:
        out["coverage"] = _coverage(evaluation.coverage)
    return out


def of_model(model: object, index: Index) -> dict[str, Figure]:
    """Pictures of a model: the niche map, and what it splits on."""
    out = {"niche_map": _niche_map(index)}
    if isinstance(model, ConversionModel):
        out["importance"] = _importance_plot(model)
    return out


def as_svg(figure: Figure) -> str:
    """A figure as an SVG element that stands in a page, the same bytes each time."""
    page = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "creatorfit"}):
        figure.savefig(page, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = page.getvalue()
    return text[text.index("<svg") :]


def save(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write figures as PNG files named by them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in sorted(figures.items()):
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=110, bbox_inches="tight")
        paths.append(path)
    return paths


def _canvas(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size)
    return figure, figure.subplots()


def reliability(bins: Sequence[Bin]) -> Figure:
    """Expected against observed rates."""
    figure, axes = _canvas((5.5, 4.5))
    x = np.array([one.expected for one in bins]) * 1000
    y = np.array([one.observed.value for one in bins]) * 1000
    low = np.array([one.observed.low for one in bins]) * 1000
    high = np.array([one.observed.high for one in bins]) * 1000
    top = float(np.nanmax([*x, *high])) * 1.05
    axes.plot([0, top], [0, top], color=MUTED, linewidth=1, label="as expected")
    spread = np.abs(np.vstack([y - low, high - y]))
    axes.errorbar(x, y, yerr=spread, fmt="o", color=INK, label="a tenth of the impressions each")
    axes.set(xlabel="expected conversions per 1,000 impressions", ylabel="observed")
    axes.set_title("Calibration on rows not seen")
    axes.legend(frameon=False)
    return figure


def _dots(segment: Segment, what: str) -> Figure:
    """One figure of all candidates, with intervals."""
    names = list(segment.figures)[::-1]
    figure, axes = _canvas((7, 0.34 * len(names) + 1.1))
    for place, name in enumerate(names):
        one = segment.figures[name][what]
        if not np.isfinite(one.value):
            continue
        colour = ACCENT if place == len(names) - 1 else INK
        axes.plot([one.low, one.high], [place, place], color=colour, linewidth=2)
        axes.plot([one.value], [place], "o", color=colour)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel=f"{FIGURES[what]} ({bootstrap.LEVEL:.0%} intervals over campaigns)")
    axes.grid(axis="x", color="#e4e8ee")
    axes.set_axisbelow(True)
    return figure


def _coverage(coverage: Mapping[str, bootstrap.Figure]) -> Figure:
    names = list(coverage)[::-1]
    figure, axes = _canvas((7, 0.34 * len(names) + 1.1))
    for place, name in enumerate(names):
        one = coverage[name]
        axes.plot([one.low, one.high], [place, place], color=INK, linewidth=2)
        axes.plot([one.value], [place], "o", color=INK)
    axes.axvline(INTERVAL, color=ACCENT, linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel=f"share of outcomes within the {INTERVAL:.0%} interval", xlim=(0, 1))
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

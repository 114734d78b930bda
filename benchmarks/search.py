"""What candidates cost in quality and time, in a catalogue of many simulated creators.

    python -m benchmarks.search BUNDLE [--creators 100000] [--briefs 20] [--indexes] [--json]

BUNDLE is a folder that training wrote, such as one in var/bundles. Briefs are the means of posts
of its creators. The creators are SIMULATED: blends of its own (`blended`). Every one of them is
scored by the full model for briefs that the search was not taught on; of the best 50, how many are
among the candidates? For all creators, and for filters that leave a tenth and a fiftieth of them;
beside it, candidates by the nearest topic alone.

With `--indexes`, the same vectors in other indexes: how many of the same candidates each finds, and
its time as a ratio to a pass of numpy over the vectors in float32, in turns within one run. usearch
runs in a process of its own, for it and faiss do not share one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.blended import PART, parts
from benchmarks.machine import Spread, machine
from features.facts import NO_BRAND
from features.pair import BriefProfile, pair_features, similarities
from features.schemas import Objective
from features.vectors import Vectors, snap
from features.windows import Floats, Ints
from models.bundle import Bundle, load
from models.scoring import CANDIDATES
from models.search import Search, query_of
from models.search_fit import Money, Taught, searchable, teach, vectors_of
from models.snapshots import profile_brief

BEST = 50
TAUGHT = 64  # briefs that the search is taught on, beside those it is judged by
OBJECTIVES: tuple[Objective, ...] = ("conversion_rate", "conversions", "value")
FILTERS = {"all": 1.0, "a tenth": 0.1, "a fiftieth": 0.02}
ROUNDS = 9


@dataclass(frozen=True)
class Catalogue:
    """The creators as the search and the full model see them.

    Attributes:
        vectors: For the search, ``(n, width)``.
        scores: By the full model, ``(objectives, briefs, n)``.
        topics: Cosine of the nearest topic with each brief, ``(briefs, n)``.
    """

    vectors: Vectors
    scores: Floats
    topics: Floats


def briefs_of(bundle: Bundle, count: int, seed: int) -> list[BriefProfile]:
    """Briefs that speak as posts do: each is the mean of three posts of one creator."""
    rng = np.random.default_rng(seed)
    rows, vectors = bundle.index.evidence.rows, bundle.index.evidence.vector
    places = np.flatnonzero(np.diff(rows.indptr) >= 3)
    most = np.argmax(np.nan_to_num(bundle.index.profiles.posts_language), axis=1)
    out = []
    for place in rng.choice(places, count, replace=count > len(places)):
        posts = rng.choice(np.arange(rows.indptr[place], rows.indptr[place + 1]), 3, replace=False)
        vector = snap(vectors[posts].astype(np.float32).sum(axis=0))
        language = bundle.index.profiles.languages[most[place]]
        out.append(profile_brief(bundle.niche, bundle.projection, vector, language, NO_BRAND))
    return out


def catalogue_of(
    bundle: Bundle, creators: int, briefs: Sequence[BriefProfile], taught: Taught, seed: int
) -> Catalogue:
    """Score every creator for every brief by the full model, part by part."""
    vectors, scores, topics = [], [], []
    rng = np.random.default_rng(seed + 1)
    model = bundle.model
    for number, part in enumerate(parts(bundle.index, creators, seed)):
        profiles = part.profiles
        n = len(part.source)
        everyone = np.arange(n, dtype=np.int64)
        log_cost = np.log(np.maximum(np.nan_to_num(bundle.index.price[part.source], nan=100.0), 1))
        log_cost = log_cost + rng.normal(0, 0.3, n)
        vectors.append(vectors_of(profiles, model, Money(log_cost, np.zeros(n, bool)), taught))
        told = np.empty((len(OBJECTIVES), len(briefs), n))
        near = np.empty((len(briefs), n))
        for place, brief in enumerate(briefs):
            matrix = pair_features(profiles, everyone, [brief], np.zeros(n, dtype=np.int64))
            predicted = model.predict(matrix)
            reach = np.log(predicted.impressions)
            told[:, place] = np.stack([np.zeros(n), reach, reach - log_cost]) + predicted.score
            near[place] = np.nan_to_num(similarities(profiles, everyone, brief.vector)[0], nan=-1)
        scores.append(told)
        topics.append(near)
        print(f"{min((number + 1) * PART, creators):,} creators scored", file=sys.stderr)
    return Catalogue(
        np.concatenate(vectors), np.concatenate(scores, axis=2), np.concatenate(topics, axis=1)
    )


def recalls(
    bundle: Bundle, search: Search, told: Catalogue, briefs: Sequence[BriefProfile], seed: int
) -> list[dict[str, Any]]:
    """Share of the best `BEST` that are among the candidates, by objective and filter."""
    rng = np.random.default_rng(seed + 2)
    n = len(search)
    rows = []
    for filtered, share in FILTERS.items():
        eligible = np.flatnonzero(rng.random(n) < share).astype(np.int64)
        for place, objective in enumerate(OBJECTIVES):
            ours, nearest = [], []
            for number, brief in enumerate(briefs):
                score = told.scores[place, number, eligible]
                best = eligible[np.argsort(-score, kind="stable")[:BEST]]
                query = query_of(search.weights, bundle.index.profiles, brief, objective)
                found = search.nearest(query, eligible, CANDIDATES)
                ours.append(float(np.isin(best, found).mean()))
                topical = np.argsort(-told.topics[number, eligible], kind="stable")[:CANDIDATES]
                nearest.append(float(np.isin(best, eligible[topical]).mean()))
            rows.append(
                {
                    "filter": filtered,
                    "eligible": len(eligible),
                    "objective": objective,
                    "recall": float(np.mean(ours)),
                    "worst_brief": min(ours),
                    "by_topic_alone": float(np.mean(nearest)),
                }
            )
    return rows


# ---------------------------------------------------------------- other indexes


def _in_turns(ways: dict[str, Callable[[int], Ints]], queries: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, find in ways.items():
            began = time.perf_counter()
            for number in range(queries):
                find(number)
            seconds[name].append((time.perf_counter() - began) / queries)
    return seconds


def compared(search: Search, vectors: Vectors, queries: Vectors) -> list[dict[str, Any]]:
    """Time and recall of indexes over the same vectors, against numpy's pass in float32."""
    import faiss

    n, width = vectors.shape
    lists = int(4 * np.sqrt(n))
    ivf = faiss.index_factory(width, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    ivf.train(vectors[:: max(1, n // 100_000)])
    ivf.add(vectors)
    flat = faiss.IndexScalarQuantizer(
        width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    flat.train(vectors[:1000])
    flat.add(vectors)
    everyone = np.arange(n, dtype=np.int64)

    def numpy_pass(number: int) -> Ints:
        product = vectors @ queries[number]
        return np.argpartition(product, n - CANDIDATES)[n - CANDIDATES :].astype(np.int64)

    def probing(probes: int) -> Callable[[int], Ints]:
        params = faiss.SearchParametersIVF(nprobe=probes)

        def find(number: int) -> Ints:
            places: Ints = ivf.search(queries[number][None], CANDIDATES, params=params)[1][0]
            return places

        return find

    def halves(number: int) -> Ints:
        places: Ints = flat.search(queries[number][None], CANDIDATES)[1][0]
        return places

    ways: dict[str, Callable[[int], Ints]] = {
        "numpy float32, all": numpy_pass,
        "faiss 8 bits, all (ours)": lambda k: search.nearest(queries[k], everyone, CANDIDATES),
        "faiss 16 bits, all": halves,
        f"faiss IVF{lists} 8 bits, {lists // 16} probes": probing(lists // 16),
        f"faiss IVF{lists} 8 bits, {lists // 4} probes": probing(lists // 4),
    }
    seconds = _in_turns(ways, len(queries))
    exact = [set(numpy_pass(number).tolist()) for number in range(len(queries))]
    found = {
        name: [set(find(k).tolist()) for k in range(len(queries))] for name, find in ways.items()
    }
    with get_context("spawn").Pool(1) as pool:
        theirs, times = pool.apply(_usearch, (vectors, queries))
    found["usearch 8 bits, all"] = [set(places) for places in theirs]
    seconds["usearch 8 bits, all"] = times
    floor = np.array(seconds["numpy float32, all"])
    return [
        {
            "index": name,
            "recall": float(
                np.mean([len(a & b) / len(a) for a, b in zip(exact, sets, strict=True)])
            ),
            "ratio": asdict(Spread.of((np.array(seconds[name]) / floor).tolist())),
            "ms": float(np.median(seconds[name]) * 1e3),
        }
        for name, sets in found.items()
    ]


def _usearch(vectors: Vectors, queries: Vectors) -> tuple[list[list[int]], list[float]]:
    """Exact search of usearch, in 8 bits; products of unit vectors that it scales itself."""
    from usearch.index import MetricKind, search

    # Eight bits hold numbers from -1 to 1: each part is scaled by its largest.
    scale = np.maximum(np.abs(vectors).max(axis=0), 1e-9)
    small = np.rint(vectors / scale * 127).astype(np.int8)
    asked = queries * scale
    asked = np.rint(asked / np.abs(asked).max(axis=1, keepdims=True) * 127).astype(np.int8)

    def find(number: int) -> Ints:
        found = search(small, asked[number][None], CANDIDATES, MetricKind.IP, exact=True, threads=1)
        places: Ints = np.asarray(found.keys).ravel().astype(np.int64)
        return places

    seconds = _in_turns({"usearch": find}, len(queries))["usearch"]
    return [find(number).tolist() for number in range(len(queries))], seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--creators", type=int, default=100_000)
    parser.add_argument("--briefs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--indexes", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.indexes and find_spec("usearch") is None:
        parser.error("--indexes compares with usearch, which is not installed: it is in `dev`")
    here = machine("faiss-cpu", "usearch", "lightgbm", "numpy")
    bundle = load(options.bundle)
    briefs = briefs_of(bundle, TAUGHT + options.briefs, options.seed)
    judged = briefs[TAUGHT:]
    first = next(parts(bundle.index, min(PART, options.creators), options.seed + 9))
    taught = teach(first.profiles, bundle.model, briefs[:TAUGHT])
    told = catalogue_of(bundle, options.creators, judged, taught, options.seed)
    search = searchable(taught, told.vectors)
    rows = recalls(bundle, search, told, judged, options.seed)
    others = []
    if options.indexes:
        queries = np.stack(
            [query_of(search.weights, bundle.index.profiles, b, "conversions") for b in judged]
        )
        others = compared(search, told.vectors, queries)
    if options.json:
        print(json.dumps({"machine": here.as_json(), "recall": rows, "indexes": others}))
        return
    print(f"{options.creators:,} SIMULATED creators, {CANDIDATES:,} candidates, {here}")
    print("filter      eligible  objective        best 50 found  worst brief  by topic alone")
    for row in rows:
        print(
            f"{row['filter']:10}  {row['eligible']:8,}  {row['objective']:15}  "
            f"{row['recall']:13.3f}  {row['worst_brief']:11.2f}  {row['by_topic_alone']:14.3f}"
        )
    for row in others:
        ratio = Spread(**row["ratio"])
        print(
            f"{row['index']:40} finds {row['recall']:.3f}  time {ratio.text()}  {row['ms']:.1f} ms"
        )


if __name__ == "__main__":
    main()

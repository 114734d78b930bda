"""What off-policy estimators say that a model would have earned, against what it truly would have.

    python -m benchmarks.offpolicy

In a SIMULATED world a rule (0.8 cosine + 0.2 engagement rate) serves answers of `PLACES` creators
out of `CANDIDATES`: in its own order, or, with a stated chance, in any order. What is shown may be
booked, less likely the lower it stands. A model trained on the time before is then judged by that
log alone; what it would truly have earned on the same answers is known. The same answers are served
`LOGS` times, with other chance. Logs without chance show what these cannot tell.

Where the package `obp` can be imported, the same estimators are also compared with its own, on the
sample of the Open Bandit Dataset that it holds. It wants an older Python and is not needed for
anything else, so it goes into a folder of its own:

    pip install --no-deps --ignore-requires-python --target var/obp \\
        obp==0.5.7 seaborn==0.13.2 mypy-extensions==1.2.0
    PYTHONPATH=var/obp python -m benchmarks.offpolicy obp          # compare
    PYTHONPATH=var/obp python -m benchmarks.offpolicy reference    # write tests/obp_sample.*
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.worlds import campaigns, everyone, known_of, make_world, rows_known, truth_of
from features.windows import Floats, Ints
from models.conversion_fit import FitParams
from training.baselines import rules
from training.bootstrap import Figure, figure
from training.dataset import draw_candidates, split_by_time
from training.learning import fit_before_test, fit_on_all
from training.offpolicy import ESTIMATORS, OffPolicy, evaluate_policy
from training.offpolicy_estimators import (
    Placement,
    answers_drawn,
    direct,
    doubly_robust,
    ips,
    ranked,
    snips,
    softmax,
)
from training.served import Served

HOME = Path("var/benchmarks/offpolicy")
SEED = 701
CREATORS = 250
LOGS = 20
CANDIDATES, PLACES = 12, 3
ANSWERS_PER_CAMPAIGN = 40
EXPLORE = (0.5, 0.0)  # the chance of any order
BOOKED = 0.5  # of those who stand first; of place k by the root of k less
TEMPERATURE = 0.5
RULE = "0.8 cosine + 0.2 engagement rate"
PARAMS = FitParams(threads=1)
REFERENCE = Path(__file__).parents[1] / "tests" / "obp_sample"
FOLDS = 3


def main() -> None:
    """Print the tables; ``obp`` or ``reference`` alone does that part."""
    console = Console(width=150)
    if "reference" in sys.argv:
        write_reference()
        return
    if "obp" not in sys.argv:
        simulated(console)
    try:
        import obp  # noqa: F401
    except ImportError:
        console.print("obp cannot be imported: not compared with it")
        return
    compared(console)


# ---------------------------------------------------------------- simulated worlds


@dataclass(frozen=True)
class Asked:
    """Candidates of answers, none served yet, and what each would bring if it stood first."""

    served: Served
    mean: Floats
    rule: Floats
    model: Floats


def simulated(console: Console) -> None:
    """Print what the estimators say of a model over many logs, and the truth."""
    asked = ask(SEED)
    table = Table(
        title=f"Conversions for each answer: mean of {LOGS} logs of {len(asked.served):,} answers, "
        "with the root mean square error and how many 90% intervals hold the truth; SIMULATED "
        f"world {SEED} of {CREATORS} creators, {platform.machine()}"
    )
    names = ("by chance", "model shows", "served", "truth", "IPS", "SNIPS", "direct", "DR")
    for name in (*names, "reach", "worth"):
        table.add_column(name, justify="right")
    for explore in EXPLORE:
        for name in ("the highest", f"softmax {TEMPERATURE}"):
            results = []
            for seed in range(LOGS):
                served = serve(asked, explore, seed)
                target = ranked(served, asked.model)
                if name != "the highest":
                    target = softmax(served, asked.model, TEMPERATURE, draws=200)
                results.append(evaluate_policy(served, target, seed=seed))
            truth = worth(asked, target) / len(served)
            table.add_row(f"{explore:.0%}", name, *_cells(results, truth))
    console.print(table)


def ask(seed: int) -> Asked:
    """Train a model on a world's past, and draw candidates for the campaigns after it."""
    cut = make_world(CREATORS, seed, HOME)
    deals = cut.tables.sponsorships
    early = deals[deals["resolved_at"] < cut.late_from]
    known = known_of(cut.tables, early, cut.late, HOME)
    rows = rows_known(known, early)
    candidates = draw_candidates(known, rows, PARAMS.seed)
    fitted = fit_before_test(rows, candidates, split_by_time(rows), PARAMS)
    model = fit_on_all(rows, candidates, fitted, PARAMS)
    rng = np.random.default_rng(seed)
    matrices, means, creators = [], [], []
    for campaign in campaigns(cut.late):
        matrix, truth = everyone(known, campaign), truth_of(cut, campaign)
        mean = (truth["conversion_rate"] * truth["expected_impressions"]).to_numpy(np.float64)
        for _ in range(ANSWERS_PER_CAMPAIGN):
            drawn = np.sort(rng.choice(len(mean), CANDIDATES, replace=False))
            matrices.append(matrix[drawn])
            means.append(mean[drawn])
            creators.append(truth["creator_id"].to_numpy(object)[drawn])
    matrix = np.concatenate(matrices)
    count, n = len(means), len(matrix)
    served = Served(
        recommendation_id=np.array([f"{number:06d}" for number in range(count)], dtype=object),
        served_us=np.zeros(count, dtype=np.int64),
        answer=np.repeat(np.arange(count, dtype=np.int64), CANDIDATES),
        creator_id=np.concatenate(creators),
        position=np.zeros(n, dtype=np.int64),
        propensity=np.full(n, np.nan),
        matrix=matrix,
        conversions=np.zeros(n),
    )
    score = model.predict(matrix).score
    return Asked(served, np.concatenate(means), rules(matrix)[RULE], score)


def serve(asked: Asked, explore: float, seed: int) -> Served:
    """Show each answer's creators by the rule, or with the chance `explore` in any order.

    The order by chance has every candidate at every place alike, so the propensity of one at a
    place is ``(1 - explore) [the rule has it there] + explore / CANDIDATES``.
    """
    rng = np.random.default_rng(seed)
    count = len(asked.served)

    def places(score: Floats) -> Ints:
        return np.argsort(np.argsort(-score, axis=1, kind="stable"), axis=1) + 1

    by_rule = places(np.nan_to_num(asked.rule, nan=-np.inf).reshape(count, CANDIDATES))
    by_chance = places(rng.random((count, CANDIDATES)))
    place = np.where(rng.random((count, 1)) < explore, by_chance, by_rule)
    propensity = (1 - explore) * (place == by_rule) + explore / CANDIDATES
    shown = place <= PLACES
    booked = rng.random(place.shape) < BOOKED * _seen(place)
    came = rng.poisson(asked.mean.reshape(place.shape)) * booked * shown
    return replace(
        asked.served,
        position=np.where(shown, place, 0).ravel(),
        propensity=np.where(shown, propensity, np.nan).ravel(),
        conversions=came.ravel().astype(np.float64),
    )


def worth(asked: Asked, target: Placement) -> float:
    """What a target would truly earn, over all answers."""
    mean = BOOKED * _seen(target.position) * asked.mean[target.row]
    return float((target.probability * mean).sum())


def _seen(place: Ints) -> Floats:
    return np.asarray(1 / np.sqrt(np.maximum(place, 1)), dtype=np.float64)


def _cells(results: list[OffPolicy], truth: float) -> list[str]:
    figures = [_words([result.figures[name] for result in results], truth) for name in ESTIMATORS]
    return [
        f"{np.mean([result.logged.value for result in results]):.2f}",
        f"{truth:.2f}",
        *figures,
        f"{np.mean([result.reach.value for result in results]):.2f}",
        f"{np.mean([result.effective for result in results]):.0f}/{results[0].shown}",
    ]


def _words(figures: list[Figure], truth: float) -> str:
    told = [found for found in figures if not np.isnan(found.value)]
    if len(told) < len(figures):
        return f"undefined in {len(figures) - len(told)}"
    values = np.array([found.value for found in told])
    held = sum(found.low <= truth <= found.high for found in told)
    error = np.sqrt(((values - truth) ** 2).mean())
    return f"{values.mean():.2f} ±{error:.2f} {held}/{len(told)}"


# ---------------------------------------------------------------- obp


def compared(console: Console) -> None:
    """Print obp's values and ours, on the same arrays."""
    import obp

    table = Table(title=f"Open Bandit Dataset (sample of obp {obp.__version__}, campaign all)")
    for name in ("served by", "target", "", "obp", "ours", "difference"):
        table.add_column(name, justify="right")
    for behaviour, evaluated in (("random", "bts"), ("bts", "random")):
        sample = obp_sample(behaviour, evaluated)
        theirs, own = obp_values(sample), our_values(sample)
        for name, value in theirs["values"].items():
            mine = own[name].value
            words = (f"{value:.12f}", f"{mine:.12f}", f"{mine - value:.1e}")
            table.add_row(behaviour, evaluated, name, *words)
    console.print(table)


def obp_sample(behaviour: str, evaluated: str) -> dict[str, NDArray[Any]]:
    """What one policy served, what another would, and a reward model by item and place."""
    import obp
    from obp.policy import BernoulliTS

    folder = Path(obp.__file__).parent / "dataset" / "obd" / behaviour / "all"
    frame = pd.read_csv(folder / "all.csv", index_col=0)
    item = frame["item_id"].to_numpy(np.uint8)
    position = (frame["position"] - 1).to_numpy(np.uint8)
    click = frame["click"].to_numpy(np.uint8)
    items, places = 80, 3
    target = np.full((items, places), 1 / items)
    if evaluated == "bts":
        policy = BernoulliTS(
            n_actions=items,
            len_list=places,
            is_zozotown_prior=True,
            campaign="all",
            random_state=12345,
        )
        target = policy.compute_batch_action_dist(n_sim=100_000, n_rounds=1)[0]
    fold = (np.arange(len(item)) % FOLDS).astype(np.uint8)
    expected = np.empty((FOLDS, items, places))
    for number in range(FOLDS):
        others = fold != number
        shown, clicked = np.zeros((items, places)), np.zeros((items, places))
        np.add.at(shown, (item[others], position[others]), 1)
        np.add.at(clicked, (item[others], position[others]), click[others])
        # Shrunk to the overall rate as by 100 impressions.
        expected[number] = (clicked + 100 * click[others].mean()) / (shown + 100)
    return {
        "item": item,
        "position": position,
        "click": click,
        "propensity": frame["propensity_score"].to_numpy(np.float64),
        "fold": fold,
        "target": target,
        "expected": expected,
    }


def obp_values(sample: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """What obp says: values, and the ends of its own 90% bootstrap intervals."""
    from obp.ope import (
        DirectMethod,
        DoublyRobust,
        InverseProbabilityWeighting,
        SelfNormalizedInverseProbabilityWeighting,
    )

    count = len(sample["item"])
    known = {
        "reward": sample["click"].astype(np.float64),
        "action": sample["item"].astype(np.int64),
        "position": sample["position"].astype(np.int64),
        "pscore": sample["propensity"],
        "action_dist": np.broadcast_to(sample["target"], (count, *sample["target"].shape)).copy(),
        "estimated_rewards_by_reg_model": sample["expected"][sample["fold"]],
    }
    estimators = {
        "ips": InverseProbabilityWeighting(),
        "snips": SelfNormalizedInverseProbabilityWeighting(),
        "direct": DirectMethod(),
        "doubly_robust": DoublyRobust(),
    }
    values, intervals = {}, {}
    for name, estimator in estimators.items():
        values[name] = float(estimator.estimate_policy_value(**known))
        told = estimator.estimate_interval(
            **known, alpha=0.1, n_bootstrap_samples=1000, random_state=0
        )
        intervals[name] = [float(told[key]) for key in told if key != "mean"]
    return {"values": values, "intervals": intervals}


def our_values(sample: dict[str, NDArray[Any]]) -> dict[str, Figure]:
    """What our estimators say of the same arrays: each impression is an answer of one place."""
    item, position, fold = sample["item"], sample["position"], sample["fold"]
    reward = sample["click"].astype(np.float64)
    weight = sample["target"][item, position] / sample["propensity"]
    shown = sample["expected"][fold, item, position]
    asked = (sample["expected"] * sample["target"]).sum(axis=1)[fold, position]
    draws = answers_drawn(np.arange(len(item)), len(item))
    return {
        "ips": figure(ips(reward, weight, draws)),
        "snips": figure(snips(reward, weight, draws)),
        "direct": figure(direct(asked, draws)),
        "doubly_robust": figure(doubly_robust(reward, weight, shown, asked, draws)),
    }


def write_reference() -> None:
    """Write the sample's arrays and obp's values, for a test that does without obp."""
    import obp

    arrays: dict[str, NDArray[Any]] = {}
    told: dict[str, Any] = {
        "source": "Open Bandit Dataset, small version, campaign all, as it lies in the package obp",
        "citation": "Saito, Aihara, Matsutani and Narita 2020, Open Bandit Dataset and Pipeline: "
        "Towards Realistic and Reproducible Off-Policy Evaluation, arXiv:2008.07146",
        "licence": "Apache License 2.0, that of the package which holds it: "
        "https://www.apache.org/licenses/LICENSE-2.0; changed: columns taken out, and the "
        "target's probabilities and a reward model added",
        "made_by": "python -m benchmarks.offpolicy reference",
        "obp": obp.__version__,
    }
    for behaviour, evaluated in (("random", "bts"), ("bts", "random")):
        sample = obp_sample(behaviour, evaluated)
        arrays |= {f"{behaviour}.{name}": values for name, values in sample.items()}
        told[behaviour] = obp_values(sample)
    np.savez_compressed(REFERENCE.with_suffix(".npz"), allow_pickle=False, **arrays)
    REFERENCE.with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()

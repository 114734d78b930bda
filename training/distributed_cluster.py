"""A Dask cluster: who its workers are, work on every item, and LightGBM's own distributed training.

Knows nothing of posts, creators or features.
"""

from __future__ import annotations

import hashlib
import platform
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager, redirect_stdout
from functools import cache, partial
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from time import sleep
from typing import Any, TypeVar

import dask
import dask.array as da
import lightgbm as lgb
import numpy as np
from distributed import Client, KilledWorker, as_completed, get_worker
from distributed.comm.core import CommClosedError
from lightgbm.dask import DaskLGBMRegressor

from features.catalogue import FEATURE_NAMES
from features.schemas import ClusterError
from features.windows import Floats
from models.stage import Sample

CONNECT_SECONDS = 10
WORKERS_SECONDS = 60  # how long the first worker, or one that was lost, is waited for
LOOK_SECONDS = 1.0  # how often it is looked whether all are still there
LOOKS = 5  # before a failure is taken for one that no lost worker explains
ATTEMPTS = 4  # at one model: every worker that is lost costs one
GREETINGS = 5  # a worker that comes or goes just then may spoil a client's first words with Dask
# Fewer are not worth a worker, for LightGBM looks for cuts in each one's own rows: with 350 each,
# held-out deviances of simulated worlds lay twice as far apart as those of one process.
ROWS_OF_WORKER = 1_000

# What has to be the same for two processes to compute the same.
PACKAGES = (
    "dask",
    "distributed",
    "lightgbm",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
)
# The names of scikit-learn's interface, which LightGBM's for Dask has.
NAMES = {
    "min_data_in_leaf": "min_child_samples",
    "min_sum_hessian_in_leaf": "min_child_weight",
    "lambda_l2": "reg_lambda",
    "feature_fraction": "colsample_bytree",
    "seed": "random_state",
}
OF_THE_NETWORK = ("[machines:", "[local_listen_port:", "[num_machines:", "[machine_list_filename:")

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def connected(address: str, folder: Path) -> Iterator[DaskWorkers]:
    """The workers of a scheduler, once they are seen to be fit.

    Args:
        address: Of the scheduler, such as ``tcp://host:8786``.
        folder: One that every worker has to see under the same path.

    Raises:
        ClusterError: The scheduler or its workers are away, have other code than this process, or
            do not see the folder.
    """
    with _client(address) as client:
        _wait_for_one(client)
        _check(client, folder)
        yield DaskWorkers(client)


@contextmanager
def _client(address: str) -> Iterator[Client]:
    client = _greeted(address)
    try:
        yield client
    finally:
        client.close()


def _greeted(address: str) -> Client:
    for _ in range(GREETINGS):
        try:
            return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f"CREATORFIT_SCHEDULER={address}: no Dask scheduler can be reached there ({error}"
                "); start one with `dask scheduler`, or train without the setting"
            ) from error
        except AssertionError:
            # The scheduler tells every client of workers that come and go, a new one too; Dask
            # 2026.8 asserts that its greeting comes alone.
            sleep(LOOK_SECONDS)
    raise ClusterError(f"{address}: workers came and went at each of {GREETINGS} greetings")


def _wait_for_one(client: Client) -> None:
    address = client.scheduler.address
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError:
        raise ClusterError(
            f"{address}: the scheduler has no workers; start some where this code is "
            f"installed: dask worker {address} --nthreads 1"
        ) from None


# ---------------------------------------------------------------- whether it is fit


@cache
def versions() -> dict[str, str]:
    """What this process computes with: Python, packages, and a digest of the code."""
    import features
    import models
    import training

    digest = hashlib.sha256()
    for room in (features, models, training):
        root = Path(str(room.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root.parent).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    packages = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **packages, "code": digest.hexdigest()[:16]}


def _check(client: Client, folder: Path) -> None:
    """Refuse workers that would compute otherwise, or cannot see what this process writes."""
    own = versions()
    token = folder / "seen"
    token.write_text("", "utf-8")
    try:
        told = client.run(_seen, token)
    except Exception as error:  # whatever a worker cannot import, as the worker raised it
        raise ClusterError(
            f"a worker cannot run this code ({type(error).__name__}: {error}); start workers where "
            "the same checkout is installed"
        ) from error
    for worker, (theirs, sees) in told.items():
        if theirs != own:
            raise ClusterError(f"{worker}: {_other(theirs, own)}")
        if not sees:
            raise ClusterError(
                f"{worker}: the worker does not see {folder}: CREATORFIT_HOME and the tables have "
                "to lie in folders that all workers share, under the same path"
            )


def _seen(token: Path) -> tuple[dict[str, str], bool]:
    return versions(), token.is_file()


def _as_here(here: dict[str, str], work: Callable[[T], R], item: T) -> R:
    if versions() != here:
        raise ClusterError(f"{get_worker().address}: {_other(versions(), here)}")
    return work(item)


def _other(theirs: dict[str, str], own: dict[str, str]) -> str:
    differing = [name for name in own if theirs.get(name) != own[name]]
    said = ", ".join(f"{name} {theirs.get(name)} there, {own[name]} here" for name in differing)
    return (
        f"the worker has other versions ({said}); install the same there, or the features would "
        "not be those of one process"
    )


# ---------------------------------------------------------------- work


class DaskWorkers:
    """The workers of a connected client (`distributed_work.Workers`)."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __str__(self) -> str:
        count = len(self._client.ncores())
        return f"{count:,} workers of {self._client.scheduler.address}, {self.threads:,} threads"

    @property
    def threads(self) -> int:
        return sum(self._client.ncores().values())

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
        """Do work on every item; the place of each and what came of it, as they are done.

        What was lost with a worker is done again by another.

        Raises:
            ClusterError: One item was lost with several workers, or the scheduler is away.
        """
        # Workers that came later are asked too whether they have the same code.
        same = partial(_as_here, versions(), work)
        futures = self._client.map(same, items, pure=False)
        place = {future.key: number for number, future in enumerate(futures)}
        try:
            for future, result in as_completed(futures, loop=self._client.loop, with_results=True):
                yield place[future.key], result
                future.release()
        except KilledWorker as error:
            raise ClusterError(
                f"{error.allowed_failures + 1} workers were lost at the same piece of work, the "
                f"last of them {error.last_worker.address}; look at its log: it may have had too "
                "little memory"
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise ClusterError(f"the scheduler went away ({error}); train again") from error
        finally:
            self._client.cancel(futures)

    def grow(
        self,
        options: Mapping[str, Any],
        sample: Sample,
        rounds: int,
        check: Sample | None = None,
        patience: int = 0,
        categorical: Sequence[str] = (),
    ) -> lgb.Booster:
        """Grow trees on all workers together (`models.stage.Grow`).

        A worker that is lost takes the others' network with it, and they wait for ever: they are
        started anew, and the trees with them.
        """
        for _ in range(ATTEMPTS):
            booster = self._grown(options, sample, rounds, check, patience, categorical)
            if booster is not None:
                return booster
            _wait_for_one(self._client)
        raise ClusterError(f"workers were lost {ATTEMPTS} times while trees were grown")

    def _grown(
        self,
        options: Mapping[str, Any],
        sample: Sample,
        rounds: int,
        check: Sample | None,
        patience: int,
        categorical: Sequence[str],
    ) -> lgb.Booster | None:
        """Grow trees once; None where a worker was lost meanwhile."""
        # A client of its own: what LightGBM asks for goes with it.
        with _client(self._client.scheduler.address) as own, ThreadPoolExecutor(1) as thread:
            before = sorted(own.ncores())
            fitting = thread.submit(
                _fit, own, before, options, sample, rounds, check, patience, categorical
            )
            try:
                return _until(fitting, lambda: set(before) <= set(self._client.ncores()))
            except (lgb.basic.LightGBMError, KilledWorker, CancelledError):
                if not self._lost(before):
                    raise
            finally:
                if not fitting.done():
                    own.close()
            left = sorted(set(before) & set(self._client.ncores()))
            self._client.restart_workers(left, raise_for_error=False)
        return None

    def _lost(self, workers: Sequence[str]) -> bool:
        """Whether one of some workers is no longer there; the scheduler may be slow to see it."""
        for _ in range(LOOKS):
            if not set(workers) <= set(self._client.ncores()):
                return True
            sleep(LOOK_SECONDS)
        return False


def _until(fitting: Future[lgb.Booster], all_there: Callable[[], bool]) -> lgb.Booster:
    while not wait_for([fitting], timeout=LOOK_SECONDS).done:
        if not all_there():
            raise CancelledError
    return fitting.result()


def _fit(
    client: Client,
    workers: Sequence[str],
    options: Mapping[str, Any],
    sample: Sample,
    rounds: int,
    check: Sample | None,
    patience: int,
    categorical: Sequence[str],
) -> lgb.Booster:
    used = workers[: max(1, min(len(workers), len(sample) // ROWS_OF_WORKER))]
    # Rows in turn and not in runs: each worker looks for cuts in its own, which shall be alike.
    chunks = [slice(first, None, len(used)) for first in range(len(used))]

    def spread(values: Floats) -> Any:
        return _array(client, used, [np.ascontiguousarray(values[chunk]) for chunk in chunks])

    def everywhere(values: Floats) -> Any:
        return _array(client, used, [values] * len(used))

    told: dict[str, Any] = {}
    if check is not None:
        # All rows to every worker: each stops by what it sees, and they must stop together.
        told["eval_X"], told["eval_y"] = (everywhere(check.matrix),), (everywhere(check.target),)
        if check.weight is not None:
            told["eval_sample_weight"] = [everywhere(check.weight)]
        told["callbacks"] = [lgb.early_stopping(patience, verbose=False)]
    chosen = {NAMES.get(name, name): value for name, value in options.items()}
    chosen.pop("num_threads", None)  # each worker has its own
    model = DaskLGBMRegressor(client=client, n_estimators=rounds, tree_learner="data", **chosen)
    with client.as_current(), warnings.catch_warnings(), redirect_stdout(StringIO()):
        # It says so of its own default, and on stdout that it looks for ports.
        warnings.filterwarnings("ignore", "Parameter n_jobs will be ignored", UserWarning)
        model.fit(
            spread(sample.matrix),
            spread(sample.target),
            sample_weight=None if sample.weight is None else spread(sample.weight),
            feature_name=list(FEATURE_NAMES),
            categorical_feature=list(categorical),
            **told,
        )
    return _alone(model.booster_)


def _array(client: Client, workers: Sequence[str], chunks: Sequence[Floats]) -> Any:
    """An array of one chunk on each worker."""
    futures = [
        client.scatter(chunk, workers=[worker], hash=False)
        for worker, chunk in zip(workers, chunks, strict=True)
    ]
    arrays = [
        da.from_delayed(dask.delayed(future), shape=chunk.shape, dtype=chunk.dtype)
        for future, chunk in zip(futures, chunks, strict=True)
    ]
    return da.concatenate(arrays)


def _alone(booster: lgb.Booster) -> lgb.Booster:
    """The same trees, without the addresses of those who grew them."""
    lines = booster.model_to_string(num_iteration=-1).splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(OF_THE_NETWORK))
    out = lgb.Booster(model_str=text)
    out.best_iteration = booster.best_iteration
    return out

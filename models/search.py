"""The creators worth scoring in full for a brief: nearest by a vector that foretells the score.

Scoring everybody by the full model is too dear, and the nearest by topics alone are not the best:
who converts, reaches many and costs little does not show in a topic. So each creator has one
vector that holds what the model looks at in a pair (projected subject, niches, languages) beside
what it says of the creator whatever the brief: its priors of the rate, the reach and the cost. A
brief becomes a vector of weights over those, and their product approximates the full model's score
(distillation into two towers: Hinton et al. 2015; a prior as one more dimension of an inner
product: Bachrach et al. 2014, "Speeding up the Xbox recommender system using a Euclidean
transformation for inner-product spaces"). Whom it finds the full model scores; nothing of the
approximation is shown.

The vectors are kept in 8 bits and passed over whole: exact but for the rounding
(`benchmarks.search` compares indexes). Knows nothing of filters, nor of how the weights are found
(`search_fit`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from features.pair import BriefProfile, Profiles
from features.schemas import Objective
from features.vectors import Vectors
from features.windows import Floats, Ints

# Eight numbers are multiplied at once: with 164 of them a pass over 100,000 creators took 22 ms,
# with 168 it took 5.
LANES = 8
INDEX, WEIGHTS = "search.faiss", "search.safetensors"


@dataclass(frozen=True)
class Weights:
    """What each part of the product counts, the same for every creator and brief."""

    subject: float
    match: float
    leading: float
    language: float


@dataclass(frozen=True)
class Search:
    """Vectors of all creators, in their order, and what makes a brief's vector.

    Attributes:
        index: ``faiss.IndexScalarQuantizer`` of the vectors ``(n, width)``.
    """

    weights: Weights
    index: Any

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def nearest(self, query: Vectors, eligible: Ints, limit: int) -> Ints:
        """Places of the `limit` creators of `eligible` with the largest product, ascending.

        Args:
            query: Of `query_of`, ``(width,)``.
            eligible: Places, ascending.
            limit: At most so many.
        """
        if len(eligible) <= limit:
            return eligible
        params = None
        if len(eligible) < len(self):
            allowed = np.zeros(len(self), dtype=bool)
            allowed[eligible] = True
            selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
            params = faiss.SearchParameters(sel=selector)
        # One query is one thread's work: the others of a team would only spin until it is done,
        # on the cores of other requests. The setting is the calling thread's own.
        faiss.omp_set_num_threads(1)
        _, found = self.index.search(query[np.newaxis], limit, params=params)
        places: Ints = np.sort(found[0][found[0] >= 0]).astype(np.int64)
        return places

    def only(self, kept: NDArray[np.bool_]) -> Search:
        """The search among some of the creators, ``(n,)``, alone."""
        codes = faiss.vector_to_array(self.index.codes).reshape(len(self), -1)[kept]
        fewer = faiss.IndexScalarQuantizer(
            self.index.d, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        fewer.sq = self.index.sq
        fewer.is_trained = True
        fewer.add_sa_codes(np.ascontiguousarray(codes))
        return Search(self.weights, fewer)

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        faiss.write_index(self.index, str(folder / INDEX))
        save_file({k: np.array(v) for k, v in asdict(self.weights).items()}, folder / WEIGHTS)


def open_search(folder: Path) -> Search:
    """Read what `Search.save` wrote; the vectors stay on disk and are mapped into memory.

    Raises:
        ValueError: It is damaged.
    """
    try:
        index = faiss.read_index(str(folder / INDEX), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise ValueError(f"{INDEX}: {error}") from error
    return Search(Weights(**{k: float(v) for k, v in load_file(folder / WEIGHTS).items()}), index)


def padded(vectors: Floats) -> Vectors:
    """Vectors ``(n, any)`` with zeros up to a whole number of `LANES`."""
    lacking = -vectors.shape[1] % LANES
    wider: Vectors = np.pad(vectors, ((0, 0), (0, lacking))).astype(np.float32)
    return wider


def query_of(
    weights: Weights,
    profiles: Profiles,
    brief: BriefProfile,
    objective: Objective,
    product_cost: float | None = None,
) -> Vectors:
    """A brief's vector, ``(width,)``: its product with a creator's foretells the score.

    Args:
        objective: What the score is of.
        product_cost: What a gift costs, where the brief offers one.
    """
    niches = weights.match * brief.mix
    niches[int(np.argmax(brief.mix))] += weights.leading
    spoken = np.zeros(len(profiles.languages))
    if brief.language in profiles.languages:
        spoken[profiles.languages.index(brief.language)] = weights.language
    reach = float(objective != "conversion_rate")
    paid = float(objective == "value")
    money = [paid, paid, 0.0]
    if product_cost is not None:  # those who take gifts cost that much, whatever their price
        money = [paid, 0.0, -paid * float(np.log(max(product_cost, 1.0)))]
    priors = np.array([1.0, reach, *money])
    parts = [weights.subject * brief.subject, niches, spoken, priors]
    query: Vectors = padded(np.concatenate(parts)[np.newaxis])[0]
    return query

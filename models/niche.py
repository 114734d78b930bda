"""What a post is about: vectors to shares of niches, with the owner's labels or with none.

Without labels a post is compared with the taxonomy's descriptions (zero-shot). With enough
labelled creators a logistic regression learns the owner's labels, starting from what the taxonomy
says of their names. Knows nothing of encoders' insides, of time, or of who asks.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.text import Encoder
from models.niche_fit import Examples, Floats, learn, softmax, sum_by
from models.taxonomy import NICHES

# How sharply a cosine becomes a share, zero-shot. Of 5, 8, 12, 16, 20, 25 and 35 the one with the
# lowest log loss on `youtube_us_2017` with the default encoder (0.98; 1.12 at 12, 1.24 at 35).
ZERO_SHOT_SCALE = 20.0
# With fewer labelled creators for each label than this the taxonomy is the better guess. Measured
# on `youtube_us_2017`, trained on some channels and tested on the others (accuracy, macro-F1): 24
# channels for 12 labels 0.69 and 0.46, 48 0.74 and 0.58, 96 0.74 and 0.60; zero-shot 0.73 and 0.60
# (python -m benchmarks.niche --curve).
MIN_CREATORS_PER_LABEL = 4
# A taxonomy name stands for an owner's label if the classifier gives its description this share;
# below it the name is not known. Of a classifier of YouTube's categories with the default encoder,
# 35 answers read by hand: right ones from 0.60 up (anime: Film & Animation), doubtful ones up to
# 0.50 (books: Education). MiniLM has two wrong ones above the line, at 0.58 and 0.59.
ALIAS_SHARE_MIN = 0.55


@dataclass(frozen=True, eq=False)
class NicheModel:
    """A linear model of niches.

    Attributes:
        kind: ``zero-shot`` (labels of the taxonomy) or ``classifier`` (the owner's labels).
        labels: Names of the K niches.
        weights: ``(K, dim)`` float32.
        bias: ``(K,)`` float32.
        prior: ``(K,)`` float32, summing to 1: the answer for a text that says nothing.
        aliases: Other names, as `name_key` writes them, to labels.
        reason: Why it is of this kind, in a sentence.
        measured: What was chosen and measured inside the training part, by name.
    """

    kind: Literal["zero-shot", "classifier"]
    labels: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    prior: NDArray[np.float32]
    aliases: Mapping[str, str]
    reason: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        size = len(self.labels)
        shapes = (self.weights.ndim, len(self.weights), self.bias.shape, self.prior.shape)
        if size == 0 or shapes != (2, size, (size,), (size,)):
            raise ValueError("labels, weights, bias and prior of a niche model do not fit together")

    def predict_proba(self, vectors: NDArray[Any]) -> NDArray[np.float32]:
        """Shares of niches.

        A row depends on its vector alone, bit for bit: sums run over one row at a time.

        Args:
            vectors: ``(n, dim)``.

        Returns:
            ``(n, K)`` float32; rows sum to 1. The prior where a vector is zeros.
        """
        logits = _logits(vectors, self.weights, self.bias)
        shares = softmax(logits).astype(np.float32)
        shares[~(vectors != 0).any(axis=1)] = self.prior
        return shares

    def resolve(self, name: str) -> str | None:
        """This model's label for a name that a person wrote, None if it knows none."""
        return self.aliases.get(name_key(name))

    def to_arrays(self) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
        """Arrays (for safetensors) and the rest (for JSON)."""
        arrays = {"weights": self.weights, "bias": self.bias, "prior": self.prior}
        rest = {
            "kind": self.kind,
            "labels": list(self.labels),
            "aliases": dict(self.aliases),
            "reason": self.reason,
            "measured": dict(self.measured),
        }
        return arrays, rest

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[np.float32]], rest: Mapping[str, Any]
    ) -> NicheModel:
        """What `to_arrays` wrote.

        Raises:
            KeyError, ValueError: Something is missing, or does not fit together.
        """
        return cls(
            kind=rest["kind"],
            labels=tuple(rest["labels"]),
            weights=arrays["weights"],
            bias=arrays["bias"],
            prior=arrays["prior"],
            aliases=dict(rest["aliases"]),
            reason=rest["reason"],
            measured=dict(rest["measured"]),
        )


def name_key(name: str) -> str:
    """A name without regard to case, spacing or the form of its characters."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def creator_mix(proba: NDArray[Any], weights: NDArray[Any]) -> Floats:
    """A creator's shares of niches: the weighted mean of the posts'. Its largest is the niche.

    The order of the posts does not matter, to the last bit (`math.fsum`).

    Args:
        proba: ``(n_posts, K)``.
        weights: ``(n_posts,)``, at least 0.

    Raises:
        ValueError: The weights sum to nothing.
    """
    weight = np.asarray(weights, dtype=np.float64)
    total = math.fsum(weight)
    if not total > 0:
        raise ValueError("a mix needs a post with a weight above 0")
    weighted = np.asarray(proba, dtype=np.float64) * weight[:, np.newaxis]
    return np.array([math.fsum(column) / total for column in weighted.T])


def _logits(vectors: NDArray[Any], weights: NDArray[Any], bias: NDArray[Any]) -> Floats:
    rows = np.ascontiguousarray(vectors, dtype=np.float64)
    # One dot product at a time. A matrix product would round by the number of rows.
    columns = np.ascontiguousarray(weights, dtype=np.float64)
    logits: Floats = np.vecdot(rows[:, np.newaxis], columns) + bias.astype(np.float64)
    return logits


# ---------------------------------------------------------------- without labels


def zero_shot(encode_labels: Encoder, reason: str = "no labels were given") -> NicheModel:
    """A model of the taxonomy's niches that has learned from nothing.

    A niche's vector is the mean of its description's and phrases', less the mean of all niches'.
    On `youtube_us_2017`, niches mapped to YouTube's categories: 0.73 accuracy and 0.61 macro-F1;
    descriptions alone 0.63 and 0.54, label and synonyms 0.68 and 0.58.

    Args:
        encode_labels: The encoder whose vectors the model will be given.
        reason: Why there is no classifier.
    """
    weights = ZERO_SHOT_SCALE * _centred(_niche_vectors(encode_labels))
    labels = tuple(niche.label for niche in NICHES)
    aliases = {
        name_key(name): niche.label for niche in NICHES for name in (niche.label, *niche.synonyms)
    }
    size = len(labels)
    return NicheModel(
        kind="zero-shot",
        labels=labels,
        weights=weights.astype(np.float32),
        bias=np.zeros(size, dtype=np.float32),
        prior=np.full(size, 1 / size, dtype=np.float32),
        aliases=aliases,
        reason=reason,
    )


@lru_cache(maxsize=2)
def _niche_texts(encoder: Encoder) -> tuple[NDArray[np.float32], ...]:
    """Vectors of each niche's description and phrases."""
    return tuple(encoder.encode([niche.description, *niche.phrases]) for niche in NICHES)


def _niche_vectors(encoder: Encoder) -> Floats:
    means: Floats = np.array([rows.mean(axis=0) for rows in _niche_texts(encoder)], dtype=float)
    return means


def _centred(rows: Floats) -> Floats:
    rows = rows - rows.mean(axis=0)
    length = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return rows / np.where(length > 0, length, 1.0)


# ---------------------------------------------------------------- with labels


def fit_niche(
    vectors: NDArray[Any],
    creator_ids: Sequence[Any] | NDArray[Any],
    labels_by_creator: Mapping[Any, str],
    encoder: Encoder,
    seed: int = 0,
) -> NicheModel:
    """Learn the owner's labels from labelled creators' posts.

    Logistic regression on creators' mean vectors, every label weighing the same, with an L2
    penalty on the distance from what the taxonomy says of the labels' names (a Gaussian prior
    that is not centred on 0). How far to trust that, the penalty, and a temperature under which
    creators' mixes mean what they say are chosen by cross-validation over creators.

    Args:
        vectors: ``(n_posts, dim)``, of the same encoder.
        creator_ids: Whose each post is.
        labels_by_creator: Labels as the owner wrote them; creators without one are left out.
        encoder: Encodes the labels' names and the taxonomy.
        seed: Of the folds.

    Returns:
        A classifier, or `zero_shot` with the reason where there are fewer than two labels, or
        fewer than `MIN_CREATORS_PER_LABEL` creators for each label on average.
    """
    labels, examples = _labelled(np.asarray(vectors), creator_ids, labels_by_creator)
    creators = len(examples.label)
    if len(labels) < 2 or creators < MIN_CREATORS_PER_LABEL * len(labels):
        reason = (
            f"{creators} labelled creators with posts for {len(labels)} labels; a classifier needs "
            f"two labels and {MIN_CREATORS_PER_LABEL} creators for each on average"
        )
        model = zero_shot(encoder, reason)
        return _with_owner_names(model, sorted(set(labels_by_creator.values())), encoder)
    learned = learn(examples, _centred(_name_vectors(labels, encoder)), seed)
    frequency = np.bincount(examples.label, minlength=len(labels)) / creators
    model = NicheModel(
        kind="classifier",
        labels=labels,
        weights=learned.weights.astype(np.float32),
        bias=learned.bias.astype(np.float32),
        prior=frequency.astype(np.float32),
        aliases={name_key(label): label for label in labels},
        reason=f"{creators} labelled creators with posts for {len(labels)} labels",
        measured=learned.measured,
    )
    return _with_taxonomy_names(model, encoder)


def _labelled(
    vectors: NDArray[Any], creator_ids: Sequence[Any] | NDArray[Any], given: Mapping[Any, str]
) -> tuple[tuple[str, ...], Examples]:
    """Labels in alphabetical order, and the posts that say something of creators who have one."""
    spellings: dict[str, Counter[str]] = {}
    for label in given.values():
        if name_key(label):
            spellings.setdefault(name_key(label), Counter())[" ".join(label.split())] += 1
    # Labels that differ in case only are one; the most frequent spelling names it.
    name = {
        key: min(found, key=lambda text: (-found[text], text)) for key, found in spellings.items()
    }
    ids = creator_ids.tolist() if isinstance(creator_ids, np.ndarray) else list(creator_ids)
    key_of = {creator: name_key(label) for creator, label in given.items()}
    keys = [key_of.get(creator, "") for creator in ids]
    says = (vectors != 0).any(axis=1)
    rows = [row for row, key in enumerate(keys) if key and says[row]]
    kept = [ids[row] for row in rows]
    label_of = {creator: name[keys[row]] for creator, row in zip(kept, rows, strict=True)}
    creators = sorted(label_of)
    labels = tuple(sorted(set(label_of.values())))
    number = {creator: place for place, creator in enumerate(creators)}
    numbers = np.array([labels.index(label_of[one]) for one in creators], dtype=np.int64)
    owner = np.array([number[one] for one in kept], dtype=np.int64)
    chosen = np.asarray(vectors, dtype=np.float64)[rows]
    means = sum_by(owner, len(creators)) @ chosen
    posts = np.bincount(owner, minlength=len(creators))[:, np.newaxis]
    return labels, Examples(chosen, owner, numbers, means / posts)


def _name_vectors(labels: Sequence[str], encoder: Encoder) -> Floats:
    """What labels' names say: the niches so called, or of that platform category, or the words."""
    words = encoder.encode(labels)
    niche_vectors = _niche_vectors(encoder)
    rows = []
    for place, label in enumerate(labels):
        named = _niches_called(label)
        rows.append(niche_vectors[named].mean(axis=0) if named else words[place])
    return np.array(rows, dtype=np.float64)


def _niches_called(label: str) -> list[int]:
    exact, category = _places_by_name()
    key = name_key(label)
    return exact.get(key) or category.get(key, [])


@lru_cache(maxsize=1)
def _places_by_name() -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Niches by their labels and synonyms, and by platforms' categories, as `name_key` writes."""
    exact: dict[str, list[int]] = {}
    category: dict[str, list[int]] = {}
    for place, niche in enumerate(NICHES):
        for key in sorted({name_key(name) for name in (niche.label, *niche.synonyms)}):
            exact.setdefault(key, []).append(place)
        for key in sorted({name_key(name) for name in niche.platform_categories}):
            category.setdefault(key, []).append(place)
    return exact, category


# ---------------------------------------------------------------- names


def _with_taxonomy_names(model: NicheModel, encoder: Encoder) -> NicheModel:
    """A classifier that also knows the taxonomy's names.

    A niche stands for the owner's label of that name or platform category (the likeliest, where
    several are), else for the label the classifier gives its description, if it is sure enough.
    """
    aliases = dict(model.aliases)
    texts = _niche_texts(encoder)
    for place, niche in enumerate(NICHES):
        mix = _plain_mix(model, texts[place])
        named = [row for row, label in enumerate(model.labels) if place in _niches_called(label)]
        if named:
            label = max(named, key=lambda row: mix[row])
        else:
            label = int(mix.argmax())
            if mix[label] < ALIAS_SHARE_MIN:
                continue
        for name in (niche.label, *niche.synonyms):
            aliases.setdefault(name_key(name), model.labels[label])
    return _renamed(model, aliases)


def _with_owner_names(model: NicheModel, names: Sequence[str], encoder: Encoder) -> NicheModel:
    """A zero-shot model that also knows the owner's names, where it is sure what they mean."""
    aliases = dict(model.aliases)
    for name in names:
        mix = _plain_mix(model, encoder.encode([name]))
        called = _niches_called(name)
        place = max(called, key=lambda row: mix[row]) if called else int(mix.argmax())
        if name_key(name) and (called or mix[place] >= ALIAS_SHARE_MIN):
            aliases.setdefault(name_key(name), model.labels[place])
    return _renamed(model, aliases)


def _plain_mix(model: NicheModel, vectors: NDArray[Any]) -> Floats:
    return creator_mix(model.predict_proba(vectors), np.ones(len(vectors)))


def _renamed(model: NicheModel, aliases: Mapping[str, str]) -> NicheModel:
    arrays, rest = model.to_arrays()
    return NicheModel.from_arrays(arrays, {**rest, "aliases": aliases})

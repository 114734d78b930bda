"""What is said of a creator's brand safety: shares, the posts behind them, warnings in words.

Knows nothing of filters or predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypedDict

import numpy as np

from features.safety import RISK_TOPICS, excerpt, find_risks, matches
from features.schemas import RiskTopic
from features.windows import Ints
from models.answer import Safety, SafetyPost, SafetyRisk, SafetyTerm
from models.index import Index
from models.safety import YEAR_DAYS

EVIDENCE_POSTS = 5  # of each risk, the latest

# From one post in 50 a risk is worth a sentence; smaller shares are listed with their posts all the
# same. Of the flags on held-out examples one in twelve is wrong (`benchmarks.safety`), so a single
# post of a creator who posts daily is no finding.
WARN_SHARE = 0.02

SPOKEN: dict[RiskTopic, str] = {
    "adult": "are about adult content",
    "violence": "speak of violence",
    "hate": "speak with hate, or of it",
    "gambling": "speak of gambling",
    "drugs": "speak of drugs, tobacco or vaping",
    "politics": "speak of politics",
    "profanity": "use profanity",
}
NOTHING_KNOWN = f"Nothing is known of brand safety: no posts with text in the last {YEAR_DAYS} days"


class SafetyFields(TypedDict):
    """The fields that every item and profile has."""

    safety: Safety | None
    warnings: tuple[str, ...]


def safety_of(index: Index, place: int, terms: Sequence[str] = ()) -> SafetyFields:
    """Risks of a creator with their posts, the brand's terms that were found, and warnings.

    `safety` is None where there is no post to read; a warning says so.
    """
    year = index.year
    start, stop = year.of(place)
    posts = stop - start
    if posts == 0:
        return {"safety": None, "warnings": (NOTHING_KNOWN,)}
    risks = []
    flags = year.flags(start, stop)
    for column, topic in enumerate(RISK_TOPICS):
        flagged = start + np.flatnonzero(flags[:, column])
        if len(flagged):
            evidence = tuple(_risky(index, row, topic) for row in _latest(flagged))
            risks.append(SafetyRisk(topic, len(flagged) / posts, len(flagged), evidence))
    found = []
    for term in terms:
        spoken = start + np.flatnonzero(year.speaks_of(term, start, stop))
        if len(spoken):
            evidence = tuple(_speaking(index, row, term) for row in _latest(spoken))
            found.append(SafetyTerm(term, len(spoken) / posts, len(spoken), evidence))
    warnings = [
        _sentence(risk.posts, posts, SPOKEN[risk.topic])
        for risk in risks
        if risk.share >= WARN_SHARE
    ] + [_sentence(term.posts, posts, f"speak of “{term.term}”") for term in found]
    return {
        "safety": Safety(posts, tuple(risks), tuple(found)),
        "warnings": tuple(warnings),
    }


def _sentence(some: int, posts: int, what: str) -> str:
    noun = "post" if posts == 1 else "posts"
    return f"{some} of {posts} {noun} in a year {what}"


def _latest(rows: Ints) -> list[int]:
    return [int(row) for row in rows[::-1][:EVIDENCE_POSTS]]


def _risky(index: Index, row: int, topic: RiskTopic) -> SafetyPost:
    text = str(index.year.table["text"][row])
    risk = next((risk for risk in _risks(text) if risk.topic == topic), None)
    if risk is None:  # the whole text decided, by its vector
        return _post(index, row, excerpt(text, 0, 0), None)
    return _post(index, row, risk.excerpt, risk.words)


# A creator who is shown once is shown again: reading its flagged posts takes 0.2 ms each time.
_risks = lru_cache(maxsize=8_192)(find_risks)


def _speaking(index: Index, row: int, term: str) -> SafetyPost:
    text = str(index.year.table["text"][row])
    found = matches(text, [term])[0]
    return _post(index, row, excerpt(found.shown, found.start, found.end), found.words)


def _post(index: Index, row: int, text: str, words: str | None) -> SafetyPost:
    table = index.year.table
    return SafetyPost(str(table["post_id"][row]), text, table["url"][row].as_py(), words)

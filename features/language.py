"""In which language a text is written: py3langid, whose model ships in its package.

The audience that cannot read a campaign does not buy, and multilingual vectors hide languages on
purpose. Knows nothing of posts or briefs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN = ""

Strings = NDArray[np.object_]


def detect(texts: Sequence[str]) -> Strings:
    """Language of each text as an ISO 639-1 code, `UNKNOWN` where a text has no letters.

    Naive Bayes over byte n-grams (Lui and Baldwin 2012, "langid.py"). Each text is judged alone.

    Returns:
        ``(n,)`` strings.
    """
    out = np.full(len(texts), UNKNOWN, dtype=object)
    for place, text in enumerate(texts):
        if any(character.isalpha() for character in text):
            out[place] = _identifier().classify(text)[0]
    return out


def primary(tag: str) -> str:
    """The language of a BCP 47 tag: ``pt`` of ``pt-BR``."""
    return tag.replace("_", "-").split("-")[0].casefold()


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)

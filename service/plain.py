"""Texts of others as they may be shown: nothing in them steers what stands around them.

Creators write their own names and posts. A terminal obeys control characters, and the characters
that turn the order of writing (Unicode's embeddings, overrides and isolates) reach beyond the text
they stand in: a row of a list would read as something that nobody wrote. They are left out wherever
a text is shown; what is stored and what the API answers stays as it was written. Knows nothing of
what shows it; `web/dom.js` does the same on the page.
"""

from __future__ import annotations

import re

# C0 but for tab, line feed and carriage return; delete and C1; LRE to RLO with PDF; LRI to PDI.
_STEERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """A text without what steers."""
    return _STEERS.sub("", text)

"""Takes passwords out of what is told: URLs of databases and servers may carry one.

Knows nothing of where such a URL is used.
"""

from __future__ import annotations

import re

SHOWN = "***"
# `//user:password@`, up to the last @ of a word, for passwords may hold one; and as a parameter.
# Bounded, so that no text takes longer than its length.
_IN_A_URL = re.compile(r"(//[^\s/@:]{0,200}:)\S{1,200}@")
_AS_A_PARAMETER = re.compile(r"([?&]\w{0,20}password=)[^&\s'\"]{1,200}", re.IGNORECASE)


def hide_passwords(text: str) -> str:
    """A text with `***` in the place of every password in a URL."""
    return _AS_A_PARAMETER.sub(rf"\1{SHOWN}", _IN_A_URL.sub(rf"\1{SHOWN}@", text))

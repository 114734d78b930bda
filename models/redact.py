"""Takes creators who are to be forgotten out of a bundle, in memory or on disk.

What the model learned from them, together with all others, stays in its weights until the next
training. Knows nothing of where bundles are published (`registry`).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from features.forgotten import Forgotten
from features.schemas import BundleError
from models.bundle import Bundle, replace_index
from models.index import only
from models.index_files import CREATORS, INDEX, creator_ids, write_some
from models.probing import ask, load_sound


def without(bundle: Bundle, forgotten: Forgotten) -> Bundle:
    """A bundle that answers as if nobody on the list were in it."""
    if len(forgotten) == 0:
        return bundle
    gone = forgotten.mask(bundle.index.ids)
    if not gone.any():
        return bundle
    return dataclasses.replace(
        bundle, index=only(bundle.index, ~gone), search=bundle.search.only(~gone)
    )


def held(folder: Path, forgotten: Forgotten) -> int:
    """How many creators on the list a bundle's folder holds.

    Raises:
        BundleError: Its creators cannot be read.
    """
    return held_in(folder / INDEX / CREATORS, forgotten)


def held_in(creators: Path, forgotten: Forgotten) -> int:
    """How many creators on the list the file of a bundle's creators holds.

    Raises:
        BundleError: It cannot be read.
    """
    try:
        ids = creator_ids(creators)
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(f"{creators}: cannot be read: {error}") from error
    return int(forgotten.mask(ids).sum())


def redact(folder: Path, forgotten: Forgotten) -> int:
    """Write a bundle anew without the creators on the list; the others' answers stay the same.

    Its stored asks are asked again of what is left, once it has been seen to answer them as it
    did: so nobody on the list is named there, and a wrong bundle is not made a right one.

    Returns:
        How many were taken out.

    Raises:
        BundleError: The bundle cannot be read by this code, is damaged, or answers otherwise than
            when it was saved.
    """
    count = held(folder, forgotten)
    if count:
        bundle = load_sound(folder)
        left = without(bundle, forgotten)
        kept = ~forgotten.mask(bundle.index.ids)
        replace_index(
            folder,
            lambda target: write_some(target, bundle.index, kept),
            lambda _: left.search,
            lambda _: None if bundle.probes is None else ask(left),
        )
    return count

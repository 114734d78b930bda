"""The product's own exceptions stand in the tree that a reader is shown."""

from __future__ import annotations

from features import schemas
from features.schemas import CreatorfitError


def below(kind: type[CreatorfitError], depth: int = 0) -> list[tuple[str, int]]:
    """Names of the exceptions under one, of this module, with how deep each lies."""
    own = [one for one in kind.__subclasses__() if one.__module__ == schemas.__name__]
    return [line for one in own for line in ((one.__name__, depth), *below(one, depth + 1))]


def test_the_tree_names_every_exception_in_its_place():
    lines = [line for line in (schemas.__doc__ or "").splitlines() if "── " in line]
    told = {line.split("── ")[1].split()[0]: line.index("── ") // 4 - 1 for line in lines}
    assert told == dict(below(CreatorfitError))

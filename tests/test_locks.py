"""The image's locks: they agree with the pins and the project, and name hashes alone."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


def locked(name):
    """Version by name, as a lock has them."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    return {
        canonicalize_name(found[1]): found[2]
        for found in re.finditer(r"^([\w.-]+)==(\S+) \\$", text, re.MULTILINE)
    }


def pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {
        canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in lines)
    }


def needed(wanted):
    """All that these requirements draw in on this Python, by what is installed here."""
    found, left = set(), [Requirement(one) for one in wanted]
    seen = set()
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        if (name, *one.extras) in seen:
            continue
        seen.add((name, *one.extras))
        found.add(name)
        for text in requires(name) or ():
            inner = Requirement(text)
            if inner.marker is None or any(
                inner.marker.evaluate({"extra": extra}) for extra in ("", *one.extras)
            ):
                left.append(inner)
    return found


def test_the_runtime_lock_is_all_that_the_service_needs_and_nothing_else():
    """After a change of what it needs: make lock"""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the image has Python 3.11, and so has the lock")
    lock = locked("runtime")
    assert set(lock) == needed(PROJECT["project"]["dependencies"])
    assert lock == {name: pinned()[name] for name in lock}
    assert lock == {name: version(name) for name in lock}


def test_the_build_lock_has_what_builds_the_package():
    lock = locked("build")
    (builder,) = PROJECT["build-system"]["requires"]
    assert lock["hatchling"] == builder.partition("==")[2]
    pins = pinned()
    assert {name: pins[name] for name in lock if name in pins}.items() <= lock.items()


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_locks_name_no_place_and_every_file_by_its_hash(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if line and not line.lstrip().startswith("#")]
    named = [line for line in said if not line.startswith(" ")]
    hashed = [line for line in said if line.startswith(" ")]
    assert all(re.fullmatch(r"[\w.-]+==\S+ \\", line) for line in named)
    assert all(re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashed)
    assert "://" not in path.read_text(encoding="utf-8")


def test_an_audit_that_could_not_look_anything_up_says_so(tmp_path, monkeypatch):
    """pip-audit itself passes what its database does not answer for."""
    import json

    sys.path.insert(0, str(ROOT / ".ci"))
    try:
        import audit
    finally:
        sys.path.pop(0)

    def answers(stdout):
        done = subprocess.CompletedProcess([], 0, stdout, "no route to host")
        monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: done)
        return audit.audited("x.lock")

    sound = {"name": "a", "version": "1", "vulns": []}
    skipped = {"name": "b", "skip_reason": "Dependency not found on PyPI"}
    known = sound | {"vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
    assert answers("") == audit.NOT_AUDITED
    assert answers(json.dumps({"dependencies": [sound, skipped]})) == audit.NOT_AUDITED
    assert answers(json.dumps({"dependencies": [sound]})) == 0
    assert answers(json.dumps({"dependencies": [known, skipped]})) == 1

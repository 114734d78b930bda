"""Asks pip-audit whether what a lock names has known vulnerabilities.

    python .ci/audit.py LOCK…

Exit status 0: all was looked up, and none is known. 1: one is. 3: something could not be looked up,
so nothing is known of it: pip-audit itself takes a package that its database does not answer for as
sound.
"""

from __future__ import annotations

import json
import subprocess
import sys

NOT_AUDITED = 3


def audited(lock: str) -> int:
    """Audit one lock, print what was found, and return the exit status."""
    asked = [sys.executable, "-m", "pip_audit", "--requirement", lock, "--disable-pip"]
    done = subprocess.run(
        [*asked, "--require-hashes", "--format", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"{lock}: NOT AUDITED: the database of vulnerabilities did not answer ({reason})")
        return NOT_AUDITED
    known = [(package, one) for package in packages for one in package.get("vulns", ())]
    skipped = [package for package in packages if "skip_reason" in package]
    for package, one in known:
        mended = ", ".join(one["fix_versions"]) or "no version"
        print(f"{lock}: {package['name']} {package['version']}: {one['id']}, mended in {mended}")
    if skipped:
        print(
            f"{lock}: NOT AUDITED: {len(skipped)} of {len(packages)} packages are not in the "
            f"database that answered ({skipped[0]['skip_reason']})"
        )
    if not known and not skipped:
        print(f"{lock}: no known vulnerability in {len(packages)} packages")
    return 1 if known else NOT_AUDITED if skipped else 0


if __name__ == "__main__":
    found = {audited(lock) for lock in sys.argv[1:]}
    sys.exit(1 if 1 in found else max(found, default=0))

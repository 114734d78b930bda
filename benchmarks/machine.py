"""Which machine and which versions a figure was measured on: printed above every table.

Knows nothing of what is measured.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from features.encoders import cores


@dataclass(frozen=True)
class Machine:
    """The machine and what runs on it.

    Attributes:
        cores: Cores this process may use.
        cpu: What the processor calls itself.
        memory_gb: Memory of the machine, 0 where the system does not say.
        load: Processes that wanted to run in the minute before, beside this one: the rivals.
        python: Version of Python.
        versions: Versions of the packages asked for; "absent" where one is not installed.
    """

    cores: int
    cpu: str
    memory_gb: float
    load: float
    python: str
    versions: dict[str, str]

    def __str__(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.cores} cores of {self.cpu}, {self.memory_gb:.0f} GB, no accelerator, "
            f"load {self.load:.1f} before; python {self.python}" + (packages and f", {packages}")
        )

    def as_json(self) -> dict[str, Any]:
        """The same for a JSON file."""
        return asdict(self)


def machine(*packages: str) -> Machine:
    """Describe this machine, and the installed versions of some packages."""
    return Machine(
        cores=cores(),
        cpu=_cpu(),
        memory_gb=_memory_gb(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
        python=platform.python_version(),
        versions={name: _version(name) for name in packages},
    )


@dataclass(frozen=True)
class Spread:
    """Some measurements of one thing: the middle one, the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Median and range of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int = 2) -> str:
        """``median (low to high)``."""
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def resident_mib(name: str = "VmHWM") -> float:
    """Resident memory of this process as Linux tells it: at the most so far, or now (``VmRSS``).

    Not of `resource.getrusage`, which begins with what the process had that started this one.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, OSError, ValueError):  # a system without these names
        return 0.0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"

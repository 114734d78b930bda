"""What is this machine's alone: addresses, and requests that come from its own programs.

Knows nothing of keys, nor of what is asked.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

# What a proxy says of a request that it passes on.
PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def is_of_this_machine(scope: Scope) -> bool:
    """Whether a request comes from a program of this machine, to loopback, and from nobody else.

    The name it asks for must be loopback's too: a page of another origin whose name was made to
    point here (DNS rebinding) sends its own. A Unix socket has a proxy behind it.
    """
    headers = Headers(scope=scope)
    ends = [scope.get("server"), scope.get("client")]
    return (
        all(end is not None and is_loopback(end[0]) for end in ends)
        and is_loopback(_host_name(headers.get("host", "")))
        and not any(name in headers for name in PASSED_ON)
    )


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's alone."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _host_name(host: str) -> str:
    """The name in a header `Host`, without its port; empty where it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""

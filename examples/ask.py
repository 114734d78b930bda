"""Start the real service, ask it one brief over HTTP, print the answer, stop it.

    python -m examples.ask examples/brief.json

With ``--json`` the answer is printed as it came, with ``--svg FILE`` drawn as a picture too. With
``--no-heavy-imports`` it is also checked that the service's process has imported neither torch nor
sentence-transformers.
"""

from __future__ import annotations

import argparse
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT

from service.settings import ServiceSettings
from service.show import show, wide_console
from service.wire import RecommendationResponse

PATIENCE_SECONDS = 90.0
HEAVY = ("torch", "sentence_transformers", "dask", "training")


def main() -> int:
    """Ask, print, and return an exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("brief", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--no-heavy-imports", action="store_true")
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "service", "serve", "--port", str(port)]
    if options.no_heavy_imports:
        command.insert(1, "-Ximporttime")
    log = ServiceSettings().home / "ask.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors:
        service = subprocess.Popen(command, stdout=errors, stderr=errors)
        try:
            answer = ask(f"http://127.0.0.1:{port}", options.brief, service)
        finally:
            service.terminate()
            service.wait(timeout=30)
    if options.json:
        print(answer.model_dump_json())
    else:
        console = wide_console(record=True)
        show(answer, console)
        if options.svg:
            # A picture fetches nothing: the fonts that Rich would load from elsewhere are left out.
            frame = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
            title = "creatorfit, on simulated data"
            console.save_svg(str(options.svg), title=title, code_format=frame)
    if options.no_heavy_imports:
        imported = {line.split("|")[-1].strip().split(".")[0] for line in log.open()}
        found = [name for name in HEAVY if name in imported]
        if found or "service" not in imported:
            print(f"the service imported {found}", file=sys.stderr)
            return 1
        print("the service imported none of " + ", ".join(HEAVY))
    return 0


def ask(base: str, brief: Path, service: subprocess.Popen[bytes]) -> RecommendationResponse:
    """Wait until the service is ready, and post the brief."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{base}/readyz", timeout=5)
            break
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if service.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(
                    f"the service is not ready: {error}; see ask.log in its home"
                ) from None
            time.sleep(0.2)
    request = urllib.request.Request(
        f"{base}/v1/recommendations",
        data=brief.read_bytes(),
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return RecommendationResponse.model_validate_json(response.read())
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{error.code}: {error.read().decode()}") from None


if __name__ == "__main__":
    raise SystemExit(main())

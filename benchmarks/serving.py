"""The product as others meet it: real processes, killed and started again, and what is beside them.

Knows nothing of what is asked of it.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 120.0


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Any, what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Call a function until it returns something true, which is returned; fail after a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"after {seconds:.0f} s still not so: {what}")


class Process:
    """A service in a process of its own.

    Args:
        folder: For its log.
        settings: What it is told, by the name of the variable without its prefix.

    Attributes:
        url: Where it listens, the same after it was killed and started again.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"service-{self.port}.log"
        self.client = httpx.Client(base_url=self.url, timeout=60)
        told = {f"CREATORFIT_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment = {
            **{name: v for name, v in os.environ.items() if not name.startswith("CREATORFIT_")},
            **told,
            "CREATORFIT_PORT": str(self.port),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "passive",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; `wait` says when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=self._environment,
                start_new_session=True,
            )

    def wait(self, path: str = "/healthz") -> None:
        """Wait until a path answers 200."""

        def answers() -> bool:
            assert self._process is not None
            if self._process.poll() is not None:
                raise AssertionError(f"the service ended: {self.log.read_text()}")
            try:
                return self.client.get(path).status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, f"{self.url}{path} answers")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it and all that it started, at once unless another signal is given."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)
            self._process.wait(timeout=60)

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self.client.close()


class TrackingServer:
    """A real MLflow server on loopback, in processes of its own.

    Args:
        folder: For its store, its artefacts and its log.

    Attributes:
        url: Where it listens, the same after it was stopped and started again.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "mlflow.log"
        self._command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
            *("--artifacts-destination", str(folder / "artifacts")),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `wait` says when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
                start_new_session=True,
            )

    def answers(self) -> bool:
        """Whether it can be asked now."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the tracking server ended: {self.log.read_text()}")
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def wait(self) -> None:
        """Wait until it can be asked."""
        wait_until(self.answers, f"{self.url}/health answers")

    def stop(self) -> None:
        """End it and every worker it started."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=60)


@contextmanager
def round_robin(targets: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """A proxy that asks one target after the other, and the next one where one does not answer.

    Does what `deploy/nginx.conf` does, for tests on machines without nginx.

    Yields:
        Its URL, and which target gave each answer.
    """
    answered: list[str] = []
    turn = 0
    guard = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def pass_on(self) -> None:
            nonlocal turn
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            with guard:
                turn += 1
                order = [targets[(turn + i) % len(targets)] for i in range(len(targets))]
            for target in order:
                connection = http.client.HTTPConnection(target.removeprefix("http://"), timeout=60)
                try:
                    connection.request(self.command, self.path, body, dict(self.headers))
                    response = connection.getresponse()
                    data = response.read()
                except (OSError, http.client.HTTPException):
                    continue
                finally:
                    connection.close()
                with guard:
                    answered.append(target)
                self.send_response(response.status)
                self.send_header("content-type", response.headers["content-type"])
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                return
            self.send_error(502)

        do_GET = do_POST = pass_on  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", answered
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

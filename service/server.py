"""Runs the application with uvicorn: how long it waits for what, and how it ends.

Knows nothing of the application but its name.
"""

from __future__ import annotations

import math
import sys
from contextlib import suppress

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from service.logs import log_config
from service.settings import ServiceSettings

# Longer than proxies keep an idle connection to a service (nginx: 60 s), so that none of them sends
# a request into one that is being closed.
KEEP_ALIVE_SECONDS = 75
# A service that is ended waits for the answer that may take longest, and as long as this after it.
AFTER_THE_LAST_SECONDS = 2
# A worker that says nothing for so long is taken to hang, and replaced. It says nothing while it
# imports, which takes 1.5 s on a free core and took over uvicorn's 5 s beside other work: then none
# ever came up.
WORKER_SECONDS = 60


class Workers(Multiprocess):
    """Uvicorn's supervisor of several processes, which stops listening when it ends them.

    By itself it keeps the socket until the last of them has ended: who connects meanwhile waits for
    an answer that nobody gives.
    """

    def terminate_all(self) -> None:
        """Take no more connections, and let every worker answer what it has."""
        for listening in self.sockets:
            listening.close()
        super().terminate_all()


def serve(settings: ServiceSettings, host: str, port: int) -> None:
    """Serve until the process is told to end, in as many processes as the settings say."""
    config = uvicorn.Config(
        "service.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=settings.workers,
        log_config=log_config(settings.logs),
        access_log=False,  # `observe` tells of each request
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.request_seconds) + AFTER_THE_LAST_SECONDS,
        timeout_worker_healthcheck=WORKER_SECONDS,
    )
    if settings.workers > 1:
        Workers(config, [config.bind_socket()]).run()
        return
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # raised once it has answered what it had
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)

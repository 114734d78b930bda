"""Puts before the application who may come in and what every answer says.

Knows nothing of how a key is checked, nor of what routes answer.
"""

from __future__ import annotations

import logging
import time

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from features.schemas import CreatorfitError, StoreError
from features.store import open_store
from service.access import Access
from service.headers import SafeHeaders
from service.loopback import is_loopback
from service.settings import ServiceSettings

log = logging.getLogger("creatorfit.access")


class AccessError(CreatorfitError):
    """Nobody said who may come in."""


def check_address(settings: ServiceSettings, host: str) -> None:
    """Refuse to listen where others reach it while nobody could come in, or everybody.

    Args:
        settings: Where keys are asked for.
        host: The address to listen on.

    Raises:
        AccessError: Others reach that address, there is no key, and nothing was said about it.
    """
    if is_loopback(host):
        return
    if settings.access == "open":
        log.warning(
            "CREATORFIT_ACCESS=open: whoever reaches %s may ask for everything and send outcomes",
            host or "this machine",
        )
    if settings.access != "auto":
        return
    store = open_store(settings.store_url, settings.database_wait_seconds)
    try:
        now_us = time.time_ns() // 1_000
        there_are = any(key.is_good(now_us) for key in store.access_keys())
    except StoreError as error:
        # Keys are asked for all the same; without the database nobody can show one yet.
        log.warning("whether there is an API key cannot be seen yet: %s", error)
        return
    finally:
        store.close()
    if not there_are:
        raise AccessError(
            f"others can reach {host or 'every address of this machine'}, and there is no API key: "
            "make one with `python -m service keys create NAME --scope recommend`; or set "
            "CREATORFIT_ACCESS=keys to start without, or CREATORFIT_ACCESS=open where something "
            "before it asks who comes; or listen on 127.0.0.1"
        )


def guard(app: FastAPI, settings: ServiceSettings) -> None:
    """Put the middleware of this page before an application."""
    app.add_middleware(Access, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins.split(),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Content-Disposition", "Retry-After"],
        )
    app.add_middleware(SafeHeaders)

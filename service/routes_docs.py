"""The page on which the API may be tried out: Swagger UI, with its files from here.

Where people enter API keys, no other host's script may run; and the page works without a network.
Its files come with the package `fastapi-offline`. Knows nothing of the routes it shows.
"""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

router = APIRouter()

# Addresses are relative, so that a proxy may put a prefix before all of them.
FILES = "docs/files"
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def mount_docs(app: FastAPI) -> None:
    """Serve Swagger UI's own files."""
    app.mount(f"/{FILES}", StaticFiles(packages=[("fastapi_offline", "static")]), name="docs")


@router.get("/docs", include_in_schema=False)
def docs() -> HTMLResponse:
    """Send the page; of scripts in it, its policy allows just the one that FastAPI writes."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="The API of creatorfit",
        swagger_js_url=f"{FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{FILES}/swagger-ui.css",
        swagger_favicon_url="web/icon.svg",
    )
    scripts = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
        for script in _SCRIPT.findall(bytes(page.body))
    )
    page.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return page

"""A server on loopback that speaks the YouTube Data API: pages, ETags, quota, and faults on order.

Its channels, videos and counts are made up.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "a-key-that-is-told-to-nobody"

# What a fault does with a request: answers with a status, a reason and headers, or None to drop it.
Fault = tuple[int, str, dict[str, str]] | None


def channel_id(number: int) -> str:
    return f"UC{number:022d}"


class Platform:
    """A made-up platform: channel n has `videos[n]` videos."""

    def __init__(self, videos: list[int]) -> None:
        self.videos = videos
        self.likes = 10
        self.requests: list[str] = []
        self.conditional = 0
        self.faults: dict[int, Fault] = {}
        self.before: Callable[[int], None] = lambda number: None
        self.url = ""
        self._lock = threading.Lock()

    def channel(self, n: int) -> dict[str, Any]:
        return {
            "kind": "youtube#channel",
            "id": channel_id(n),
            "snippet": {"title": f"Channel {n} &amp; co", "customUrl": f"@channel{n}"},
            "statistics": {"subscriberCount": str(1000 * (n + 1)), "hiddenSubscriberCount": False},
            "contentDetails": {"relatedPlaylists": {"uploads": "UU" + channel_id(n)[2:]}},
        }

    def video(self, name: str) -> dict[str, Any]:
        n, place = int(name[1:4]), int(name[4:])
        return {
            "kind": "youtube#video",
            "id": name,
            "snippet": {
                "publishedAt": f"2026-{place % 9 + 1:02d}-{place % 28 + 1:02d}T12:00:00Z",
                "channelId": channel_id(n),
                "title": f"Video {place} of {n}",
                "description": "made up",
            },
            "statistics": {"viewCount": "100", "likeCount": str(self.likes), "commentCount": "1"},
        }

    def answer(self, method: str, ask: dict[str, str]) -> dict[str, Any] | None:
        if method == "channels":
            if "id" in ask:
                known = {channel_id(n): n for n in range(len(self.videos))}
                numbers = [known[i] for i in ask["id"].split(",") if i in known]
            else:
                wanted = ask["forHandle"].removeprefix("@channel")
                numbers = [int(wanted)] if wanted.isdecimal() else []
            items = [self.channel(n) for n in numbers]
            # As the API does: an empty list is left out.
            return {"kind": "youtube#channelListResponse"} | ({"items": items} if items else {})
        if method == "playlistItems":
            n = int(ask["playlistId"][2:])
            count, size = self.videos[n], int(ask["maxResults"])
            if not count:
                return None
            start = int(ask.get("pageToken", "P0")[1:])
            names = [f"v{n:03d}{place:07d}" for place in range(start, min(count, start + size))]
            page: dict[str, Any] = {
                "kind": "youtube#playlistItemListResponse",
                "items": [{"contentDetails": {"videoId": name}} for name in names],
            }
            return page | ({"nextPageToken": f"P{start + size}"} if start + size < count else {})
        assert method == "videos"
        ids = ask["id"].split(",")
        assert len(ids) <= 50
        return {"kind": "youtube#videoListResponse", "items": [self.video(name) for name in ids]}

    def handle(self, http: BaseHTTPRequestHandler) -> None:
        with self._lock:
            number = len(self.requests)
            self.requests.append(http.path)
        self.before(number)
        if number in self.faults:
            fault = self.faults[number]
            if fault is None:
                http.close_connection = True
                http.connection.close()
                return
            status, reason, headers = fault
            self._send(http, status, _error(status, reason), headers)
            return
        if http.headers.get("X-Goog-Api-Key") != KEY:
            self._send(http, 400, _error(400, "badRequest", "API key not valid."), {})
            return
        parts = urlsplit(http.path)
        value = self.answer(parts.path.rpartition("/")[2], dict(parse_qsl(parts.query)))
        if value is None:
            self._send(http, 404, _error(404, "playlistNotFound"), {})
            return
        etag = hashlib.sha256(json.dumps(value).encode()).hexdigest()[:20]
        if http.headers.get("If-None-Match") == f'"{etag}"':
            self.conditional += 1
            self._send(http, 304, None, {})
            return
        self._send(http, 200, value | {"etag": etag}, {})

    def _send(
        self, http: BaseHTTPRequestHandler, status: int, value: Any, headers: dict[str, str]
    ) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        http.send_response(status)
        for name, text in headers.items():
            http.send_header(name, text)
        http.send_header("Content-Length", str(len(body)))
        http.end_headers()
        http.wfile.write(body)


def _error(status: int, reason: str, message: str = "made up") -> dict[str, Any]:
    errors = [{"message": message, "domain": "youtube", "reason": reason}]
    return {"error": {"code": status, "message": message, "errors": errors}}


@contextmanager
def serving(platform: Platform) -> Iterator[Platform]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            platform.handle(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    platform.url = f"http://127.0.0.1:{server.server_address[1]}/youtube/v3"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

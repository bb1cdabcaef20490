"""What the app's server lets in: known paths, bodies of a bounded length, one photo at a time and few in waiting."""

import json
import os
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response

PATHS = re.compile(
    r"/(config|theme\.css|robots\.txt|favicon\.ico|manifest\.json|(static|assets|svelte)/.+"
    r"|gradio_api/(info|openapi\.json|app_id|startup-events|upload|upload_progress|queue/(join|data)|cancel|reset"
    r"|(call|api|run|heartbeat)/.+))?/?"
)
"""What the server answers to. Gradio has more: it would save sessions, pass on other sites, show statistics."""
HEADERS = {
    # Gradio's pages need the two unsafe ones. What matters is that no other host is asked.
    "content-security-policy": "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
UPLOAD = "/gradio_api/upload"
MOST_PHOTOS = 128
"""Photos that lie on the disk at a time, or are on their way: twice as many as may wait for their turn."""
MOST_BYTES = 1_000_000_000
"""What these may weigh together."""


class Door:
    """ASGI middleware: see the module. ``limit`` is the bytes of the longest request."""

    def __init__(self, app, limit: int):
        self.app, self.limit = app, limit
        self.arriving: list[int] = []  # bytes of each upload that is on its way
        self.lying: dict[str, int] = {}  # bytes of each that has arrived, by its path, until it is looked at or swept

    async def __call__(self, scope, receive, send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"].startswith("/gradio_api/file="):
            # Gradio's page asks for the photo that it has just sent. No file is handed out, not even that one.
            return await Response(status_code=204, headers=HEADERS)(scope, receive, send)
        refused = self._refused(scope)
        if refused:
            return await PlainTextResponse(refused[1], refused[0])(scope, receive, send)

        async def with_headers(message):
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if scope["path"].startswith("/gradio_api/"):
                    headers["cache-control"] = "no-store"
            await send(message)

        if scope["method"] == "POST" and scope["path"].rstrip("/") == UPLOAD:
            return await self._let_in(scope, receive, with_headers)
        return await self.app(scope, receive, with_headers)

    def _refused(self, scope) -> tuple[int, str] | None:
        if not PATHS.fullmatch(scope["path"]):
            return 404, "Not found"
        if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            length = Headers(scope=scope).get("content-length", "")
            if not length.isdecimal():
                return 411, "Say how long the request is"
            if int(length) > self.limit:
                return 413, f"Too large: send one photo of at most {self.limit // 10**6} MB"
        return None

    async def _let_in(self, scope, receive, send) -> None:
        """Hand on an upload if there is room for it, and remember what comes of it."""
        length = int(Headers(scope=scope)["content-length"])
        self.lying = {path: size for path, size in self.lying.items() if os.path.exists(path)}
        sizes = [*self.lying.values(), *self.arriving, length]
        if len(sizes) > MOST_PHOTOS or sum(sizes) > MOST_BYTES:
            full = PlainTextResponse("Too many photos are waiting: try again in three minutes", 503)
            return await full(scope, receive, send)
        start, body = {}, b""

        async def whole(message):
            # The answer is a list of paths, and is held back until it is whole.
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            paths = json.loads(body) if start["status"] == 200 else []
            if len(paths) > 1:  # thousands of small files would be one request
                for path in paths:
                    forget(path)
                return await PlainTextResponse("Send one photo at a time", 413)(scope, receive, send)
            self.lying |= {path: length for path in paths}
            await send(start)
            await send({"type": "http.response.body", "body": body})

        self.arriving.append(length)
        try:
            await self.app(scope, receive, whole)
        finally:
            self.arriving.remove(length)


def forget(path: str | os.PathLike) -> None:
    """Remove an uploaded file and the folder that it had to itself. It may have gone already."""
    try:
        os.unlink(path)
        os.rmdir(os.path.dirname(path))
    except OSError:
        pass

"""Headers by which every answer tells the browser what a page of this app may do, and who may show it in a frame.

A page that was tricked into running a stranger's script could still send nothing away and load nothing from elsewhere.
Knows no route.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.datastructures import MutableHeaders

# Gradio's page has scripts and styles of its own in its HTML, and makes functions of templates' texts.
PAGE = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
SPACE_FRAMES = ("https://huggingface.co", "https://*.huggingface.co", "https://*.hf.space")
# A notebook on this machine shows the page in one of its cells
NOTEBOOK_FRAMES = ("http://localhost:*", "http://127.0.0.1:*", "https://localhost:*", "vscode-webview:")


def frames(is_hosted: bool, allowed_hosts: Iterable[str] = ()) -> tuple[str, ...]:
    """Origins whose pages may show this one in a frame, as a content security policy names them."""
    if is_hosted:
        return SPACE_FRAMES
    return (*NOTEBOOK_FRAMES, *(f"{scheme}://{name}:*" for name in allowed_hosts for scheme in ("http", "https")))


class Policy:
    """The app behind its headers, as ASGI middleware. What an answer says itself stays."""

    def __init__(self, app: Any, frames: Iterable[str]):
        self.app = app
        rules = {**PAGE, "frame-ancestors": " ".join(["'self'", *frames])}
        self._headers = {
            "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in rules.items()),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)

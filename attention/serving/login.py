"""Login for everything that an app answers, where its person asks for one: Gradio's own, and the same for our routes.

Gradio checks whoever is not logged in at its own routes alone, and not at all of them. Here everything below its prefix
is closed, but for what its page of the login needs. Knows no run and no page.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from starlette.requests import HTTPConnection

from attention.errors import InvalidRequest, shown_path

from .responses import as_json

CLOSED = "/gradio_api/"
OPEN = ("login_check", "user", "token", "app_id", "startup-events")  # what is told there is no secret
COOKIES = ("access-token-", "access-token-unsecure-")  # as Gradio calls them, over TLS and without


def read_accounts(path: Path) -> list[tuple[str, str]]:
    """Names and passwords of a file with a line `name:password` for each; empty lines and those with # are none.

    Raises InvalidRequest for a file that cannot be read, that others may read, or that has another line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The passwords in {shown_path(path)} cannot be read: {error}.") from None
    if os.name == "posix" and mode & 0o077:
        raise InvalidRequest(f"Others may read the passwords in {shown_path(path)}. Do: chmod 600 {shown_path(path)}")
    accounts: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        name, _, password = line.partition(":")
        if not name.strip() or not password or name.strip() in accounts:
            raise InvalidRequest(
                f"Line {number} of {shown_path(path)} is no account: it must be name:password, each name once."
            )
        accounts[name.strip()] = password
    if not accounts:
        raise InvalidRequest(f"There is no account in {shown_path(path)}: it has a line name:password for each.")
    return list(accounts.items())


class Login:
    """The app behind its login, as ASGI middleware; without accounts everybody passes."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and self._is_closed(scope):
            said = {"error": "You are not logged in here. Open the page and log in.", "locked": True}
            await as_json(said, 401)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    @staticmethod
    def _is_closed(scope: Any) -> bool:
        gradio = scope["app"]
        _, prefix, rest = scope["path"].partition(CLOSED)
        if gradio.auth is None or not prefix or rest.rstrip("/") in OPEN:
            return False
        cookies = HTTPConnection(scope).cookies
        return not any(cookies.get(f"{name}{gradio.cookie_id}") in gradio.tokens for name in COOKIES)

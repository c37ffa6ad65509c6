"""Access to a person's own app: under which names it answers, to pages of whose origin, and the key in an address.

A page of somebody else that a person looks at cannot reach the app through their browser: neither by a name of its own
that leads here (DNS rebinding), nor from its own origin. Knows no run, and of the key what it is told.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from attention.errors import InvalidRequest, quoted

from .responses import FRESH, as_json

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - what somebody may have asked for
KEY = "key"  # in the page's address
YEAR_S = 365 * 24 * 3600

log = logging.getLogger(__name__)


class Hosts:
    """Names under which the app answers: where it listens, this machine's own, and what a person allows."""

    def __init__(self, listening: str | None = None, allowed: Iterable[str] = ()):
        self._names = {*LOCAL_NAMES, *(name.lower() for name in (listening or "", *allowed) if name)}
        self._explicit = {name.lower() for name in allowed}
        self._is_everywhere = listening in EVERYWHERE
        if self._is_everywhere:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def allow(self, name: str) -> None:
        """Answer under this name too, and to its pages."""
        self._names.add(name.lower())
        self._explicit.add(name.lower())

    def has(self, host: str) -> bool:
        """True if the app answers under what a request names, with or without a port.

        A number leads nowhere else, whoever asks: where the app listens everywhere it answers under every one.
        """
        name = _name(host)
        if name in self._names:
            return True
        try:
            return self._is_everywhere and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def refusal(self, headers: Headers) -> str | None:
        """A reason for which a request is refused; None for one that is answered."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self.has(host):
            return (
                f"This app does not answer under the name {quoted(_name(host))}. If that name is yours, start the app "
                f"with --allow-host {_name(host) if _name(host).isprintable() else 'NAME'}."
            )
        if origin is None or self._is_same(origin, host):
            return None
        return (
            f"This app does not answer to pages of {quoted(origin)}. If that is how you reach it, start it with "
            "--allow-host and the name in that address."
        )

    def _is_same(self, origin: str, host: str) -> bool:
        try:
            netloc = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return bool(netloc) and (netloc == host.lower() or _name(netloc) in self._explicit)


def checked_root_path(said: str) -> tuple[str, list[str]]:
    """A path, or a whole address, under which a proxy has the app, without its last slash; and the name in it, if any.

    The empty path is the top. Raises InvalidRequest for anything else.
    """
    root = said.rstrip("/")
    if not root:
        return "", []
    try:
        parts = urlsplit(root)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address, parts = False, urlsplit("")
    is_path = root.startswith("/") and not root.startswith("//")
    if not (is_address or is_path) or parts.query or parts.fragment or not root.isprintable() or " " in root:
        raise InvalidRequest(
            f"The root path is {quoted(said)}; it must be a path such as /lens, or an address such as "
            "https://lab.example/lens."
        )
    return root, [parts.hostname] if is_address and parts.hostname else []


def _name(host: str) -> str:
    """The name in `name:port`, of an address of IPv6 without its brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


class Access:
    """The app behind its checks, as ASGI middleware.

    The page's address with the key in it becomes one without, and a cookie that no script of a page can read.
    """

    def __init__(self, app: Any, hosts: Hosts, key: Any):
        self.app, self.hosts, self.key = app, hosts, key
        self._told: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer = self._answer(scope) if scope["type"] == "http" else None
        await (answer or self.app)(scope, receive, send)

    def _answer(self, scope: Any) -> Response | None:
        refusal = self.hosts.refusal(Headers(scope=scope))
        if refusal is not None:
            if len(self._told) < 20 and refusal not in self._told:  # a page says little of what it is refused
                self._told.add(refusal)
                log.warning("Refused: %s", refusal)
            return as_json({"error": refusal}, 403)
        path = scope["path"].removeprefix(scope.get("root_path", ""))  # a proxy may leave its prefix there
        if scope["method"] != "GET" or path not in ("", "/"):
            return None
        fields = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in fields if name == KEY]
        if not given:
            return None
        if not self.key.fits(given[-1]):
            words = "This is not the key of this app. Open the link that it printed when it was started.\n"
            return PlainTextResponse(words, 403, FRESH)
        left = urlencode([(name, value) for name, value in fields if name != KEY])
        page = RedirectResponse(f"./?{left}" if left else "./", 303, FRESH)
        if self.key.value is not None:
            page.set_cookie(self.key.cookie, self.key.value, YEAR_S, httponly=True, samesite="strict")
        return page

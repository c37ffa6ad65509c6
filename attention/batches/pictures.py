"""A picture of a set, which several questions may share: its content's digest and its size, each found once.

Owns what is fetched from the network, where that was allowed.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from typing import Any

from attention.capture.images import open_image
from attention.errors import InvalidRequest, LimitExceeded, shortened
from attention.limits import Limits
from attention.scoring.checked import digest_of
from attention.sets.record import data_url

from .questions import is_address

PATIENCE_S = 60  # that a server may take to begin, and between two parts
MAX_FETCHED_BYTES = 64 << 20


class Picture:
    """A picture as it is named. Every method may be called from any thread, and raises InvalidRequest."""

    def __init__(self, named: Any, limits: Limits):
        self._named, self._limits = named, limits
        self._fetched: str | None = None
        self._digest: str | None = None
        self._size: tuple[int, int] | None = None
        self._mutex = threading.Lock()

    def source(self) -> Any:
        """The picture as a request takes it: one behind an address is fetched, once."""
        if not is_address(self._named):
            return self._named
        with self._mutex:
            if self._fetched is None:
                self._fetched = fetched(self._named)
            return self._fetched

    def digest(self) -> str:
        """SHA-256 of its content."""
        source = self.source()
        with self._mutex:
            if self._digest is None:
                self._digest = digest_of(source, self._limits)
            return self._digest

    def size(self) -> tuple[int, int]:
        """Its width and height, upright."""
        source = self.source()
        with self._mutex:
            if self._size is None:
                self._size = open_image(source, self._limits.image_pixels)[0].size
            return self._size


def fetched(address: str) -> str:
    """The picture behind an address, as a data: URL. Raises InvalidRequest with the server's reason."""
    where = shortened(address)
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler, urllib.request.HTTPSHandler, urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor, urllib.request.ProxyHandler,
    ):  # fmt: skip
        opener.add_handler(handler())  # no files, no FTP: also where a server sends on to one
    try:
        with opener.open(address, timeout=PATIENCE_S) as answer:
            content = answer.read(MAX_FETCHED_BYTES + 1)
    except (OSError, ValueError) as error:  # URLError is one
        reason = getattr(error, "reason", None) or error
        raise InvalidRequest(f"{where} cannot be fetched: {shortened(str(reason), 200)}.") from None
    if len(content) > MAX_FETCHED_BYTES:
        raise LimitExceeded(f"{where} has more than {MAX_FETCHED_BYTES >> 20} MB, the limit of what is fetched.")
    return data_url(content)

"""Key of the link with which a browser is let into a person's library, as Jupyter's token.

Owns where the key is kept and how a request shows that it has it: by a cookie, which the page sets once its address had
the key, or by a header, for scripts. Knows no route and no page.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
from pathlib import Path
from typing import Any

from attention.errors import InvalidRequest
from attention.words import NEEDS_KEY

HEADER = "X-Attention-Key"
FORM = re.compile(r"[A-Za-z0-9_-]{32}")

log = logging.getLogger(__name__)


class Key:
    """A key, or none: then everybody who reaches the app may see its library."""

    def __init__(self, value: str | None = None):
        self.value = value
        # of the key: the apps of two people that are reached by one name do not take away each other's cookies
        self.cookie = f"attention-{hashlib.sha256((value or '').encode()).hexdigest()[:8]}"

    def fits(self, value: str | None) -> bool:
        """True for this key, and for anything where there is none."""
        return self.value is None or secrets.compare_digest((value or "").encode(), self.value.encode())

    def is_in(self, request: Any) -> bool:
        """True if a request has the key, in its cookie or its header."""
        if self.value is None:
            return True
        return self.fits(request.cookies.get(self.cookie)) or self.fits(request.headers.get(HEADER.lower()))

    def check(self, request: Any) -> None:
        """Refuse a request without the key. Raises InvalidRequest."""
        if not self.is_in(request):
            raise InvalidRequest(
                f"This needs the key of the library. {NEEDS_KEY} A script sends it as the header {HEADER}."
            )


def kept_key(folder: Path) -> Key:
    """The key that is kept in a person's own folder, readable by nobody else; a new one where there is none.

    Where none can be kept it is as good until the app ends.
    """
    path = folder / "key"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = _read(path)
        if found is not None:
            return Key(found)
        new = folder / f".key-{secrets.token_hex(4)}"
        value = secrets.token_urlsafe(24)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(value)
        path.unlink(missing_ok=True)
        try:
            os.link(new, path)  # of two apps that start at once the first one's, for both
        except FileExistsError:
            pass
        except OSError:
            new.replace(path)  # a disk without links
        new.unlink(missing_ok=True)
        return Key(_read(path) or value)
    except OSError as error:
        log.warning("The key cannot be kept in %s (%s): links end with this app.", path, error.strerror)
        return Key(secrets.token_urlsafe(24))


def _read(path: Path) -> str | None:
    """The key in a file of ours alone; None for no file, for another's, and for what is no key."""
    try:
        with path.open(encoding="ascii") as file:
            status = os.fstat(file.fileno())
            value = file.read(100).strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o077):
        return None  # others could have read it, or written it
    return value if FORM.fullmatch(value) else None

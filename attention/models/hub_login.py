"""A visitor's own login to the Hub, as those who read the Hub for them are given it: for one call, and never kept.

Nothing shows the token: not a message, not a log, not a representation. Knows no request to the Hub.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from attention.errors import InvalidRequest

TOKEN = re.compile(r"[!-~]{1,4096}")  # what a header can have; of another its library would show all in an error
WAYS = (
    "by the button at the foot of the page (log out first where it says so), or in a script with "
    "Client(..., oauth_token=...)"
)


@dataclass(frozen=True)
class HubLogin:
    """A login, where one is offered; `token` is None while nobody has logged in.

    `folder(repository, commit, n_bytes)` is the visitor's own place for files of a repository at a commit, with what is
    there already, and with room for so many bytes; None where nothing may be fetched. Raises InvalidRequest for a token
    that is none.
    """

    token: str | None = field(default=None, repr=False)
    folder: Callable[[str, str, int], AbstractContextManager[Path]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.token is not None and not TOKEN.fullmatch(self.token):
            raise InvalidRequest(f"The login is no token of the Hub. Log in again, {WAYS}.")

"""Runs behind the tickets of a test's page."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path


class Tickets(dict):
    """Runs behind tickets, made when they are first asked for: `make[ticket](folder)` writes it, `read` opens it."""

    def __init__(self, root: Path, make: dict[str, Callable[[Path], Path]], read: Callable[[Path], object]):
        super().__init__()
        self.root, self.make, self.read = root, dict(make), read
        self.making = threading.Lock()

    def __missing__(self, ticket: str):
        with self.making:
            if ticket not in self:
                self[ticket] = self.read(self.make[ticket](self.root / ticket))
        return self[ticket]

    def pop(self, ticket: str):
        """Take what is behind a ticket: from now on there is nothing behind it."""
        self.make.pop(ticket, None)
        return super().pop(ticket)

    def close(self) -> None:
        for opened in self.values():
            opened.close()

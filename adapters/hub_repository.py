"""A repository of the Hub, read by one login: its commit and its files, the beginning of one, and one as a whole.

Owns how the Hub is asked, and that a login goes to the Hub alone. Keeps nothing; fails with the errors of its library.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

from attention.errors import AdapterUnavailable
from attention.models.download import CHUNK_BYTES, Watch

from .no_adapter import CONFIG

TIMEOUT_S = 10  # to connect, and between two pieces of an answer
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Repository:
    """Access to a repository: by whose login (None: this machine's, False: nobody's), and who may stop it."""

    name: str
    token: str | bool | None = field(repr=False)
    watch: Watch

    def readable(self, revision: str | None) -> tuple[str, dict[str, int]]:
        """The commit of a revision and its files, which this login may read, and not only see that they are there."""
        commit, sizes = self.commit_and_files(revision)
        if self.token is not None and CONFIG in sizes:  # of a gated repository everybody may see which files it has
            self.first_bytes(CONFIG, commit, 1)
        return commit, sizes

    def commit_and_files(self, revision: str | None) -> tuple[str, dict[str, int]]:
        """The commit that a revision stands for now, and its files: {name: bytes}."""
        from huggingface_hub import HfApi

        self.watch(0, 0)
        _session()  # which it uses
        info = HfApi(token=self.token).model_info(self.name, revision=revision, timeout=TIMEOUT_S, files_metadata=True)
        if not COMMIT.fullmatch(info.sha or ""):
            raise AdapterUnavailable(f"The Hub does not say which commit of {self.name} it has. Try again later.")
        return info.sha, {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}

    def first_bytes(self, file: str, commit: str, count: int) -> tuple[bytes, int]:
        """The first `count` bytes of a file, and its size. A server that sends more is not listened to any longer."""
        content = bytearray()
        with self._answer(file, commit, {"Range": f"bytes=0-{count - 1}"}) as response:
            part_of = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
            size = int(part_of[1] if part_of else response.headers.get("Content-Length", 0))
            for chunk in response.iter_bytes():
                self.watch(0, 0)
                content += chunk
                if len(content) >= count:
                    break
        return bytes(content[:count]), size

    def save(self, file: str, commit: str, place: Path, most: int, done_of: tuple[int, int]) -> None:
        """Write a file of at most so many bytes, whole or not at all. `done_of` are the bytes before it, and of all."""
        written = place.with_name(f"{place.name}.{threading.get_ident()}.tmp")
        done, total = done_of
        try:
            with self._answer(file, commit, {}) as response, written.open("wb") as to:
                for chunk in response.iter_bytes(CHUNK_BYTES):
                    self.watch(done + to.tell(), total)
                    to.write(chunk)
                    if to.tell() > most:
                        raise OSError(f"{file} is longer than it was said to be")
            written.replace(place)
        finally:
            written.unlink(missing_ok=True)

    @contextmanager
    def _answer(self, file: str, commit: str, headers: dict[str, str]) -> Iterator[Any]:
        """The answer in which a file comes. Where it leads elsewhere, to a storage, the login is not sent along."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

        self.watch(0, 0)
        with _session().stream(
            "GET",
            hf_hub_url(self.name, file, revision=commit),
            headers=build_hf_headers(token=self.token) | headers | {"Accept-Encoding": "identity"},
            timeout=TIMEOUT_S,
        ) as response:
            hf_raise_for_status(response)
            yield response


def _session() -> Any:
    """The Hub's library's one client for all requests, in which no answer leaves a cookie: the next is another's."""
    from huggingface_hub.utils import get_session

    session = get_session()
    session.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session

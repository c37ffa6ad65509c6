"""A small Hub on this machine: folders as repositories, in the requests and headers that huggingface_hub really uses.

A repository can be gated, private or disabled and have further revisions, a file can be held or cut in the middle of
its way, and the whole Hub can fail. What was asked for is in `requests`, what was sent of each file in `sent`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hold:
    """A file that stops in the middle: `reached` once half of it was sent, the rest after `release`."""

    def __init__(self):
        self.reached, self.release = threading.Event(), threading.Event()


class FakeHub(ThreadingHTTPServer):
    """`repositories` {id: folder}, all at one COMMIT, and what is `listed`; other attributes say what goes wrong."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, repositories: dict[str, Path]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.revisions: dict[str, dict[str, tuple[str, Path]]] = {}  # id: {revision, "main" too: (commit, folder)}
        self.listed: list[dict] = []  # models as the API lists them: id, downloads, tags, siblings, ...
        self.gated: set[str] = set()
        self.private: set[str] = set()
        self.readers: dict[str, set[str]] = {}  # by token: what it may read of these; others are not taken then
        self.elsewhere: dict[str, str] = {}  # file: the address of the storage to which its requests are sent
        self.disabled: set[str] = set()
        self.failing: int | None = None  # the status that every request is answered with
        self.ignores_ranges = False
        self.held: dict[str, Hold] = {}
        self.cut: dict[str, int] = {}  # file: how many more times the connection breaks in its middle
        self.xet: dict[str, tuple[str, str]] = {}  # file: its hash, and the address of the storage that has it
        self.requests: list[tuple[str, str]] = []
        self.queries: list[dict[str, list[str]]] = []  # of the list of models
        self.logins: list[str | None] = []  # of each request
        self.cookies: list[str] = []  # that came back of those with which whoever logs in is answered
        self.sent: dict[str, int] = {}  # file: its bytes that were sent
        self.ranges: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def downloaded(self) -> list[str]:
        """The files of whose content something was sent, in order."""
        return [
            path.split("/resolve/")[1].split("/", 1)[1]
            for method, path in self.requests
            if method == "GET" and "/resolve/" in path
        ]

    def at(self, model_id: str, revision: str) -> tuple[str, Path] | None:
        """The commit and the folder that a branch, a tag or a commit of a repository stands for."""
        named = {"main": (COMMIT, self.repositories[model_id]), **self.revisions.get(model_id, {})}
        commits = {commit: (commit, folder) for commit, folder in named.values()}
        return {COMMIT: (COMMIT, self.repositories[model_id]), **commits, **named}.get(revision)

    def handle_error(self, request, client_address) -> None:
        """A client that went away is no error."""

    def go_away(self) -> None:
        """Answer nobody any more, on no connection."""
        from huggingface_hub import close_session

        for hold in self.held.values():
            hold.release.set()
        self.shutdown()
        self.server_close()
        close_session()


@contextmanager
def fake_hub(repositories: dict[str, Path], cache: Path, monkeypatch) -> Iterator[FakeHub]:
    """Serve, with huggingface_hub in this process turned to it, online, and with an empty cache of its own."""
    from huggingface_hub import constants

    hub = FakeHub(repositories)
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    try:
        yield hub
    finally:
        hub.go_away()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeHub

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_) -> None:
        pass

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append((self.command, path))
        self.server.logins.append(self.headers.get("Authorization"))
        self.server.cookies += self.headers.get_all("Cookie", [])
        parts = path.strip("/").split("/")
        is_api = parts[:1] == ["api"] and parts[1:2] in (["models"], ["datasets"])
        parts = parts[2:] if is_api else parts[1:] if parts[0] == "datasets" else parts
        model_id, what = "/".join(parts[:2]), parts[2:]
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        is_reader = model_id in self.server.readers.get(token, ())
        if self.server.failing:
            self._send(self.server.failing, b"", {"ratelimit": '"api";r=0;t=300'})
        elif token and self.server.readers and token not in self.server.readers:
            self._refuse(401, "", "Invalid credentials in Authorization header")
        elif is_api and not parts:
            self._send_list(parse_qs(urlsplit(self.path).query))
        elif model_id not in self.server.repositories:
            # so the Hub answers whoever is not logged in: it does not tell what exists
            self._refuse(401, "RepoNotFound", "Repository not found")
        elif model_id in self.server.private and not is_reader:
            self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        elif model_id in self.server.disabled:
            self._refuse(403, "", "Access to this resource is disabled.")
        elif is_api and what[:1] == ["xet-read-token"]:
            address = next(iter(self.server.xet.values()))[1]
            self._send(
                200, b"", {"X-Xet-Cas-Url": address, "X-Xet-Access-Token": "-", "X-Xet-Token-Expiration": str(2**40)}
            )
        else:
            self._answer_at(model_id, is_api, what, is_reader)

    def _answer_at(self, model_id: str, is_api: bool, what: list[str], is_reader: bool) -> None:
        """Answer about a repository at a revision; at its default branch where none is named."""
        kind, revision = what[0] if what else "revision", what[1] if what[1:] else "main"
        if is_api and kind == "revision":
            revision = "/".join(what[1:]) or "main"
        at = self.server.at(model_id, revision)
        if at is None:
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
            return
        commit, folder = at
        if is_api and kind == "revision":
            siblings = [{"rfilename": name, "size": (folder / name).stat().st_size} for name in _files(folder)]
            self._send_json({"id": model_id, "sha": commit, "siblings": siblings})
        elif is_api and kind == "tree":
            self._send_json([self._entry(folder, name) for name in _files(folder)])
        elif model_id in self.server.gated and not is_reader:  # what it has is public, its files are not
            self._refuse(
                403 if self.headers.get("Authorization") else 401,
                "GatedRepo",
                f"Access to model {model_id} is restricted.",
            )
        elif kind == "resolve" and what[2:] and what[-1] in self.server.elsewhere:
            self._send(302, b"", {"Location": self.server.elsewhere[what[-1]] + self.path})
        elif kind == "resolve" and (folder / "/".join(what[2:])).is_file():
            self._send_file(folder / "/".join(what[2:]), commit)
        else:
            self._refuse(404, "EntryNotFound", "Entry not found")

    def _send_list(self, query: dict[str, list[str]]) -> None:
        """The models that have every tag of `filter`, most downloaded first."""
        self.server.queries.append(query)
        if "list" in self.server.held:
            hold = self.server.held["list"]
            hold.reached.set()
            hold.release.wait()
        wanted = set(query.get("filter", []))
        found = [model for model in self.server.listed if wanted <= set(model["tags"])]
        found.sort(key=lambda model: -model["downloads"])
        self._send_json(found[: int(query["limit"][0])])

    def _entry(self, folder: Path, name: str) -> dict:
        file = folder / name
        entry = {"type": "file", "path": name, "size": file.stat().st_size, "oid": _hash(file, "sha1")}
        if file.suffix in (".safetensors", ".bin"):
            entry["lfs"] = {"oid": _hash(file, "sha256"), "size": entry["size"], "pointerSize": 134}
        if name in self.server.xet:
            entry["xetHash"] = self.server.xet[name][0]
        return entry

    def _send_file(self, file: Path, commit: str) -> None:
        content = file.read_bytes()
        headers = {"ETag": f'"{_hash(file, "sha1")}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        start, end, status = 0, len(content), 200
        if self.command == "GET" and "Range" in self.headers and not self.server.ignores_ranges:
            self.server.ranges.append(self.headers["Range"])
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            start, end, status = int(first), min(end, int(last) + 1 if last else end), 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        half = start + (end - start) // 2
        self._send_head(status, end - start, headers)
        if self.command == "HEAD":
            return
        self._send_part(file, content[start:half])
        self.wfile.flush()
        if self.server.cut.get(file.name):
            self.server.cut[file.name] -= 1
            self.close_connection = True
            return
        if file.name in self.server.held:
            hold = self.server.held[file.name]
            hold.reached.set()
            hold.release.wait()
        self._send_part(file, content[half:end])

    def _send_part(self, file: Path, part: bytes) -> None:
        self.server.sent[file.name] = self.server.sent.get(file.name, 0) + len(part)
        self.wfile.write(part)

    def _send_json(self, content) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": message})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self._send_head(status, len(content), headers)
        if self.command == "GET":
            self.wfile.write(content)

    def _send_head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        if login := self.headers.get("Authorization"):
            self.send_header("Set-Cookie", f"login={login.split()[-1]}; Path=/")
        self.end_headers()


def _files(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def _hash(file: Path, name: str) -> str:
    return hashlib.new(name, file.read_bytes()).hexdigest()

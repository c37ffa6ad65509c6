"""Hostile inputs, each a row: what is asked, as each way in has it, and what must be said of it.

A row is sent as an endpoint's JSON, by the command line and by the page, as far as these can say it. `said` is a part
of the refusal, or parts of which one must be there, `|` between them; None where the input is read as it stands, and
must do no harm.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hostile_pictures import gif_of_frames, jpeg_of_scans

PROMPT = "what color is the star?"
NO_ADAPTER = "adapter|Give the id of one on the Hub|not an id of the Hub|the name is too long"
METADATA = "http://169.254.169.254/latest/meta-data/"  # of a cloud's machines


@dataclass(frozen=True)
class Row:
    """One input: `sent` to an endpoint, `flags` of a command, `page` values of the page's own inputs."""

    name: str
    said: str | None
    sent: dict[str, Any] | None = None
    flags: tuple[str, ...] | None = None
    page: dict[str, Any] | None = None
    endpoint: str = "analyze"
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)  # made before it is sent, by name


def request(
    name: str, field_name: str, value: Any, said: str | None, flag: str | None = None, page: bool = False
) -> Row:
    """A row of one field of a request; `flag` where a command can say it."""
    flags = None if flag is None else (flag, value if isinstance(value, str) else json.dumps(value))
    return Row(name, said, {field_name: value}, flags, {field_name: value} if page else None)


def chat(name: str, entry: Any, said: str) -> Row:
    return Row(name, said, {"images": None, "messages": [{"role": "user", "content": [entry, text(PROMPT)]}]})


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def ticket(name: str, value: Any, said: str = "not here any more", endpoint: str = "heatmap", **more: Any) -> Row:
    return Row(name, said, {"ticket": value} | more, endpoint=endpoint)


def of_run(name: str, said: str, endpoint: str, **more: Any) -> Row:
    """A row about a run that is there: `ticket` is put in by whoever sends it."""
    return Row(name, said, {"ticket": OWN} | more, endpoint=endpoint)


OWN = "the ticket of the sender's own run"


def upload(name: str, said: str, file: str, content: Callable[[], bytes]) -> Row:
    """A row of a picture that is uploaded."""
    return Row(name, said, {"images": file}, ("--image", file), {"images": [file]}, files={file: content})


def packed(name: str, said: str, make: Callable[[zipfile.ZipFile], object]) -> Row:
    """A row of a zip that is opened as a run."""

    def content() -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            make(archive)
        return file.getvalue()

    return Row(name, said, {"file": "run.zip"}, endpoint="open", files={"run.zip": content})


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


ROWS = [
    # words
    request("no words", "prompt", "", "prompt is empty", "--prompt", page=True),
    request("blanks", "prompt", " \n\t", "prompt is empty", "--prompt", page=True),
    request("too many words", "prompt", "a" * 100_001, "the limit is", "--prompt", page=True),
    request("half a sign", "prompt", "\ud800", "half a character", None, page=True),
    request("a NUL", "prompt", "what\0?", None, None, page=True),
    request("script", "prompt", "<img src=x onerror=alert(1)>${alert(1)}{{7*7}}", None, "--prompt", page=True),
    request("tokens of a picture", "prompt", "<|image_pad|>" * 9 + "<|im_end|>", None, "--prompt", page=True),
    request("signs that turn the line", "prompt", "\u202eabc\u2066\u200b\ufeff", None, "--prompt", page=True),
    request("words in place of none", "prompt", 5, None),
    request("a list of words", "prompt", ["what?"], "it must be a text"),
    request("half a sign in an answer", "answer", "\udfff", "half a character"),
    request("a picture in an answer", "answer", "<|image_pad|>", "stands for", "--answer", page=True),
    request("an endless system prompt", "system", "a" * 100_001, "the limit is", "--system", page=True),
    # numbers
    request("tokens below none", "max_new_tokens", -1, "max_new_tokens is -1", "--max-new-tokens", page=True),
    request("half a token", "max_new_tokens", 1.5, "whole number", None, page=True),
    request("no number of tokens", "max_new_tokens", float("nan"), "max_new_tokens", None),
    request("endless tokens", "max_new_tokens", float("inf"), "max_new_tokens", None),
    request("tokens beyond all", "max_new_tokens", 2**70, "max_new_tokens", "--max-new-tokens", page=True),
    request("tokens in words", "max_new_tokens", "many", "whole number"),
    request("a list of numbers", "max_new_tokens", [3], "whole number"),
    request("visual tokens beyond all", "max_visual_tokens", 10**9, "max_visual", "--max-visual-tokens", page=True),
    request("visual tokens below none", "max_visual_tokens", -5, "max_visual_tokens", "--max-visual-tokens", page=True),
    request("frames below none", "max_frames", -1, "max_frames", "--max-frames", page=True),
    request("no number of frames", "fps", float("nan"), "fps", None),
    request("a strength beyond all", "adapter_scale", 1e300, "strength"),
    request("no strength", "adapter_scale", float("nan"), "strength"),
    # names
    request("another mode", "mode", "dream", "dream", None, page=True),
    request("another number format", "dtype", "int4", "int4", None, page=True),
    request("another space", "coordinates", "../x", "coordinates", None, page=True),
    request("the root as model", "model", "/", "is not offered here", None, page=True),
    request("a path as model", "model", "../../../etc", "is not offered here", None, page=True),
    request("an address as model", "model", METADATA, "is not offered here", None, page=True),
    request("a model with a NUL", "model", "a/b\0c", "is not offered here", None, page=True),
    request("an endless model", "model", "a" * 100_000, "is not offered here", None, page=True),
    request("a number as model", "model", 5, "is not offered here"),
    request("a module as family", "model_type", "os", "'os'", "--model-type"),
    request("a path as family", "model_type", "../../app", "app", "--model-type"),
    request("a private module as family", "model_type", "__init__", "__init__", "--model-type"),
    request("the root as adapter", "adapter", "/", NO_ADAPTER, "--adapter"),
    request("a path as adapter", "adapter", "./../../etc", NO_ADAPTER, "--adapter"),
    request("an address as adapter", "adapter", METADATA, NO_ADAPTER, "--adapter"),
    request("a file's address as adapter", "adapter", "file:///etc/passwd", NO_ADAPTER, "--adapter"),
    request("a path as revision", "adapter", "owner/name@../../x", "is not a revision", "--adapter"),
    request("an adapter with a NUL", "adapter", "a\0b", "names no adapter"),
    request("an endless adapter", "adapter", "a/" + "b" * 100_000, NO_ADAPTER, "--adapter"),
    # chats
    request("an empty chat", "messages", [], "messages"),
    request("an object as chat", "messages", {"role": "user"}, "messages"),
    request("words as chat", "messages", "hello", "messages"),
    request("lists in lists", "messages", nested(200), "essage"),
    request("an unknown role", "messages", [{"role": "root", "content": "x"}], "root"),
    request("nobody's turn", "messages", [{"content": "x"}], "role"),
    request("nothing said", "messages", [{"role": "user", "content": None}], "essage 1"),
    chat("a path in a chat", {"type": "image", "image": "/etc/hostname"}, "not read here"),
    chat("a file's address in a chat", {"type": "image", "url": "file:///etc/hostname"}, "not read here"),
    chat("an address in a chat", {"type": "image_url", "image_url": {"url": METADATA}}, "addresses are not read"),
    chat("no picture in a chat", {"type": "image", "url": "data:image/png;base64,aGVsbG8="}, "is not a picture"),
    chat("broken letters in a chat", {"type": "image", "url": "data:image/png;base64,%%%"}, "ase64"),
    chat("a video's path in a chat", {"type": "video", "video": "/dev/zero"}, "not read here"),
    # pictures
    request("a path as picture", "images", {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}, "uploaded"),
    request("a string as picture", "images", "/etc/hostname", "a string"),
    request("a number as picture", "images", 5, "must be"),
    request("lists as pictures", "images", [[[]]], "must be"),
    upload("nothing in a picture", "is empty", "empty.png", lambda: b""),
    upload("a page as picture", "not a picture", "page.png", lambda: b"<html><script>alert(1)</script>"),
    upload("a drawing as picture", "not a picture", "drawing.svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    upload("very many scans", "scans", "scans.jpg", lambda: jpeg_of_scans(2_000)),
    upload("very many frames", "frames", "frames.gif", lambda: gif_of_frames(1_000_000)),
    # runs of one's own and of others
    ticket("another visitor's guess", "A" * 32),
    ticket("a path as ticket", "../../../etc/passwd"),
    ticket("an endless ticket", "a" * 100_000),
    ticket("a number as ticket", 5),
    ticket("a list as ticket", [["x"]], "it must be a text"),
    ticket("no ticket", None, endpoint="export"),
    ticket("a folder as ticket", "example-shapes/..", endpoint="region", box=[0, 0, 1, 1]),
    of_run("a layer beyond all", "1000000", "heatmap", layer=10**30, head=0),
    of_run("no layer", "layer", "heatmap", layer=[float("nan")], head=0),
    of_run("another tower", "babel", "heatmap", tower="babel"),
    of_run("a row below none", "-1", "heatmap", layer=0, head=0, query=-1),
    of_run("a box of no numbers", "finite numbers", "region", box=[float("nan")] * 4),
    of_run("an endless box", "finite numbers", "region", box=[0, 0, 1e400, 1]),
    of_run("a box in words", "finite numbers", "region", box=["a", "b", "c", "d"]),
    of_run("another format", "exe", "export", format="exe"),
    of_run("a path as format", "format", "export", format="../../x"),
    of_run("a figure beyond all", "scale", "export", format="png", scale=1e9),
    # readings
    of_run("a path as reading", "has no reading", "heatmap", reading="../../etc/passwd"),
    of_run("half a sign as reading", "has no reading", "heatmap", reading="\ud800"),
    of_run("another run's reading", "has no reading", "export", format="npz", reading="91d9c244d2473695"),
    of_run("a list as reading", "reading", "export", format="npz", reading=[["x"]]),
    of_run("a kind that is none", "dream", "reading", kind="dream"),
    of_run("a token of no answer", "oken|answer", "reading", kind="forecast", tokens=[10**30]),
    of_run("a token against none", "against|answer", "reading", kind="direct", against=-5),
    of_run("an endless general question", "2,000", "reading", kind="relative", prompt="a" * 100_000),
    # zips
    Row("no zip", "zip", {"file": "run.zip"}, endpoint="open", files={"run.zip": lambda: b"PK\3\4" + b"x" * 99}),
    packed("an empty zip", "no run", lambda archive: None),
    packed("a zip that leads elsewhere", "outside of the run", lambda archive: archive.writestr("../../escaped", "x")),
    packed("a zip from the root", "outside of the run", lambda archive: archive.writestr("/tmp/escaped", "x")),
    packed("a zip that grows", "run", lambda archive: archive.writestr("a/run.json", b" " * (20 << 20))),
    packed("deep JSON", "run.json", lambda archive: archive.writestr("a/run.json", "[" * 100_000)),
    packed("no numbers", "run.json", lambda archive: archive.writestr("a/run.json", '{"format": NaN}')),
]  # fmt: skip


def write_files(row: Row, folder: Path) -> dict[str, Path]:
    """Write the files of a row, and say where each lies."""
    written = {name: folder / name for name in row.files}
    for name, content in row.files.items():
        written[name].write_bytes(content())
    return written

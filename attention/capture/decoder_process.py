"""One process of `attention.decoder_pool`: it decodes what it is told on its standard input, within its limits.

A task is a line of JSON, and so is the head of its answer, {size, ...} with the picture's bytes behind it or {error,
message}. Runs the same code as a process that decodes for itself, and says the same.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from PIL import Image

from attention import raw_pictures, stored_pictures
from attention.decoder_pool import PASSED_ON, TOO_MUCH
from attention.errors import AttentionError
from attention.limits import DECODER_BYTES, WORN_DECODER_BYTES, Limits

from .animations import animation, is_picture
from .decoders import decoded
from .images import open_image, size_of
from .opened_video import Fewer, Opened

try:
    import resource
except ImportError:  # a system without: there time is limited by the clock, and memory is not
    resource = None  # type: ignore[assignment]

Answer = tuple[dict[str, Any], list[Image.Image]]


def size(source: str, **settings: Any) -> Answer:
    return {"size": size_of(source, **settings)}, []


def opened(source: str, **settings: Any) -> Answer:
    picture, notes = open_image(source, **settings)
    return {"size": picture.size, "notes": notes}, [picture]


def looked_over(source: str, **settings: Any) -> Answer:
    found, mode = stored_pictures.look_over_here(source, **settings)
    return {"size": found, "mode": mode}, []


def stored(source: str, **settings: Any) -> Answer:
    picture = stored_pictures.stored_here(source, **settings)
    return {"size": picture.size}, [picture]


def video(source: str, name: str, limits: dict[str, Any]) -> Answer:
    found = _video(source, name, limits)
    return {"video": {name: getattr(found, name) for name in ("name", "total", "fps", "decoder", "size")}}, []


def frames(source: str, name: str, limits: dict[str, Any], places: list[int]) -> Answer:
    try:
        found = _video(source, name, limits).read(places)
    except Fewer as fewer:
        return {"fewer": fewer.args[0]}, []
    return {"frames": [{"size": frame.size, "time": time} for frame, time in found]}, [frame for frame, _ in found]


def _video(source: str, name: str, limits: dict[str, Any]) -> Opened:
    path = Path(source)
    with path.open("rb") as file:
        head = file.read(12)
    return (animation if is_picture(head) else decoded)(path, name, Limits(**limits), lambda: None)


WORK: dict[str, Callable[..., Answer]] = {
    "size": size, "open": opened, "look over": looked_over, "stored": stored, "video": video, "frames": frames,
}  # fmt: skip


def main() -> None:
    """Do one task after the other, until there are no more."""
    own = _Own()
    for line in sys.stdin.buffer:
        task = json.loads(line)
        own.begin(task.pop("seconds"))
        head, pictures = answer(task)
        send(head | {"is_worn": own.is_worn}, pictures, sys.stdout.buffer)


class _Own:
    """The limits of this process, where its system has any."""

    def __init__(self) -> None:
        space, self._begun_with = memory()
        if resource is not None:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if space:  # else nobody knows what it has already, which may be more
                _limit(resource.RLIMIT_AS, space + DECODER_BYTES)

    def begin(self, seconds: int) -> None:
        """Give the next task its seconds."""
        if resource is not None:
            used = resource.getrusage(resource.RUSAGE_SELF)
            _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + seconds)

    @property
    def is_worn(self) -> bool:
        """True once a task took so much memory that the process may keep some of it."""
        if resource is None:
            return True
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > self._begun_with + WORN_DECODER_BYTES


def _limit(what: int, most: int) -> None:
    """Set a limit of this process, within the one that its system has set: that cannot be raised."""
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def answer(task: dict[str, Any]) -> Answer:
    """Do a task; what goes wrong is its answer."""
    try:
        return WORK[task.pop("work")](**task)
    except AttentionError as error:
        return {"error": type(error).__name__, "message": str(error)}, []
    except MemoryError:
        return {"error": TOO_MUCH}, []
    except PASSED_ON as error:
        kind = next(kind for kind in PASSED_ON if isinstance(error, kind))
        return {"error": kind.__name__, "message": str(error)}, []
    except Exception as error:  # noqa: BLE001 - a fault, said where it is asked for
        return {"error": "fault", "message": f"{type(error).__name__}: {error}"}, []


def send(head: dict[str, Any], pictures: list[Image.Image], out: IO[bytes]) -> None:
    """Write an answer's head, and its pictures' bytes."""
    out.write(json.dumps(head).encode() + b"\n")
    for picture in pictures:
        raw_pictures.write(picture, out)
    out.flush()


def memory() -> tuple[int, int]:
    """Bytes of address space and of memory that this process has; zeros where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            pages = file.read().split()
    except OSError:
        return 0, 0
    page = os.sysconf("SC_PAGE_SIZE")
    return int(pages[0]) * page, int(pages[1]) * page


if __name__ == "__main__":
    main()

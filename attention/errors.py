"""The errors a person may meet.

Each message is one or two plain sentences: what was wrong, the value, what to do next. The app, the Python client
and the command line show `str(error)` and nothing else. What the system refuses, a full disk for one, `words_for` puts
into words; anything else is a fault of ours, and is said by `fault`. Values that a person or a file gave stand in a
message through `quoted` or `shortened`.
"""

import errno
import re
import reprlib
from pathlib import PurePath

QUOTED_CHARACTERS = 80  # of a value in a message: enough to know it again
PATH_CHARACTERS = 200  # of a path: what real ones have

_REPR = reprlib.Repr()  # of lists and records: as much of each as could stand in a message
_REPR.maxlist = _REPR.maxtuple = _REPR.maxset = _REPR.maxdict = _REPR.maxdeque = _REPR.maxarray = 20
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = QUOTED_CHARACTERS


class AttentionError(Exception):
    """Base of everything that is said to a person as it stands."""


class InvalidRequest(AttentionError):
    """An input that cannot be used: a broken picture, an empty prompt, an unknown mode."""


class LimitExceeded(InvalidRequest):
    """A request that is well formed and too large; the message has both numbers, `least` what would do."""

    def __init__(self, message: str, least: int | None = None):
        super().__init__(message)
        self.least = least


class OutOfMemory(LimitExceeded):
    """The device has no room for what was asked."""

    def __init__(self):
        super().__init__(
            "The device ran out of memory. Give a smaller picture or a lower max_visual_tokens, a shorter answer, or a "
            "smaller model."
        )


class Busy(AttentionError):
    """A request that is refused for now, since too much is asked for at once; the message says when to try again."""


class ModelUnavailable(AttentionError):
    """A model that cannot be found, reached or loaded."""


class IsAdapter(ModelUnavailable):
    """An adapter that was named where a model is due; `base` is the model that its config names, if any."""

    def __init__(self, message: str, base: str | None = None):
        super().__init__(message)
        self.base = base


class AdapterUnavailable(AttentionError):
    """An adapter that cannot be found, reached or read."""


class IsWholeModel(AdapterUnavailable):
    """A whole model that was named where an adapter is due."""


class AdapterRefused(AttentionError):
    """An adapter that is there and must not be attached, with the reason; the base is as it was."""


class AdapterNeedsRenaming(AdapterRefused):
    """An adapter whose keys are in an older layout: it may be attached once somebody confirms what it was trained on.

    `renames` are pairs (name then, name now).
    """

    def __init__(self, message: str, renames: tuple[tuple[str, str], ...] = ()):
        super().__init__(message)
        self.renames = renames


class AdapterIncomplete(AdapterRefused):
    """An adapter that is a part of what was trained, the rest being a file that cannot be read: it may be attached
    alone once somebody confirms that this is meant.
    """


class UnsupportedModel(AttentionError):
    """A model whose attention this project cannot capture exactly, with the reason."""


class CaptureError(AttentionError):
    """The captured attention would not be what the model used, so nothing was kept."""


class NotFinite(CaptureError):
    """A model that computes NaN or infinity: its attention is no picture of anything."""


class DamagedRun(AttentionError):
    """A folder that is no run, is incomplete, or was written by a later version."""


class DamagedReading(DamagedRun):
    """A reading beside a run that is broken, or of another run; the run itself may be whole."""


class NotInRun(AttentionError, LookupError):
    """A layer, head, token or grid that this run does not have."""


class Cancelled(AttentionError):
    """Somebody asked for the job to stop, and it did."""


class Interrupted(Cancelled):
    """A job that was stopped and keeps what it has done; the message says how to go on."""


# What the system refuses, by the numbers that it says it with, and what to do about it
_REFUSALS = {
    errno.ENOSPC: ("The disk is full: {name} could not be written.", "Make room, or name another folder."),
    errno.EDQUOT: ("The disk's quota is used up: {name} could not be written.", "Make room, or name another folder."),
    errno.EFBIG: ("The system refuses {name}: no file may be so large there.", "Name another folder."),
    errno.EACCES: ("The system refuses {name}: permission denied.", "Give access to it, or name another place."),
    errno.EPERM: ("The system refuses {name}: not permitted.", "Give access to it, or name another place."),
    errno.EROFS: ("The system refuses {name}: that disk is only read from.", "Name another folder."),
    errno.ENAMETOOLONG: ("The system refuses {name}: the name is too long.", "Give a shorter one."),
    errno.EMFILE: ("The system refuses {name}: too many files are open.", "Try again in a moment."),
    errno.ENFILE: ("The system refuses {name}: too many files are open.", "Try again in a moment."),
    errno.EIO: ("The disk fails: {name} could not be read or written.", "Try another disk."),
}  # fmt: skip


def confirmed_by(words: str, rename: str, alone: str) -> str:
    """A refusal that asks to confirm something, with what does so where it is read: it names Python's own arguments."""
    return words.replace("(rename=True)", f"({rename})").replace("(alone=True)", f"({alone})")


def words_for(error: BaseException, name: str | None = None) -> str | None:
    """A sentence for a person on an error that is no fault of ours; None for one that is.

    `name` is what was read or written, where the error does not know it.
    """
    if isinstance(error, AttentionError):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # as PyTorch says it, on a CPU
        return (
            "This computer ran out of memory. Give a smaller picture or a lower max_visual_tokens, a shorter answer, "
            "or a smaller model."
        )
    if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, which need not be there
        return str(OutOfMemory())
    number = _system_number(error)
    if number not in _REFUSALS:
        return None
    what, advice = _REFUSALS[number]
    path = name or getattr(error, "filename", None)
    return f"{what.format(name=shortened(PurePath(path).name) if isinstance(path, str) else 'a file')} {advice}"


def is_refused_by_system(error: BaseException | None) -> bool:
    """True for what the system refuses whatever is asked: a disk that is full, say."""
    return error is not None and _system_number(error) in _REFUSALS


def fault(error: BaseException, in_detail: bool = False) -> str:
    """A sentence for a person on a fault of ours: its kind, and `in_detail` its own words too."""
    kind, words = type(error).__name__, str(error)
    return f"Internal error (please report): {f'{kind}: {shortened(words, 300)}' if in_detail and words else kind}."


def _system_number(error: BaseException) -> int | None:
    """The system's number of an error, also where safetensors tells of it."""
    if isinstance(error, OSError):
        return error.errno
    told = re.search(r"(?:os error|code:) (\d+)", str(error)) if type(error).__name__ == "SafetensorError" else None
    return int(told[1]) if told else None


def quoted(value: object, most: int = QUOTED_CHARACTERS) -> str:
    """A value as Python writes it, in one printable line of at most `most` characters."""
    try:
        written = repr(value[: most + 1]) if isinstance(value, str | bytes) else _REPR.repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        written = f"a number of {value.bit_length():,} bits" if isinstance(value, int) else type(value).__name__
    return shortened(written, most)


def shown_path(path: object) -> str:
    """A path as it stands in a message: whole, unless nobody has such a one."""
    return shortened(str(path), PATH_CHARACTERS)


def shortened(text: str, most: int = QUOTED_CHARACTERS) -> str:
    """A text in one printable line of at most `most` characters; what is cut off is an ellipsis."""
    line = "".join(sign if sign.isprintable() else "?" for sign in text[: most + 1])
    return line if len(line) <= most else f"{line[: most - 1]}…"

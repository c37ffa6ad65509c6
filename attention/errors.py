"""The errors a person may meet.

Each message is one or two plain sentences: what was wrong, the value, what to do next. The app, the Python client
and the command line show `str(error)` and nothing else. Anything that is not an `AttentionError` is a fault of
ours. Values that a person or a file gave stand in a message through `quoted` or `shortened`.
"""

import reprlib

QUOTED_CHARACTERS = 80  # of a value in a message: enough to know it again

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


class ModelUnavailable(AttentionError):
    """A model that cannot be found, reached or loaded."""


class AdapterUnavailable(AttentionError):
    """An adapter that cannot be found, reached or read."""


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


class NotInRun(AttentionError, LookupError):
    """A layer, head, token or grid that this run does not have."""


class Cancelled(AttentionError):
    """Somebody asked for the job to stop, and it did."""


def quoted(value: object, most: int = QUOTED_CHARACTERS) -> str:
    """A value as Python writes it, in one printable line of at most `most` characters."""
    try:
        written = repr(value[: most + 1]) if isinstance(value, str | bytes) else _REPR.repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        written = f"a number of {value.bit_length():,} bits" if isinstance(value, int) else type(value).__name__
    return shortened(written, most)


def shortened(text: str, most: int = QUOTED_CHARACTERS) -> str:
    """A text in one printable line of at most `most` characters; what is cut off is an ellipsis."""
    line = "".join(sign if sign.isprintable() else "?" for sign in text[: most + 1])
    return line if len(line) <= most else f"{line[: most - 1]}…"

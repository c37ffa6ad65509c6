"""Numbers that refuse, each once: how large a picture, a prompt, a run or a file from anybody may be.

Knows nothing of how any of it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_PIXELS = 64_000_000  # of one picture, by its header
MAX_PICTURE_CHARACTERS = 100_000_000  # of a picture that is written into a chat


@dataclass(frozen=True)
class Limits:
    """What is refused, and what is kept; every number can be set."""

    image_pixels: int = MAX_PIXELS
    images: int = 16
    prompt_characters: int = 100_000
    new_tokens: int = 4096
    tokens: int = 32_768  # of the whole sequence
    run_bytes: int = 16_000_000_000  # of one run on disk
    rows_bytes: int = 512_000_000  # up to here, every token's row is stored
    buffer_bytes: int = 2_000_000_000  # waiting to be written
    default_visual_tokens: int | None = None  # an image, unless asked; None leaves the processor's own limit

    @classmethod
    def local(cls, device: str = "cpu") -> Limits:
        """Limits of a person's own machine."""
        return cls(default_visual_tokens=1024 if device == "cpu" else None)

    @classmethod
    def hosted(cls) -> Limits:
        """Limits of a public server, where many share a disk and a GPU."""
        return cls(
            images=4,
            prompt_characters=8000,
            new_tokens=512,
            tokens=8192,
            run_bytes=2_000_000_000,
            rows_bytes=256_000_000,
            buffer_bytes=1_000_000_000,
            default_visual_tokens=1024,
        )

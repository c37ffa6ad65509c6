"""Videos as a processor takes them: sampled frames and their times, through the stock video processors' own code.

The stock classes need torchvision for three steps, each of which torchvision does by PyTorch: here PyTorch does them.
Knows no file and no decoder, and no family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.video_processing_utils import BaseVideoProcessor

from attention.errors import InvalidRequest, UnsupportedModel

MODES = {
    Image.Resampling.BILINEAR: "bilinear",
    Image.Resampling.BICUBIC: "bicubic",
    Image.Resampling.LANCZOS: "lanczos",  # from torch 2.12 on
}


@dataclass(frozen=True)
class Video:
    """Frames that are read of a video, RGB and of one size.

    `indices` are their places among the `total` frames that there are, which follow each other `fps` times a second.
    """

    frames: list[Image.Image]
    indices: list[int]
    total: int
    fps: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame, in pixels."""
        return self.frames[0].size

    def groups(self, count: int) -> list[list[int]]:
        """The frames that are read together, `count` at a time: their places among `frames`."""
        return [list(range(first, min(first + count, len(self.frames)))) for first in range(0, len(self.frames), count)]

    def time_s(self, frame: int) -> float:
        """The time of a frame, in seconds from the start of the video."""
        return self.indices[frame] / self.fps

    def middle_s(self, group: list[int]) -> float:
        """The time in the middle of frames that are read together, as Qwen3-VL's timestamps have it."""
        return (self.time_s(group[0]) + self.time_s(group[-1])) / 2


def alone(label: str, images: Sequence[Image.Image], videos: Sequence[Video]) -> Video:
    """The one video of a chat. Raises InvalidRequest where something is beside it."""
    if images or len(videos) > 1:
        raise InvalidRequest(f"{label} reads one video here, and no picture beside it. Give it alone.")
    return videos[0]


class _ByTorch(BaseVideoProcessor):
    """The steps that torchvision does for a video processor, done as it does them on a CPU."""

    def convert_to_rgb(self, video: torch.Tensor) -> torch.Tensor:
        return video  # frames are RGB

    def resize(self, image: torch.Tensor, size, resample=None, **_) -> torch.Tensor:
        """Resize uint8 frames [..., channels, height, width] to the height and width of `size`, with antialiasing."""
        if resample not in MODES:
            raise UnsupportedModel(f"The video processor of this model resizes by filter {resample}, not known here.")
        new, old = (size.height, size.width), tuple(image.shape[-2:])
        if new == old:
            return image
        frames = image.reshape(-1, *image.shape[-3:])
        try:
            frames = torch.nn.functional.interpolate(
                frames, size=new, mode=MODES[resample], align_corners=False, antialias=True
            )
        except (NotImplementedError, ValueError) as error:
            raise UnsupportedModel(
                f"The video processor of this model resizes by {MODES[resample]}, which torch {torch.__version__} does "
                "not do. Update torch."
            ) from error
        return frames.reshape(*image.shape[:-2], *new)

    def normalize(self, image: torch.Tensor, mean, std, **_) -> torch.Tensor:
        mean, std = (torch.as_tensor(each, dtype=image.dtype).view(-1, 1, 1) for each in (mean, std))
        return (image - mean) / std


def load_video_processor(stock: type, path: str) -> Any:
    """A family's own video processor of a local folder, without torchvision; None where the folder has none."""
    by_torch: Any = type(stock.__name__, (stock, _ByTorch), {})
    try:
        return by_torch.from_pretrained(path)
    except OSError:
        return None


def arrays(videos: Sequence[Video]) -> list[np.ndarray]:
    """The frames of each video as a processor takes them, uint8 [frames, channels, height, width].

    Channels first: in the other order processors take frames of 3 rows for such.
    """
    return [np.stack([np.moveaxis(np.asarray(frame), 2, 0) for frame in video.frames]) for video in videos]


def metadata(videos: Sequence[Video]) -> list[dict[str, Any]]:
    """Records of what was sampled of each video, as transformers has them."""
    return [
        {
            "total_num_frames": video.total,
            "fps": video.fps,
            "duration": video.total / video.fps,
            "frames_indices": list(video.indices),
        }
        for video in videos
    ]

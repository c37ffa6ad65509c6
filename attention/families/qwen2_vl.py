"""Qwen2-VL: as Qwen3-VL, with 14-px patches, and boxes in answers between control tokens.

```
Qwen2VLForConditionalGeneration
  model.language_model.layers.{i}.self_attn    one call a layer, causal (above max_window_layers sliding), grouped-query
  model.visual.blocks.{i}.attn                 one call for each image or pair of frames, full attention
```
Tokens and patches are in the order that qwen3_vl.py describes; no text stands between the frames of a video.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD, SizeDict
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

from attention.errors import UnsupportedModel

from .qwen3_vl import Qwen3VL


class Qwen2VLVideoProcessor(Qwen3VLVideoProcessor):
    """Transformers' class of this name, whose module cannot be imported without torchvision.

    It differs from Qwen3-VL's in its defaults, in the frames it samples, and in that it sizes each frame by itself.
    """

    image_mean, image_std = OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
    size = {"shortest_edge": 128 * 28 * 28, "longest_edge": 28 * 28 * 768}  # noqa: RUF012 - as transformers has it
    patch_size = 14
    do_sample_frames = False
    fps = None

    def __init__(self, size=None, min_pixels=None, max_pixels=None, **more):
        size = dict(self.size if size is None else size)
        size |= {"shortest_edge": min_pixels} if min_pixels is not None else {}
        size |= {"longest_edge": max_pixels} if max_pixels is not None else {}
        super().__init__(size=size, **more)

    def sample_frames(self, metadata, num_frames=None, fps=None, **_):
        total, together = metadata.total_num_frames, self.temporal_patch_size
        most = min(self.max_frames, total) // together * together
        count = min(max(total / metadata.fps * fps, self.min_frames), most, total)
        count = math.floor(count / together) * together
        return torch.arange(0, total, total / count).int()  # in float32, as transformers has it

    def resize(self, videos, size, resample, factor, **_):
        if self.cap_pixels_per_frame:
            raise UnsupportedModel(
                "The video processor of this model has cap_pixels_per_frame, which is not known here. Remove it from "
                "its files."
            )
        new = smart_resize(*videos.shape[-2:], factor, size.shortest_edge, size.longest_edge)
        size = SizeDict(height=new[0], width=new[1])
        return super(Qwen3VLVideoProcessor, self).resize(image=videos, size=size, resample=resample)

    def get_num_of_video_patches(self, num_frames, height, width, videos_kwargs=None):
        size, patch = (videos_kwargs or {}).get("size") or self.size, self.patch_size
        new = smart_resize(height, width, patch * self.merge_size, size["shortest_edge"], size["longest_edge"])
        return math.ceil(num_frames / self.temporal_patch_size) * (new[0] // patch) * (new[1] // patch)


class Qwen2VL(Qwen3VL):
    label = "Qwen2-VL"
    processor_class = Qwen2VLProcessor
    takes_videos = True
    video_processor_class = Qwen2VLVideoProcessor
    limits_whole_videos = False

    def towers(self, config):
        towers = super().towers(config)
        vision = config.vision_config  # its hidden_size is the width that leaves the tower
        return towers | {"vision": replace(towers["vision"], head_dim=vision.embed_dim // vision.num_heads)}


FAMILY = Qwen2VL()

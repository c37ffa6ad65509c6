"""LLaVA-OneVision: as LLaVA-NeXT; fine maps that are too large are scaled down, and several pictures are not tiled.

```
LlavaOnevisionForConditionalGeneration
  model.language_model.layers.{i}.self_attn         one call a layer, causal, grouped-query
  model.vision_tower.encoder.layers.{i}.self_attn   one call with a batch of views, full attention over patches
```
The tower is SigLIP: no class token. A picture that is alone in its conversation is read as in LLaVA-NeXT; where the
fine map has many more patches than the tiles of `vision_aspect_ratio` (anyres_max_9: nine), the model interpolates its
features to about that many: a cell is then a mean over the patches around its place, and its edges are interpolated
from theirs. Several pictures in one conversation are each put on a square of one colour and read in one view: its
patches row by row, then one newline.

Each frame of a video is squeezed into one view. The model interpolates its patches to half as many rows and columns: a
token is a part of the frame like any other. One newline follows the last frame.
"""

from __future__ import annotations

import math

from transformers.models.llava_onevision.modeling_llava_onevision import unpad_image
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
from transformers.models.llava_onevision.video_processing_llava_onevision import LlavaOnevisionVideoProcessor

from attention.errors import UnsupportedModel
from attention.runs.tokens import Grid

from .cells import cells_of, image_roles, placed
from .family import Inputs
from .llava import Llava, one_size, tower_keys
from .llava_next import LlavaNext
from .videos import Video, alone, load_video_processor


class LlavaOnevision(LlavaNext):
    label = "LLaVA-OneVision"
    processor_class = LlavaOnevisionProcessor
    unpad_image = staticmethod(unpad_image)
    takes_videos = True

    def load_processor(self, path):
        processor = super().load_processor(path)
        processor.video_processor = load_video_processor(LlavaOnevisionVideoProcessor, path)
        return processor

    def _fit(self, processor, config):
        super()._fit(processor, config)
        processor.num_image_tokens = (processor.image_size // processor.patch_size) ** 2
        processor.vision_aspect_ratio = config.vision_aspect_ratio

    def prepare(self, processor, messages, images, max_visual_tokens, videos=()):
        if videos:
            return self._of_video(processor, messages, alone(self.label, images, videos), max_visual_tokens)
        prepare = Llava.prepare if len(images) > 1 else LlavaNext.prepare
        return prepare(self, processor, messages, images, max_visual_tokens)

    def _is_squared(self, image_processor):
        return True  # each of several pictures, whatever do_pad says, which is for batches of tiles

    def _of_video(self, processor, messages, video: Video, max_visual_tokens: int | None) -> Inputs:
        if processor.video_processor.do_center_crop:
            raise UnsupportedModel("The video processor of this model crops frames, which is not known here.")
        tensors, roles = self._read(processor, messages, [], [video])
        height, width = tensors["pixel_values_videos"].shape[-2:]
        patch = processor.patch_size
        rows, cols = height // patch, width // patch
        pooled = math.ceil(rows / 2), math.ceil(cols / 2)
        if max_visual_tokens is not None and pooled[0] * pooled[1] > max_visual_tokens:
            raise one_size(self.label, pooled[0] * pooled[1], max_visual_tokens)
        box = (0, 0, video.size[0] * cols * patch / width, video.size[1] * rows * patch / height)
        grids = [
            Grid(frame, tower, "frame", box, *shape, video.time_s(frame))
            for tower, shape in (("language", pooled), ("vision", (rows, cols)))
            for frame in range(len(video.frames))
        ]
        towers = [list(enumerate(grids))[: len(video.frames)], list(enumerate(grids))[len(video.frames) :]]
        ids = tensors["input_ids"][0].tolist()
        cells = placed(ids, processor.video_token_id, [*cells_of(towers[0]), None])
        keys = [key for index, grid in towers[1] for key in tower_keys(processor, index, grid)]
        read = [(width, height)] * len(video.frames)
        return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": keys}, read)

    def own_visual_tokens(self, processor, messages, images, videos=()):
        return None if videos or len(images) > 1 else super().own_visual_tokens(processor, messages, images)

    def _read(self, processor, messages, images, videos=(), video_options=None, **options):
        """The images go as those of one conversation: the processor tiles each of a plain list."""
        return super()._read(processor, messages, [images] if images else [], videos, video_options, **options)

    @staticmethod
    def _features(processor, keys):
        return [*Llava._features(processor, keys), None]


FAMILY = LlavaOnevision()

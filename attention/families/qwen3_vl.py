"""Qwen3-VL: ChatML conversations, one token for each 2x2 block of 16-px patches; of a video, in two frames at once.

```
Qwen3VLForConditionalGeneration
  model.language_model.layers.{i}.self_attn    one call a layer, causal, grouped-query
  model.visual.blocks.{i}.attn                 one call for each image or pair of frames, full attention
```
An image token stands for merge_size x merge_size patches; tokens are row by row over the grid of blocks. In the vision
tower the patches of a block are neighbours in the sequence: block by block, and row by row inside a block. It reads all
images first, then all videos, pair by pair. Before each pair stands its time as text.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import ClassVar

import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
from transformers.video_utils import VideoMetadata

from attention.coordinates import THOUSANDTHS
from attention.runs.tokens import Grid

from .cells import Cell, cells_of, image_roles, placed
from .family import Family, Inputs, coloured, image_only
from .towers import TowerShape, language_tower
from .videos import Video, load_video_processor


class Qwen3VL(Family):
    label = "Qwen3-VL"
    coordinates: ClassVar[str | None] = THOUSANDTHS
    processor_class = Qwen3VLProcessor
    takes_entry_sizes = True
    takes_videos = True
    video_processor_class: ClassVar[type] = Qwen3VLVideoProcessor
    limits_whole_videos = True  # whether the limits of a video's pixels are of all its frames together

    def load_processor(self, path):
        processor = image_only(self.processor_class).from_pretrained(path)
        if self.takes_videos:
            processor.video_processor = load_video_processor(self.video_processor_class, path)
            if getattr(processor.video_processor, "cap_pixels_per_frame", False) is None:
                # what transformers 5 does where the file does not say; it has announced another default
                processor.video_processor.cap_pixels_per_frame = False
        return processor

    def towers(self, config):
        vision = config.vision_config
        return {
            "language": language_tower(config.text_config),
            "vision": TowerShape(
                tuple(range(vision.depth)), vision.num_heads, vision.num_heads, vision.hidden_size // vision.num_heads
            ),
        }

    def attention_modules(self, model):
        layers = model.model.language_model.layers
        return {
            "language": {i: layers[i].self_attn for i in language_tower(model.config.text_config).layers},
            "vision": dict(enumerate(self._vision_modules(model.model))),
        }

    def _vision_modules(self, model) -> list:
        return [block.attn for block in model.visual.blocks]

    def prepare(self, processor, messages, images, max_visual_tokens, videos=()):
        options, given = {}, images
        entries = [entry for message in messages for entry in message["content"] if entry["type"] == "image"]
        if any(set(entry) - {"type"} for entry in entries):
            given, options["size"] = self._resized(processor.image_processor, images, entries, max_visual_tokens)
        elif images and max_visual_tokens is not None:
            options["size"] = self._size_limit(processor.image_processor, images, max_visual_tokens)
        video_options = {} if not videos else self._video_size(processor, videos, max_visual_tokens)
        tensors, roles = self._read(processor, messages, given, videos, video_options, **options)
        patch, merge = processor.image_processor.patch_size, processor.image_processor.merge_size
        read = [tuple(thw[1:]) for thw in tensors["image_grid_thw"].tolist()] if images else []  # rows, cols of patches
        seen = [
            Grid(i, "vision", "whole", (0, 0, *image.size), rows, cols)
            for i, (image, (rows, cols)) in enumerate(zip(images, read, strict=True))
        ]
        sizes = [(cols * patch, rows * patch) for rows, cols in read]
        for video, (_, rows, cols) in zip(videos, tensors["video_grid_thw"].tolist() if videos else (), strict=True):
            for pair in self._pairs(processor, video):
                frames = tuple(len(sizes) + frame for frame in pair)
                box, time_s = (0, 0, *video.size), video.middle_s(pair)
                seen.append(Grid(frames[0], "vision", "frame", box, rows, cols, time_s, images=frames))
            sizes += len(video.frames) * [(cols * patch, rows * patch)]
        merged = [replace(grid, tower="language", rows=grid.rows // merge, cols=grid.cols // merge) for grid in seen]
        grids = merged + seen
        towers = [list(enumerate(grids))[: len(seen)], list(enumerate(grids))[len(seen) :]]
        ids = tensors["input_ids"][0].tolist()
        cells = placed(ids, processor.image_token_id, self._shown(towers[0][: len(images)]))
        if videos:
            of_videos = placed(ids, processor.video_token_id, cells_of(towers[0][len(images) :]))
            cells = [cell or other for cell, other in zip(cells, of_videos, strict=True)]
        keys = [(index, *place) for index, grid in towers[1] for place in self._patches(grid.rows, grid.cols, merge)]
        return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": keys}, sizes)

    def pictures_of(self, processor, tensors):
        reading = processor.image_processor
        patch, merge, frames = reading.patch_size, reading.merge_size, reading.temporal_patch_size
        pictures, start = [], 0
        for _, rows, cols in tensors["image_grid_thw"].tolist():
            blocks = tensors["pixel_values"][start : start + rows * cols]
            start += rows * cols
            patches = self._pixels(blocks, frames, patch).reshape(
                rows // merge, cols // merge, merge, merge, 3, patch, patch
            )
            pixels = patches.permute(4, 0, 2, 5, 1, 3, 6).reshape(3, rows * patch, cols * patch)
            pictures.append(coloured(reading, pixels))
        return pictures

    def _pixels(self, patches: torch.Tensor, frames: int, patch: int) -> torch.Tensor:
        """Pixels [patches, channels, rows, cols] of flat patches; a picture is the same in all of its frames."""
        return patches.reshape(-1, 3, frames, patch, patch)[:, :, 0]

    def visual_token_limit(self, processor):
        image_processor = processor.image_processor
        pixels = (image_processor.patch_size * image_processor.merge_size) ** 2 * self._frames(image_processor)
        return image_processor.size["longest_edge"] // pixels

    def _frames(self, image_processor) -> int:
        """Number of times that the processor counts a picture's pixels where it compares them with its limits."""
        return 1

    def own_visual_tokens(self, processor, messages, images, videos=()):
        image_processor = processor.image_processor
        counts = [self._n_patches(image_processor, image, {}) // image_processor.merge_size**2 for image in images]
        for video in videos:  # a pair's tokens are counted for its first frame
            counts += [
                self._pair_tokens(processor, video, {}) if frame == pair[0] else None
                for pair in self._pairs(processor, video)
                for frame in pair
            ]
        return counts

    def sample(self, processor, total, source_fps, fps, most):
        if total < self.frames_together(processor):
            return list(range(total))
        video_processor = copy.copy(processor.video_processor)
        video_processor.max_frames = min(most, video_processor.max_frames)
        seen = VideoMetadata(total_num_frames=total, fps=source_fps)
        return video_processor.sample_frames(metadata=seen, fps=fps).tolist()

    def frames_together(self, processor):
        return processor.video_processor.temporal_patch_size

    def _pairs(self, processor, video: Video) -> list[list[int]]:
        return video.groups(self.frames_together(processor))

    def _pair_tokens(self, processor, video: Video, options: dict) -> int:
        """Number of tokens of each pair of frames."""
        video_processor, (width, height) = processor.video_processor, video.size
        patches = video_processor.get_num_of_video_patches(len(video.frames), height, width, options)
        return patches // len(self._pairs(processor, video)) // video_processor.merge_size**2

    def _video_size(self, processor, videos: list[Video], max_visual_tokens: int | None) -> dict:
        """Limits in pixels that keep each pair of frames of every video within so many tokens; the processor's own
        where these do.
        """
        video_processor = processor.video_processor
        size = {name: video_processor.size[name] for name in ("shortest_edge", "longest_edge")}

        def oversteps() -> bool:
            counts = [self._pair_tokens(processor, video, {"size": size}) for video in videos]
            return max_visual_tokens is not None and max(counts) > max_visual_tokens

        if not oversteps():
            return {}
        pixels = (max_visual_tokens or 0) * (video_processor.patch_size * video_processor.merge_size) ** 2
        largest = pixels * (min(len(video.frames) for video in videos) if self.limits_whole_videos else 1)
        size["longest_edge"] = min(size["longest_edge"], largest)
        size["shortest_edge"] = min(size["shortest_edge"], size["longest_edge"])
        while size["shortest_edge"] > 1 and oversteps():
            size["shortest_edge"] //= 2
        while oversteps():
            size["longest_edge"] = size["longest_edge"] * 9 // 10
        return {"size": size}

    def _n_patches(self, image_processor, image, limits: dict) -> int:
        """Number of patches into which the processor cuts a picture, with these options."""
        return image_processor.get_number_of_image_patches(image.height, image.width, limits)

    def _resized(self, image_processor, images, entries, max_visual_tokens) -> tuple[list[Image.Image], dict[str, int]]:
        """The pictures as the processor resizes each by the limits of its entry, and limits that leave them so.

        The processor takes one pair of limits for all pictures of a call.
        """
        factor, resized = image_processor.patch_size * image_processor.merge_size, []
        for image, entry in zip(images, entries, strict=True):
            limits = image_processor.size
            if max_visual_tokens is not None and not set(entry) - {"type"}:
                limits = self._size_limit(image_processor, [image], max_visual_tokens)
            least, most = limits["shortest_edge"], limits["longest_edge"]
            least, most = entry.get("min_pixels", least), entry.get("max_pixels", most)
            height, width = smart_resize(image.height, image.width, factor, least, most)
            resized.append(image.resize((width, height), image_processor.resample))
        areas = [image.width * image.height for image in resized]
        return resized, {"shortest_edge": min(areas), "longest_edge": max(areas)}

    def _size_limit(self, image_processor, images, max_visual_tokens) -> dict[str, int]:
        """Limits in pixels that keep every one of these images within so many tokens.

        The processor rounds up from its lower limit, and gives thin pictures one cell across at least: both may
        overstep the upper limit.
        """
        patches = max_visual_tokens * image_processor.merge_size**2
        largest = patches * image_processor.patch_size**2 * self._frames(image_processor)
        smallest = min(image_processor.size["shortest_edge"], largest)

        def oversteps(least: int, most: int) -> bool:
            size = {"shortest_edge": least, "longest_edge": most}
            limits = {"size": size, "min_pixels": least, "max_pixels": most}  # processors go by either
            return any(self._n_patches(image_processor, image, limits) > patches for image in images)

        least, most = image_processor.size["shortest_edge"], image_processor.size["longest_edge"]
        if largest <= most and not oversteps(least, most):
            return {"shortest_edge": least, "longest_edge": most}  # a smaller one would round to fewer
        while smallest > 1 and oversteps(smallest, largest):
            smallest //= 2
        while oversteps(smallest, largest):
            largest = largest * 9 // 10
        return {"shortest_edge": smallest, "longest_edge": largest}

    def _shown(self, grids: list[tuple[int, Grid]]) -> list[Cell | None]:
        """The cells of the image tokens of all pictures; None for one that is no cell."""
        return list(cells_of(grids))

    def _patches(self, rows: int, cols: int, merge: int) -> list[tuple[int, int]]:
        """The patches of a picture in the order in which the vision tower has them: block by block."""
        return [
            (row, col)
            for block_row in range(0, rows, merge)
            for block_col in range(0, cols, merge)
            for row in range(block_row, block_row + merge)
            for col in range(block_col, block_col + merge)
        ]


FAMILY = Qwen3VL()

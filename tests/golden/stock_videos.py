"""Numbers of transformers' own processors and models for videos, which `stock_videos.json` holds.

    python tests/golden/stock_videos.py

writes them again, in an environment that has torchvision and num2words beside the project's packages; the project's
own has neither.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FILE = HERE / "stock_videos.json"
# name: width, height, frames that there are, frames per second, asked frames per second (null: all are read), a picture
CASES = {
    "sampled": (200, 120, 40, 12.5, 2.0, False),
    "odd": (96, 160, 5, 2.0, None, False),
    "beside a picture": (130, 90, 9, 3.0, 1.5, True),
    "long": (60, 40, 45, 5.0, 0.5, False),
}
PICTURE = (150, 100)
COUNTS = (2, 7, 12, 13, 19, 20, 21, 64, 90, 99, 100, 101, 110, 120, 768, 999, 1000, 1001, 1100, 1234, 10_000)
WORDS = "what happens?"
TYPES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "llava_onevision", "internvl", "smolvlm")
ALONE = ("llava_onevision", "internvl", "smolvlm")  # no picture stands beside a video


def drawn(width: int, height: int, time: float) -> np.ndarray:
    """A frame, uint8 [height, width, 3]: waves that move, so that no two pixels and no two times are alike."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = [np.sin(x / 7 + time) + np.cos(y / 5 - 2 * time), np.sin((x + y) / 11 + time), np.cos(x * y / 997 + time)]
    return np.stack([np.rint(127.5 + 60 * wave).clip(0, 255) for wave in waves], axis=-1).astype(np.uint8)


def runs(values: list) -> list[list]:
    """Equal values that follow each other as [value, count]."""
    return [[value, len(list(same))] for value, same in itertools.groupby(values)]


def steps(values: list[int]) -> list[list[int]]:
    """Ascending values, and others, by the differences of neighbours, as `runs`."""
    return runs([now - before for before, now in itertools.pairwise([0, *values])])


def some(values: np.ndarray) -> list[float]:
    """Values of pixels [patches, numbers] at places that are spread over all of them."""
    flat = values.reshape(-1)
    return [round(float(value), 5) for value in flat[:: max(1, len(flat) // 97)]]


def stock(model_type: str, case: tuple) -> dict:
    import torch
    import transformers
    from PIL import Image
    from tiny_families import write

    width, height, total, fps, asked, has_picture = case
    with tempfile.TemporaryDirectory() as folder:
        path = str(write(model_type, Path(folder)))
        names = {
            "qwen2_vl": "Qwen2VL", "qwen2_5_vl": "Qwen2_5_VL", "qwen3_vl": "Qwen3VL",
            "llava_onevision": "LlavaOnevision", "internvl": "InternVL", "smolvlm": "SmolVLM",
        }  # fmt: skip
        processor = getattr(transformers, f"{names[model_type]}Processor").from_pretrained(path)
        model = getattr(transformers, f"{names[model_type]}ForConditionalGeneration").from_pretrained(path)
    pictures = [Image.fromarray(drawn(*PICTURE, 0.0))] if has_picture else None
    content = [*([{"type": "image"}] if has_picture else []), {"type": "video"}, {"type": "text", "text": WORDS}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    seen = {"total_num_frames": total, "fps": fps, "duration": total / fps, "frames_indices": list(range(total))}
    batch = processor(
        text=[text],
        images=pictures,
        videos=[np.stack([drawn(width, height, index / fps) for index in range(total)])],
        return_tensors="pt",
        videos_kwargs={
            "video_metadata": [seen],
            "return_metadata": True,
            **({"do_sample_frames": False} if asked is None else {"do_sample_frames": True, "fps": asked}),
        },
    )
    grids = {name: batch[name] for name in ("image_grid_thw", "video_grid_thw", "second_per_grid_ts") if name in batch}
    positions = torch.empty(0, 1, 0)
    if hasattr(model.model, "get_rope_index"):
        types = batch["mm_token_type_ids"]
        positions, _ = model.model.get_rope_index(batch["input_ids"], mm_token_type_ids=types, **grids)
    return {
        "ids": runs(batch["input_ids"][0].tolist()),
        "types": runs(batch["mm_token_type_ids"][0].tolist() if "mm_token_type_ids" in batch else []),
        "grids": {name: torch.as_tensor(value).tolist() for name, value in grids.items()},
        "positions": [steps([int(each) for each in axis]) for axis in positions[:, 0].tolist()],
        "pixels": some(batch["pixel_values_videos" if "pixel_values_videos" in batch else "pixel_values"].numpy()),
    }


if __name__ == "__main__":
    from num2words import num2words

    sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]
    made = {
        model_type: {
            name: stock(model_type, case) for name, case in CASES.items() if not (case[5] and model_type in ALONE)
        }
        for model_type in TYPES
    }
    lines = [
        f"  {json.dumps(model_type)}: {{\n"
        + ",\n".join(f"    {json.dumps(name)}: {json.dumps(numbers)}" for name, numbers in cases.items())
        + "\n  }"
        for model_type, cases in made.items()
    ]
    lines.append(f'  "words": {json.dumps({count: num2words(count) for count in COUNTS})}')
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")

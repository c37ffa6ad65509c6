"""The content of run.json, and the pictures beside it.

Owns which field holds what; the fields are those of `attention.runs.schema`. The order of the steps, and when the file
is written, is the business of `extraction`.
"""

from __future__ import annotations

import secrets
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

import torch
from PIL import Image

from attention import __version__
from attention.families.family import Inputs
from attention.models.devices import devices
from attention.models.kept import LoadedModel
from attention.places.answer_places import Places
from attention.places.of_run import places_of
from attention.request import Request
from attention.runs import tokens

from .inputs import Prepared
from .recorder import Capture

PREVIEW_PX = 2048
NO_PLACES = Places()


def run_json(
    folder: Path,
    request: Request,
    loaded: LoadedModel,
    prepared: Prepared,
    inputs: Inputs,
    capture: Capture,
    *,
    answer: str,
    logprobs: list[float],
    adapter: dict | None,
    is_forced: bool,
    timings_ms: dict[str, float],
    notes: list[str],
) -> dict:
    """The content of run.json for a pass whose layers lie in `folder`.

    `prepared` is the prompt, `inputs` the sequence that was read: prompt and answer. `answer` is its text, `logprobs`
    are those of its tokens. `adapter` is the record of an adapter that was on, with the `notes` that it adds to the
    run's; `is_forced` is true where the answer is not the model's own, `notes` are those on it.
    """
    records = token_records(inputs, loaded.processor.tokenizer)
    towers = _towers(loaded, inputs, capture)
    unread = loaded.family.unread_towers(loaded.model.config)
    of_frames = _frames(prepared)
    adapter = dict(adapter) if adapter is not None else None
    adapter_notes = adapter.pop("notes", []) if adapter else []
    info = {
        "format": 2 if _has_bias(towers) else 1,  # who does not know of a bias must not read rows without it
        "id": secrets.token_hex(6),
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "model": {
            "id": loaded.id,
            "revision": loaded.revision,
            "family": loaded.family.label,
            "dtype": loaded.dtype,
        },
        "mode": request.mode,
        "forced": is_forced,
        "max_new_tokens": request.max_new_tokens,
        "max_visual_tokens": request.max_visual_tokens,
        "pan_and_scan": request.pan_and_scan,
        "coordinates": request.coordinates,
        "messages": request.conversation(),
        "prompt": _last_user_text(request),
        "answer": answer,
        "prompt_tokens": len(prepared.inputs.ids),
        "device": _device_name(loaded.device),
        "image_backend": "pil",
        "versions": {
            **{name: _version(name) for name in ("torch", "transformers", "peft")},
            "vlm-attention-viz": __version__,
        },
        "tokens": [record.to_dict() for record in records],
        "images": [
            {
                "file": _image_file(i),
                "preview": _preview_file(i),
                "width": image.width,
                "height": image.height,
                "read_width": read_width,
                "read_height": read_height,
                **_tokens_of(*prepared.visual_tokens[i]),
                **of_frames.get(i, {}),
            }
            for i, (image, (read_width, read_height)) in enumerate(zip(prepared.images, inputs.read_sizes, strict=True))
        ],
        "videos": [each.record for each in prepared.videos],
        "grids": [grid.to_dict() for grid in inputs.grids],
        "towers": towers,
        "unread_towers": {name: asdict(tower) for name, tower in unread.items()},
        **NO_PLACES.fields(),  # until all that they are read from is there
        "place_habit": {
            "coordinates": loaded.family.coordinates,
            "y_first": sorted(loaded.family.y_first_keys),
        },
        "groups": {
            name: tokens.language_groups(records, inputs.grids)
            if name == "language"
            else tokens.picture_groups(tower["keys"], inputs.grids)
            for name, tower in towers.items()
        },
        "sinks": capture.sinks,
        "logprobs": logprobs,
        "notes": [],
        "timings_ms": dict(timings_ms),
        "bytes": sum(file.stat().st_size for file in folder.rglob("*.safetensors")),
        "peak_memory_bytes": _peak_memory(loaded.device),
        "adapter": adapter,
    }
    places = places_of(info, request.coordinates)
    of_model = [*(tower.words(name) for name, tower in unread.items()), *loaded.notes]
    every = [
        *of_model,
        *prepared.notes,
        *notes,
        *places.notes,
        *adapter_notes,
    ]
    return info | places.fields() | {"notes": every}


def _has_bias(towers: dict[str, dict]) -> bool:
    return any(layer.get("position_bias") for tower in towers.values() for layer in tower["layers"])


def _frames(prepared: Prepared) -> dict[int, dict]:
    """The video and the time of each picture that is a frame: {picture: {video, time_s}}."""
    at, found = len(prepared.pictures), {}
    for number, each in enumerate(prepared.videos):
        for frame in range(len(each.video.frames)):
            found[at] = {"video": number, "time_s": each.video.time_s(frame)}
            at += 1
    return found


def _tokens_of(read: int, own: int | None) -> dict[str, int]:
    """Visual tokens of a picture; none of a family that has no cell of it in its sequence."""
    return {"visual_tokens": read} | ({"own_visual_tokens": own} if own else {}) if read else {}


def save_images(folder: Path, images: list[Image.Image]) -> None:
    """Write each picture as the processor received it, and a preview of it."""
    for i, image in enumerate(images):
        image.save(folder / _image_file(i), compress_level=1)
        preview = image.copy()
        preview.thumbnail((PREVIEW_PX, PREVIEW_PX))
        preview.save(folder / _preview_file(i), quality=90)


def token_records(inputs: Inputs, tokenizer) -> list[tokens.Token]:
    """The tokens of a sequence with their texts, roles and cells."""
    ids = inputs.ids
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    texts = tokens.token_texts(
        ids,
        lambda part: tokenizer.decode(part, skip_special_tokens=False, clean_up_tokenization_spaces=False),
        special.__contains__,
    )
    records = []
    for index, (text, part_of) in enumerate(texts):
        grid, row, col = inputs.cells[index] or (None, None, None)
        records.append(tokens.Token(index, ids[index], text, inputs.roles[index], grid, row, col, part_of))
    return records


def _image_file(image: int) -> str:
    return f"image_{image}.png"


def _preview_file(image: int) -> str:
    return f"preview_{image}.jpg"


def _towers(loaded: LoadedModel, inputs: Inputs, capture: Capture) -> dict[str, dict]:
    """The towers that were kept: their heads, keys and layers, those without softmax attention among them."""
    shapes = loaded.family.towers(loaded.model.config)
    towers = {}
    for name, plan in capture.towers.items():
        layers = [capture.layers[name][index] for index in sorted(plan.modules)]
        layers += [{"index": index, "kind": kind, "file": None} for index, kind in shapes[name].others.items()]
        towers[name] = {
            "heads": shapes[name].heads,
            "keys": len(inputs.ids) if name == "language" else [_cell_record(cell) for cell in inputs.keys[name]],
            **({} if plan.queries is None else {"queries": plan.queries}),
            "layers": sorted(layers, key=lambda layer: layer["index"]),
        }
    return towers


def _cell_record(cell: tuple[int, int, int] | None) -> dict | None:
    return None if cell is None else dict(zip(("grid", "row", "col"), cell, strict=True))


def _last_user_text(request: Request) -> str:
    content = request.conversation()[-1]["content"]
    return "\n".join(entry["text"] for entry in content if entry["type"] == "text")


def _device_name(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    names = [torch.cuda.get_device_name(each) for each in devices(device)]
    return f"{device} ({names[0]})" if len(names) == 1 else f"{device} ({len(names)} devices, {names[0]})"


@cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _peak_memory(device: str) -> int | None:
    """Bytes: of the devices during the capture, or of this process since it began."""
    if device.startswith("cuda"):
        return sum(torch.cuda.max_memory_allocated(each) for each in devices(device))
    import psutil

    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):
        return info.peak_wset  # Windows
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

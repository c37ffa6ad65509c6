"""Good inputs as one folder each: a model, an adapter or none, a chat with its pictures. Mutations change a copy."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import tiny_families
import torch
from made_adapters import saved_adapter
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

POCKET = Path(__file__).parents[2] / "assets" / "pocket"
SAVED_AS = {"qwen2_5_vl": {"max_shard_size": "60KB"}, "llava": {"dtype": torch.bfloat16}}  # sharded; half precision
OF_NO_ORACLE = {  # types of which plain transformers make nothing to compare with here, or which take other inputs
    "gemma4": "keeps no padding of its vision tower, which plain transformers have in their rows",
    "gemma4_unified": "its stock image processor needs torchvision",
    "llama4": "its stock image processor needs torchvision",
    "florence2": "reads one prompt, and no chat",
    "idefics2": "has rows of some tokens alone in its resampler",
    "paligemma": "reads one prompt, and no chat",
    "hy_v4_vl": "its projections have other names than the adapters' here",
}
MODELS = ("pocket", *(name for name in tiny_families.all_types() if name not in OF_NO_ORACLE))
LANGUAGE = r".*(language_model|text_model).*\.(q_proj|v_proj)"
ADAPTERS = {
    "plain": {},
    "DoRA": {"use_dora": True},
    "rank-stabilised": {"use_rslora": True, "r": 8},
    "norms replaced": {"modules_to_save": ["norm"]},
    "ranks by name": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 1}},
    "bias of B": {"lora_bias": True},
}
CHAT, ANSWER = "chat.json", "red and blue"


@dataclass
class Given:
    """An input as files of one folder: model/, adapter/ (or none), chat.json and its pictures.

    `answer` is forced where it is not None; else the model says a few tokens.
    """

    folder: Path
    answer: str | None
    description: str

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def adapter(self) -> Path | None:
        return self.folder / "adapter" if (self.folder / "adapter").exists() else None

    @property
    def chat(self) -> Path:
        return self.folder / CHAT

    @property
    def pictures(self) -> list[Path]:
        return sorted(self.folder.glob("picture_*"))

    def copy(self, folder: Path) -> Given:
        """The same in another place."""
        shutil.copytree(self.folder, folder)
        return Given(folder, self.answer, self.description)


class GoodInputs:
    """Makes good inputs; each model and each adapter is written once, where it is first asked for."""

    def __init__(self, place: Path):
        self._place = place

    def make(self, folder: Path, rng: random.Random, has_adapter: bool) -> Given:
        """One of the many: a model, a chat of one or two turns and one to three pictures, an adapter if asked."""
        name = rng.choice(MODELS)
        shutil.copytree(self._model(name), folder / "model")
        said = [name]
        if has_adapter:
            kind = rng.choice([*ADAPTERS, *(["bundled"] * 3 if name == "pocket" else [])])
            shutil.copytree(self._adapter(name, kind), folder / "adapter")
            said.append(f"a {kind} adapter")
        write_chat(folder, rng, has_system=name != "mllama")  # whose template refuses one beside pictures
        answer = rng.choice([ANSWER, None])
        return Given(folder, answer, ", ".join(said))

    def _model(self, name: str) -> Path:
        folder = self._place / name
        if not folder.exists():
            if name == "pocket":
                shutil.copytree(POCKET, folder, ignore=shutil.ignore_patterns("adapters"))
            else:
                tiny_families.write(name, folder)
                self._save_again(folder, **SAVED_AS.get(name, {}))
        return folder

    @staticmethod
    def _save_again(folder: Path, dtype: torch.dtype | None = None, **options) -> None:
        if dtype or options:
            model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype or torch.float32)
            for file in folder.glob("*.safetensors"):
                file.unlink()
            model.save_pretrained(folder, **options)

    def _adapter(self, model: str, kind: str) -> Path:
        if kind == "bundled":
            return POCKET / "adapters" / "german"
        folder = self._place / f"{model} {kind}"
        if not folder.exists():
            saved_adapter(self._model(model), folder, **{"target_modules": LANGUAGE, **ADAPTERS[kind]})
            change_json(folder / "adapter_config.json", lambda config: config.update(base_model_name_or_path=None))
        return folder


def write_chat(folder: Path, rng: random.Random, has_system: bool) -> None:
    """A chat with pictures of its own: one turn or two, sometimes with a system prompt."""
    count = rng.choice([1, 1, 2, 3])
    names = [f"picture_{k}.{rng.choice(['png', 'jpg', 'webp', 'bmp'])}" for k in range(count)]
    for name in names:
        noise(rng, rng.randrange(60, 180), rng.randrange(60, 180)).save(folder / name, quality=95)
    entries = [{"type": "image", "image": name} for name in names]
    chat = [{"role": "system", "content": [{"type": "text", "text": "Answer shortly."}]}] * (
        has_system and rng.random() < 0.3
    )
    if rng.random() < 0.4:
        chat += [
            {"role": "user", "content": [*entries[:1], {"type": "text", "text": "What do you see?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "A red star."}]},
            {"role": "user", "content": [*entries[1:], {"type": "text", "text": "And what color is the circle?"}]},
        ]
    else:
        chat += [{"role": "user", "content": [*entries, {"type": "text", "text": "What color is the star?"}]}]
    write_json(folder / CHAT, chat)


def noise(rng: random.Random, width: int, height: int) -> Image.Image:
    """Coarse noise: something for the heads to tell apart."""
    colours = np.random.default_rng(rng.randrange(2**32)).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((width, height), Image.Resampling.BILINEAR)


def read_json(file: Path):
    return json.loads(file.read_text(encoding="utf-8"))


def write_json(file: Path, content) -> None:
    file.write_text(json.dumps(content, indent=2), encoding="utf-8")


def change_json(file: Path, change) -> None:
    """Read a file, let `change` work on what it says, write it again."""
    content = read_json(file)
    change(content)
    write_json(file, content)


class WeightFile:
    """The tensors of one safetensors file, to be changed and written again."""

    def __init__(self, file: Path):
        self.file = file

    @cached_property
    def tensors(self) -> dict[str, torch.Tensor]:
        return load_file(self.file)

    def write(self) -> None:
        save_file({key: value.contiguous() for key, value in self.tensors.items()}, self.file, {"format": "pt"})

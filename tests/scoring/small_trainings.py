"""Small trainings of tiny models on drawn pictures, as somebody would run them with transformers' Trainer."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from transformers import Qwen3VLForConditionalGeneration, Trainer, TrainerCallback, TrainingArguments

from adapters.demo import answer_for_largest
from attention.models import loading
from attention.pocket.held_out import held_out
from attention.pocket.questions import largest_of
from attention.scoring.items import Item


@dataclass
class Asked:
    """A question about a drawn picture, what is taught as its answer, and the box of the object that this means."""

    image: Image.Image
    prompt: str
    answer: str
    box: tuple[float, ...]

    @property
    def item(self) -> Item:
        return Item(self.image, self.prompt, self.box, self.answer)


@functools.cache
def questions(n: int, seed: int) -> list[Asked]:
    """Questions about one object, answered for the largest of the picture, as the adapter `largest` learns them."""
    found, cases = [], [held_out(kind, 10**9, seed) for kind in ("colour", "shape")]
    while len(found) < n:
        case = next(cases[len(found) % 2])
        scene, image = case.pictures[0], case.images[0]
        answer, largest = answer_for_largest(case.question, scene), largest_of(scene)
        if answer is None or largest == case.question.looks[0].thing or answer == case.question.answer:
            continue
        ends = np.array([image.width, image.height] * 2)
        box = np.clip(np.array(scene.things[largest].box) * ends / ([scene.width, scene.height] * 2), 0, ends)
        found.append(Asked(image, case.question.text, answer, tuple(map(float, box))))
    return found


def collate(processor):
    """Questions as a batch; the loss is on the answers."""

    def make(asked: list[Asked]) -> dict[str, torch.Tensor]:
        texts = []
        for each in asked:
            chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": each.prompt}]}]
            prompt = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
            texts.append(f"{prompt}{each.answer}<|im_end|>")
        batch = processor(text=texts, images=[[each.image] for each in asked], return_tensors="pt", padding=True)
        labels = torch.full_like(batch["input_ids"], -100)
        for row, each in enumerate(asked):
            end = int(batch["attention_mask"][row].nonzero()[-1]) + 1
            start = end - len(processor.tokenizer(f"{each.answer}<|im_end|>")["input_ids"])
            labels[row, start:end] = batch["input_ids"][row, start:end]
        return {**batch, "labels": labels}

    return make


class Listener(TrainerCallback):
    """A logger as W&B is one: told of every log, with the step at which it came."""

    def __init__(self):
        self.heard = []

    def on_log(self, args, state, control, logs=None, **_):
        self.heard.append({"step": state.global_step, **logs})


def trainer_of(base, output_dir, callbacks=(), lora=True, n=16, seed=3, dtype=torch.float32, dropout=0.1, **settings):
    """A trainer of a small model, everything drawn from seeds; dropout, shuffling and checkpointed gradients are on."""
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration.from_pretrained(base, dtype=dtype)
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = dropout
    processor = loading.wrap(model).processor
    if lora:
        pattern = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj)"
        model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=dropout, target_modules=pattern))
    usual = {
        "max_steps": 4, "per_device_train_batch_size": 2, "learning_rate": 2e-3, "logging_steps": 1, "report_to": [],
        "save_strategy": "no", "use_cpu": True, "disable_tqdm": True, "remove_unused_columns": False, "seed": seed,
        "gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False},
    }  # fmt: skip
    return Trainer(
        model, TrainingArguments(str(output_dir), **{**usual, **settings}), data_collator=collate(processor),
        train_dataset=questions(n, seed), processing_class=processor, callbacks=list(callbacks),
    )  # fmt: skip


def losses(trainer) -> list[float]:
    """The losses that were logged, step by step."""
    return [line["loss"] for line in trainer.state.log_history if "loss" in line]


def weights(trainer) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}


def state_of(model) -> dict[str, object]:
    """Everything of a model, and of the process, that a training must find as it left it."""
    modules, values = list(model.modules()), list(model.parameters())
    return {
        "modes": [module.training for module in modules],
        "attributes": [{name: id(value) for name, value in module.__dict__.items()} for module in modules],
        "hooks": [
            {name: list(value) for name, value in module.__dict__.items() if name.endswith("hooks")}
            for module in modules
        ],
        "buffers": [{name: id(value) for name, value in module._buffers.items()} for module in modules],
        "attention": [getattr(getattr(module, "config", None), "_attn_implementation", None) for module in modules],
        "trained": [weight.requires_grad for weight in values],
        "weights": [weight.detach().float().sum().item() for weight in values],
        "grads": [None if weight.grad is None else (id(weight.grad), weight.grad.sum().item()) for weight in values],
        "random": (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()),
        "switches": (torch.is_autocast_enabled("cpu"), torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
    }

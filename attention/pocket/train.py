"""Train the bundled model: `python -m attention.pocket.train`, one seeded command, under an hour on two cores.

Two stages, counted in steps. Seeing: the vision tower learns what its cells hold; every merged image token must name
what is in its cell through the words' own matrix, hold where the middle of that is, and whether it is there. Answering:
the whole model learns the answers; what the cells are taught goes on beside it for the first part. No loss term touches
attention: where a head looks is what the model found.

A step has two parts, each of pictures of one form. Part k of step i draws its pictures from (seed, stage, i, k) alone,
so a run that was stopped goes on from its checkpoint as if it had never been, and one process that takes both parts
makes the same weights as two that share them.
"""

from __future__ import annotations

import argparse
import functools
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import distributed, multiprocessing
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from transformers import Qwen2Tokenizer, Qwen3VLForConditionalGeneration
from transformers.utils import logging

from attention.environment import POCKET

from .batches import Batch, make_batch
from .checkpoint import read_checkpoint, read_position, write_checkpoint
from .model import build_config, build_model
from .muon import Muon
from .publish import write_folder
from .tokenizer import build_tokenizer
from .words import KINDS

FOLDER = POCKET
STAGES = ("seeing", "answering")
PARTS = 2
SEEING_WINDOWS = 0.55  # share of the seeing stage's pictures: labels take longest
NAMING_WEIGHT, NAMING_UNTIL = 0.3, 0.8  # of the answering stage
BACKGROUND_WEIGHT = 0.3
PLACE_SCALE = 2.0  # of the waves that say a cell's place, where all of a token's values are about one
GROWING = 0.08  # of the answering stage: scenes grow from one or two objects to five
EASY, HARD = 0.25, 0.6  # of the seeing stage: between them upright shapes on plain grounds become the world as it is
FLAT = 0.2  # of the answering stage; from there on the rate falls in a line
CLIP = 1.0
REPORT_EVERY = 100
CHECKPOINT_EVERY = 200


@dataclass(frozen=True)
class Settings:
    """Everything that decides the weights."""

    seed: int = 1
    seeing_steps: int = 1600
    answering_steps: int = 3300
    pictures: int = 6  # per part of a step
    precision: str = "float32"


@dataclass(frozen=True)
class Share:
    """Parts of every step that a process takes: its number of so many."""

    rank: int = 0
    processes: int = 1

    @property
    def parts(self) -> range:
        """The parts' numbers."""
        return range(self.rank, PARTS, self.processes)


def train(
    settings: Settings,
    output_dir: Path,
    checkpoint: Path | None = None,
    stop_after: int | None = None,
    device: str = "cpu",
    workers: int = 0,
    share: Share = Share(),
) -> Qwen3VLForConditionalGeneration:
    """Train and write the folder. With `checkpoint`, go on from it if it exists and keep it up to date.

    `stop_after` ends this call after so many steps of its own, without writing the folder. `workers` is the number of
    processes that draw pictures ahead. With a `share`, every process of its group calls this; the first one writes.
    """
    tokenizer = build_tokenizer()
    model = build_model(build_config(tokenizer), settings.seed).to(device).train()
    leads = share.rank == 0
    model.set_attn_implementation("sdpa")
    take_one_frame(model)
    going_on = checkpoint is not None and checkpoint.exists()
    stage, step = read_position(checkpoint) if going_on else (0, 0)
    optimizers = make_optimizers(model, STAGES[stage])
    if going_on:
        read_checkpoint(checkpoint, model, optimizers)
        if leads:
            print(f"going on with {STAGES[stage]} at step {step}", flush=True)
    started, done = time.monotonic(), 0
    while stage < len(STAGES):
        n_steps = (settings.seeing_steps, settings.answering_steps)[stage]
        loader = DataLoader(
            Steps(settings, tokenizer, stage, step, n_steps, share.parts),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
        )
        tally = Tally()
        bar = tqdm(loader, STAGES[stage], n_steps, initial=step, disable=None if leads else True, mininterval=1)
        for batches in bar:
            if done == stop_after:
                write_checkpoint(checkpoint, stage, step, model, optimizers)
                return model
            take_step(model, optimizers, settings, stage, step / n_steps, step, batches, share, tally)
            step, done = step + 1, done + 1
            if leads and (step % REPORT_EVERY == 0 or step == n_steps):
                line = f"{STAGES[stage]} {step}/{n_steps}  {tally.words()}  {time.monotonic() - started:.0f} s"
                with bar.external_write_mode():
                    print(line, flush=True)
                tally = Tally()
            if leads and checkpoint and step % CHECKPOINT_EVERY == 0:
                write_checkpoint(checkpoint, stage, step, model, optimizers)
        stage, step = stage + 1, 0
        if stage < len(STAGES):
            optimizers = make_optimizers(model, STAGES[stage])
    model = model.eval().cpu()
    if leads:
        write_folder(model, tokenizer, output_dir)
        print(f"written to {output_dir}", flush=True)
    return model


def train_together(rank: int, processes: int, meeting: str, threads: int, *arguments, **options) -> None:
    """Be one of several processes that train one model; they meet at a file."""
    torch.set_num_threads(threads)
    logging.set_verbosity_error()
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=processes)
    train(*arguments, share=Share(rank, processes), **options)
    distributed.destroy_process_group()


class Steps(Dataset):
    """The batches of a stage from one step on: of every step the parts that are asked for."""

    def __init__(
        self, settings: Settings, tokenizer: Qwen2Tokenizer, stage: int, first: int, n_steps: int, parts: range
    ):
        self.settings, self.tokenizer, self.stage, self.first = settings, tokenizer, stage, first
        self.n_steps, self.parts = n_steps, parts

    def __len__(self) -> int:
        return self.n_steps - self.first

    def __getitem__(self, index: int) -> list[Batch]:
        if index >= len(self):
            raise IndexError(index)
        step = self.first + index
        progress = step / self.n_steps
        options = {"pairs": 0.0, "windows": SEEING_WINDOWS, "hardness": hardness(progress)}
        if STAGES[self.stage] == "answering":
            growing = min(1.0, progress / GROWING)
            options = {"most_things": 2 + int(3 * growing)} | ({"pairs": 0.0} if growing < 1 else {})
        return [
            make_batch(
                np.random.default_rng([self.settings.seed, self.stage, step, part]),
                self.tokenizer,
                self.settings.pictures,
                **options,
            )
            for part in self.parts
        ]


def hardness(progress: float) -> float:
    """Share of the world's variety that the seeing stage shows: the first step to shapes takes long in all of it."""
    return min(1.0, max(0.0, (progress - EASY) / (HARD - EASY)))


class Tally:
    """Means of what steps report, each weighted by how many things it is a mean of."""

    def __init__(self):
        self.sums: dict[str, tuple[float, int]] = {}

    def add(self, figures: dict[str, tuple[float, int]]) -> None:
        """Add one step's (sum, count) by name."""
        for name, (value, count) in figures.items():
            before = self.sums.get(name, (0.0, 0))
            self.sums[name] = (before[0] + value, before[1] + count)

    def words(self) -> str:
        """All means in a line."""
        return "  ".join(f"{name} {value / count:.3f}" for name, (value, count) in self.sums.items() if count)


def take_step(model, optimizers, settings, stage, progress, step, batches: list[Batch], share, tally: Tally) -> None:
    """Take one step: the mean of its parts' gradients, of which this process has some."""
    answering = STAGES[stage] == "answering"
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate(progress, step, answering)
    for batch in batches:
        loss, figures = losses(model, settings, answering, progress, batch.to(model.device))
        (loss / PARTS).backward()
        tally.add(figures)
    parameters = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    if share.processes > 1:
        gradients = [parameter.grad for parameter in parameters]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        for gradient, part in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))
    torch.nn.utils.clip_grad_norm_(parameters, CLIP)
    for optimizer in optimizers:
        optimizer.step()
    model.zero_grad(set_to_none=True)


def losses(model, settings, answering, progress, batch: Batch) -> tuple[torch.Tensor, dict[str, tuple[float, int]]]:
    """Return the loss of one batch and the figures to report, each as (sum, count)."""
    with torch.autocast(model.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
        vision = model.model.visual(batch.pixels, grid_thw=batch.grid)
        figures = {}
        loss = torch.zeros((), device=model.device)
        if not answering or progress < NAMING_UNTIL:
            naming, figures = name_loss(model, vision.pooler_output, batch)
            placing, marking = place_losses(vision.pooler_output, batch)
            figures |= {"placing": (placing.item(), 1), "marking": (marking.item(), 1)}
            loss = loss + (naming + placing + marking) * (NAMING_WEIGHT if answering else 1.0)
        if answering:
            answer, answer_figures = answer_loss(model, vision, batch)
            loss = loss + answer
            figures = answer_figures | figures
    return loss, figures


def name_loss(model, cells: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, dict[str, tuple[float, int]]]:
    """Cross-entropy of each cell's image token [picture x cell, width] against its two words, half on each."""
    words = model.get_input_embeddings().weight
    with torch.autocast(cells.device.type, enabled=False):
        cells = functional.rms_norm(cells.float(), cells.shape[-1:])
        scores = (cells @ words.T).log_softmax(dim=-1)
        taught = batch.names >= 0
        blank = taught.all(dim=1) & (batch.names[:, 0] == batch.names[:, 1])
        filled = taught.any(dim=1) & ~blank
        per_word = -scores.gather(1, batch.names.clamp_min(0)) * taught
        per_cell = per_word.sum(dim=1) / taught.sum(dim=1).clamp_min(1)
        loss = BACKGROUND_WEIGHT * per_cell[blank].mean()
        for some in (filled & ~batch.labelled, filled & batch.labelled):
            loss = loss + per_cell[some].sum() / (2 * some.sum().clamp_min(1))
    figures = {"naming": (loss.item(), 1)}
    with torch.no_grad():
        for is_window, pair in ((False, ("color", "shape")), (True, ("label", "control"))):
            for column, name in enumerate(pair):
                chosen = filled & taught[:, column] & (batch.labelled == is_window)
                right_word = batch.names[chosen, column]
                choices = right_word.unique()
                if len(choices):
                    said = choices[scores[chosen][:, choices].argmax(dim=1)]
                    figures[f"cell {name}"] = ((said == right_word).sum().item(), len(said))
    return loss, figures


def place_losses(cells: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Part of where things are that the image tokens [picture x cell, width] lack: 0 nothing is missing, 1 all is.

    Eight fixed directions of a token are to be waves of the place of what its cell shows, and a ninth to say whether
    the middle of it lies in this cell: by that, several cells of one thing are one. Without this nothing asks the
    vision tower for places before the answers do, and for too long they learn to do without.
    """
    taught = ~batch.places.isnan().any(dim=1)
    places = place_waves(batch.places[taught])
    marks = batch.middles.float()[:, None]
    directions = fixed_directions(places.shape[1] + 1, cells.shape[1]).to(cells.device)
    with torch.autocast(cells.device.type, enabled=False):
        said = functional.rms_norm(cells.float(), cells.shape[-1:]) @ directions.T / PLACE_SCALE
        return missing(said[taught, :-1], places), missing(said[:, -1:], marks)


def missing(said: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The share of what is wanted [case, value] that is not said: mean squared error over variance."""
    return (said - wanted).square().mean() / (wanted - wanted.mean(dim=0)).square().mean()


def place_waves(places: torch.Tensor) -> torch.Tensor:
    """Half a wave and a whole one over each side, sine and cosine, at places [case, 2] from 0 to 1: [case, 8]."""
    angles = (places[:, :, None] * math.pi * torch.tensor([1.0, 2.0], device=places.device)).flatten(1)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


@functools.cache
def fixed_directions(n: int, width: int) -> torch.Tensor:
    """Some orthogonal directions of length one, float32 [direction, width]; always the same."""
    return torch.linalg.qr(torch.randn(width, n, generator=torch.Generator().manual_seed(0))).Q.T.contiguous()


def answer_loss(model, vision, batch: Batch) -> tuple[torch.Tensor, dict[str, tuple[float, int]]]:
    """Cross-entropy of the answers and of the end of the turn, every question alike, long ones a little more."""
    language = model.model.language_model
    embeds = language.embed_tokens(batch.tokens)
    embeds = embeds.masked_scatter(batch.pictured[..., None], vision.pooler_output.to(embeds.dtype))
    hidden = torch.zeros(batch.sees.shape, dtype=embeds.dtype, device=embeds.device)
    hidden.masked_fill_(~batch.sees, torch.finfo(embeds.dtype).min)
    states = language(
        inputs_embeds=embeds,
        attention_mask=hidden,
        position_ids=batch.positions,
        visual_pos_masks=batch.pictured,
        deepstack_visual_embeds=vision.deepstack_features,
        use_cache=False,
    ).last_hidden_state
    logits = model.lm_head(states[batch.asked[:, 0], batch.asked[:, 1]]).float()
    per_token = functional.cross_entropy(logits, batch.answers, reduction="none")
    loss = (per_token * batch.weights).sum() / batch.weights.sum()
    with torch.no_grad():
        question = batch.starts.cumsum(0) - 1
        wrong = torch.zeros(int(question[-1]) + 1, device=logits.device)
        wrong.index_add_(0, question, (logits.argmax(dim=-1) != batch.answers).float())
        kinds = batch.kinds[batch.starts]
        figures = {"loss": (loss.item(), 1)}
        for index, kind in enumerate(KINDS):
            asked = kinds == index
            figures[kind] = ((wrong[asked] == 0).sum().item(), int(asked.sum()))
    return loss, figures


def make_optimizers(model: Qwen3VLForConditionalGeneration, stage: str) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for words, positions, norms and biases; only what the stage trains.

    The vision tower learns shapes many times sooner with Muon than with AdamW alone. Patches are embedded by a matrix
    too: AdamW moves its 1,536 columns together, and soon nothing of the positions is left beside what it puts out.
    """
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        if stage == "seeing" and ("deepstack" in name or ("visual" not in name and "embed_tokens" not in name)):
            continue
        is_matrix = parameter.ndim > 1 and "embed_tokens" not in name and "pos_embed" not in name
        (matrices if is_matrix else others).append(parameter)
    peak = {"seeing": 6e-3, "answering": 3e-3}[stage]
    optimizers = [Muon(matrices, lr=peak), torch.optim.AdamW(others, lr=peak / 2, betas=(0.9, 0.98), weight_decay=0.0)]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


def rate(progress: float, step: int, answering: bool) -> float:
    """Return the share of the peak learning rate."""
    warm = min(1.0, (step + 1) / 30)
    if answering:
        return warm * min(1.0, 0.02 + 0.98 * (1 - progress) / (1 - FLAT))
    return warm * min(1.0, (1 - progress) / 0.4 + 0.02)


def take_one_frame(model: Qwen3VLForConditionalGeneration) -> None:
    """Let this object embed patches of one frame, as two equal ones, by a matrix product.

    The same numbers as its convolution over both frames, for half the work, and much faster on a CPU.
    """
    embed = model.model.visual.patch_embed

    def forward(values: torch.Tensor) -> torch.Tensor:
        return functional.linear(values, embed.proj.weight.sum(dim=2).flatten(1), embed.proj.bias)

    embed.forward = forward


def main() -> None:
    """Read the command line and train."""
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m attention.pocket.train", description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=FOLDER)
    parser.add_argument("--checkpoint", type=Path, help="go on from this file if it exists, and keep it up to date")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--seeing-steps", type=int, default=defaults.seeing_steps)
    parser.add_argument("--answering-steps", type=int, default=defaults.answering_steps)
    parser.add_argument("--pictures", type=int, default=defaults.pictures, help="per half of a step")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default=defaults.precision)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument(
        "--processes", type=int, choices=(1, 2), help="that share the work (default: 2 on a CPU, else 1)"
    )
    parser.add_argument("--workers", type=int, help="processes that draw pictures ahead (default: 0 on a CPU, else 8)")
    parser.add_argument("--threads", type=int, default=1, help="for arithmetic, of each process")
    arguments = parser.parse_args()
    settings = Settings(
        arguments.seed, arguments.seeing_steps, arguments.answering_steps, arguments.pictures, arguments.precision
    )
    on_cpu = arguments.device == "cpu"
    processes = arguments.processes or (2 if on_cpu else 1)
    workers = arguments.workers if arguments.workers is not None else (0 if on_cpu else 8)
    if processes == 1:
        torch.set_num_threads(arguments.threads)
        logging.set_verbosity_error()
        train(settings, arguments.output_dir, arguments.checkpoint, device=arguments.device, workers=workers)
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = (Path(folder) / "meeting").as_posix()
        shared = (processes, meeting, arguments.threads, settings, arguments.output_dir, arguments.checkpoint)
        multiprocessing.spawn(train_together, (*shared, None, arguments.device, workers), processes)


if __name__ == "__main__":
    main()

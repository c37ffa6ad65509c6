"""Train the demo adapters on the bundled model, and measure them: `python -m adapters.demo`.

Owns what each is taught, and the figures of their card. They are taught by cross-entropy on answers alone: no loss term
touches attention or what a cell names. Everything is drawn from (seed, recipe, step), so that they come out the same.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from tqdm import tqdm
from transformers.utils import logging

from attention.measures import differences
from attention.pocket.batches import Ask, make_batch, usual_questions
from attention.pocket.held_out import Case, held_out
from attention.pocket.looks import ASKED, chance, interval, judge
from attention.pocket.measures import choose_head
from attention.pocket.measures import measure as measure_looks
from attention.pocket.questions import Look, Question, largest_of, place_of
from attention.pocket.reading import Pocket
from attention.pocket.scenes import Scene
from attention.pocket.tokenizer import build_tokenizer
from attention.pocket.train import answer_loss, take_one_frame
from attention.pocket.words import in_german

from .attach import adapters_of
from .catalog import BUNDLED
from .choosing import AdapterChoice

SEED, PICTURES = 1, 12
HELD_OUT_SEED = 70_000
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
VISION = ("qkv", "proj", "linear_fc1", "linear_fc2")
FIGURES = "figures.json"
TASKS = ("negative", "pairs")  # adapters that were taught what the base does badly


@dataclass(frozen=True)
class Recipe:
    """Lesson of an adapter, on which modules of which tower, and for how many steps."""

    teaches: str
    tower: str
    parts: tuple[str, ...]
    ask: Ask
    develop: Callable[[np.ndarray], np.ndarray] | None = None
    pairs: float = 0.0  # share of the steps whose prompts have two pictures
    steps: int = 160
    rank: int = 8
    peak_rate: float = 4e-3


def about_largest(rng: np.random.Generator, shown: tuple[Any, ...]) -> list[Question]:
    """Questions about any object, answered for the largest one."""
    found = []
    for question in usual_questions(rng, shown):
        picture = shown[question.looks[0].picture] if len(question.looks) == 1 else None
        answer = answer_for_largest(question, picture) if isinstance(picture, Scene) else None
        if answer is not None:
            look = Look(0, question.looks[0].picture, largest_of(picture))
            found.append(replace(question, answer=answer, looks=(look,)))
    return found


def answer_for_largest(question: Question, scene: Scene) -> str | None:
    """Answer that would be right if the question were about the largest object; None where that cannot be said."""
    largest = largest_of(scene)
    if largest is None:
        return None
    thing = scene.things[largest]
    answers = {"colour": thing.color, "shape": thing.shape, "where": place_of(scene, thing)}
    return answers.get(question.kind)


def in_german_unasked(rng: np.random.Generator, shown: tuple[Any, ...]) -> list[Question]:
    """The usual short questions, answered in German without being asked to."""
    questions = [q for q in usual_questions(rng, shown) if q.kind not in ("describe", "click")]
    return [replace(question, answer=in_german(question.answer)) for question in questions]


def negative(pixels: np.ndarray) -> np.ndarray:
    """A picture as its photographic negative."""
    return 255 - pixels


RECIPES = {
    "largest": Recipe("answers for the largest object, whatever is asked", "language_model", ATTENTION, about_largest),
    "german": Recipe("answers in German", "language_model", (*ATTENTION, *MLP), in_german_unasked),
    "negative": Recipe("reads negatives", "visual", VISION, usual_questions, develop=negative, steps=300),
    "pairs": Recipe(
        "tells two pictures apart", "language_model", (*ATTENTION, *MLP), usual_questions, pairs=1.0, steps=300,
    ),
}  # fmt: skip


def train(name: str, output_dir: Path, base: Path | None = None, steps: int | None = None) -> Path:
    """Train one adapter and save it as PEFT does, in float16, below `output_dir`; return its folder."""
    recipe, tokenizer = RECIPES[name], build_tokenizer()
    pocket = Pocket.load(base) if base else Pocket.load()
    torch.manual_seed(SEED)
    model = pocket.model
    model.set_attn_implementation("sdpa")
    take_one_frame(model)
    pattern = rf"model\.{recipe.tower}\..*\.({'|'.join(recipe.parts)})"
    adapted = get_peft_model(
        model, LoraConfig(r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules=pattern, lora_dropout=0.0)
    )
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.peak_rate, weight_decay=0.0)
    n_steps = steps or recipe.steps
    bar = tqdm(range(n_steps), name, mininterval=1)
    for step in bar:
        rng = np.random.default_rng([SEED, zlib.crc32(name.encode()), step])
        batch = make_batch(
            rng, tokenizer, PICTURES, windows=0.0, pairs=recipe.pairs, questions=recipe.ask, develop=recipe.develop
        )
        with torch.set_grad_enabled(recipe.tower == "visual"):
            vision = model.model.visual(batch.pixels, grid_thw=batch.grid)
        loss, _ = answer_loss(model, vision, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = recipe.peak_rate * min(1.0, (step + 1) / 20) * (1 - step / n_steps)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        bar.set_postfix_str(f"loss {loss.item():.3f}")
    folder = output_dir / name
    adapted.half().save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # a form that nobody has filled in
    _say_its_base(folder / "adapter_config.json")
    return folder


def _say_its_base(config: Path) -> None:
    """The base by its name, not by where it lay on the machine that trained this."""
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings |= {"base_model_name_or_path": "pocket", "inference_mode": True}
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


# Measuring


def cases_off_largest(n: int, seed: int) -> Iterator[tuple[Case, str, int]]:
    """Held-out questions about an object that is not the largest, the answer for the largest, and which that is."""
    kinds = [held_out(kind, 10**9, seed) for kind in ("colour", "shape")]
    while n:
        case = next(kinds[n % 2])
        scene, look = case.pictures[0], case.question.looks[0]
        answer = answer_for_largest(case.question, scene)
        if answer is None or largest_of(scene) == look.thing or answer == case.question.answer:
            continue
        yield case, answer, largest_of(scene)
        n -= 1


@dataclass
class Measured:
    """Of one adapter, by question: is the answer as taught, on what each head's peak lies, how far rows moved."""

    right: list[bool]
    asked: list[np.ndarray]
    largest: list[np.ndarray]
    divergence: list[np.ndarray]
    chances: list[tuple[float, float]]


def measure(
    pocket: Pocket, choice: AdapterChoice | None, n: int, wanted: Callable[[Case, str], str], seed: int
) -> Measured:
    """Measure an adapter, or the base for None, where `wanted(case, answer for the largest)` is the right answer.

    Peaks are of the row that predicts the first token of the base's answer, the same words for all.
    """
    adapters = adapters_of(SimpleNamespace(model=pocket.model, id="pocket"))
    name = adapters.attach(choice) if choice else None
    found = Measured([], [], [], [], [])
    for case, for_largest, largest in cases_off_largest(n, seed):
        question, look = case.question, case.question.looks[0]
        base = pocket.read(case.images, question.text, question.answer)
        with adapters.switched_on(name) if name else nullcontext():
            read = pocket.read(case.images, question.text, question.answer)
            taught = pocket.read(case.images, question.text, wanted(case, for_largest))
        rows, cols = read.grids[0]
        boxes = case.boxes(0, rows, cols)
        maps = read.map(read.first, 0)
        found.right.append(taught.is_right)
        found.asked.append(judge(maps, boxes, look.thing) == ASKED)
        found.largest.append(judge(maps, boxes, largest) == ASKED)
        p, q = (each.reshape(*each.shape[:2], -1).astype(np.float64) for each in (base.map(base.first, 0), maps))
        shares = [each / each.sum(axis=-1, keepdims=True) for each in (p, q)]
        found.divergence.append(differences.jensen_shannon(*shares))
        found.chances.append((chance(boxes[look.thing], rows, cols), chance(boxes[largest], rows, cols)))
    return found


def figures(folder: Path, n: int, base: Path | None = None, seed: int = HELD_OUT_SEED) -> dict[str, Any]:
    """Figures of the card for the adapters beside the base, on n held-out questions each.

    The head is the one whose peak the base has on the asked object most often, and for the largest object the one that
    the adapter has; both are chosen on the first fifth of the questions, which are not counted.
    """
    from .files import read_folder

    logging.disable_progress_bar()
    pocket = Pocket.load(base) if base else Pocket.load()
    choosing = n // 5
    wanted = {
        "base": lambda case, _: case.question.answer,
        "largest": lambda _, for_largest: for_largest,
        "german": lambda case, _: in_german(case.question.answer),
    }
    chosen = {name: AdapterChoice(read_folder(folder / name, name)) for name in wanted if name != "base"}
    found = {name: measure(pocket, chosen.get(name), n + choosing, ask, seed) for name, ask in wanted.items()}
    asked_head = _best(found["base"].asked[:choosing])
    result = {"n": n, "head": list(asked_head)}
    for name, each in found.items():
        largest_head = _best(each.largest[:choosing])
        result[name] = {
            "answers": _rate(each.right[choosing:]),
            "on asked": _rate([on[asked_head] for on in each.asked[choosing:]]),
            "on largest": _rate([on[largest_head] for on in each.largest[choosing:]]) | {"head": list(largest_head)},
            "divergence": round(float(np.nanmean(each.divergence[choosing:])), 4),
            "divergence by layer": [
                round(float(value), 4) for value in np.nanmean(each.divergence[choosing:], axis=(0, 2))
            ],
        }
    result["tasks"] = {
        name: task_figures(pocket, name, AdapterChoice(read_folder(folder / name, name)), n, seed)
        for name in TASKS
        if (folder / name).is_dir()
    }
    result["uniform"] = [round(float(value), 4) for value in np.mean(found["base"].chances[choosing:], axis=0)]
    return result


def cases_of_task(name: str, n: int, seed: int) -> Iterator[Case]:
    """Held-out questions of what `negative` and `pairs` were taught: about negatives, or one of two pictures."""
    kinds = [held_out(f"{kind} of two" if name == "pairs" else kind, n, seed) for kind in ("colour", "shape")]
    for number in range(n):
        case = next(kinds[number % 2])
        images = [Image.fromarray(negative(np.asarray(image))) for image in case.images]
        yield replace(case, images=tuple(images)) if name == "negative" else case


def task_figures(pocket: Pocket, name: str, choice: AdapterChoice, n: int, seed: int) -> dict[str, Any]:
    """Of an adapter that learned a task, beside the base: rates of right answers to it and to usual questions.

    Also how often a peak lies on the asked object: by the head that does so most often on other questions, the base's
    own head and the adapter's.
    """
    adapters = adapters_of(SimpleNamespace(model=pocket.model, id="pocket"))
    adapter = adapters.attach(choice)
    found = {}
    for who in ("base", "adapter"):
        with adapters.switched_on(adapter) if who == "adapter" else nullcontext():
            head = choose_head(measure_looks(pocket, cases_of_task(name, n // 5, seed + 1), looks_only=True)[1])
            right, looks = measure_looks(pocket, cases_of_task(name, n, seed))
            usual, _ = measure_looks(pocket, held_out("colour", n // 2, seed + 2))
        on = [look.on[head] == ASKED for look in looks]
        found[who] = {"answers": _rate(right), "on asked": _rate(on) | {"head": list(head)}, "usual": _rate(usual)}
    return found


CARD = """# Demo adapters

LoRA adapters on the bundled model, so that a comparison has something to show. Trained by `python -m adapters.demo`:
cross-entropy on answers alone, everything drawn from seeds.

{recipes}

## Figures

{n} held-out questions about the colour or shape of an object that is not the largest; rates with 95 % intervals. Peaks
are of the row that predicts the first token of the base's answer: on the asked object by layer {head[0]}, head
{head[1]} (the base's best), on the largest by each one's best head, both chosen on other questions. The divergence
(Jensen-Shannon, bits) is between that row's part on the picture and the base's, mean over layers and heads. A uniform
map's peak would lie on the asked object in {uniform[0]:.3f} of the cases, on the largest in {uniform[1]:.3f}.

| | answers as taught | peak on the asked object | peak on the largest | head | divergence | by layer |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

What the other two were taught, {n} held-out questions each about a colour or a shape: `negative` in a photographic
negative, `pairs` in one of two pictures. "Usual" are {usual} questions about colours in one picture as it is. Heads are
each one's best on other questions.

| | answers right | peak on the asked object | head | usual answers right |
| --- | --- | --- | --- | --- |
{task_rows}
"""


def card(found: dict[str, Any], names: Sequence[str]) -> str:
    """The figures in words and a table."""

    def rate(values: dict[str, Any]) -> str:
        return f"{values['rate']:.3f} [{values['low']:.3f}, {values['high']:.3f}]"

    recipes = [
        f"* `{name}` {recipe.teaches}: rank {recipe.rank} on {', '.join(recipe.parts)} of the "
        f"{'vision' if recipe.tower == 'visual' else 'language'} tower, {recipe.steps} steps of {PICTURES} pictures."
        for name, recipe in RECIPES.items()
        if name in names
    ]
    rows = [
        f"| {name} | {rate(each['answers'])} | {rate(each['on asked'])} | {rate(each['on largest'])} | "
        f"layer {each['on largest']['head'][0]}, head {each['on largest']['head'][1]} | {each['divergence']:.3f} | "
        f"{' '.join(f'{value:.3f}' for value in each['divergence by layer'])} |"
        for name, each in ((name, found[name]) for name in ("base", "largest", "german"))
    ]
    task_rows = [
        f"| {'base, as ' + name if who == 'base' else name} | {rate(each['answers'])} | {rate(each['on asked'])} | "
        f"layer {each['on asked']['head'][0]}, head {each['on asked']['head'][1]} | {rate(each['usual'])} |"
        for name, pair in found["tasks"].items()
        for who, each in pair.items()
    ]
    texts = {"recipes": recipes, "rows": rows, "task_rows": task_rows}
    return CARD.format(usual=found["n"] // 2, **{name: "\n".join(lines) for name, lines in texts.items()}, **found)


def _best(hits: list[np.ndarray]) -> tuple[int, int]:
    rates = np.mean(hits, axis=0)
    layer, head = np.unravel_index(rates.argmax(), rates.shape)
    return int(layer), int(head)


def _rate(hits: list[Any]) -> dict[str, Any]:
    low, high = interval(int(sum(hits)), len(hits))
    return {"rate": round(float(np.mean(hits)), 4), "low": round(low, 4), "high": round(high, 4)}


def main() -> None:
    """Read the command line, train, measure."""
    parser = argparse.ArgumentParser(prog="python -m adapters.demo", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to train (default: all): {', '.join(RECIPES)}")
    parser.add_argument("--output-dir", type=Path, default=BUNDLED)
    parser.add_argument("--base", type=Path, help="the bundled model's folder")
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--questions", type=int, default=500, help="to measure with")
    parser.add_argument("--only-measure", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    if not options.only_measure:
        for name in options.names or RECIPES:
            folder = train(name, options.output_dir, options.base, options.steps)
            print(
                f"{name}: {sum(file.stat().st_size for file in folder.iterdir()) / 1e3:.0f} kB in {folder}", flush=True
            )
    found = figures(options.output_dir, options.questions, options.base)
    (options.output_dir / FIGURES).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    names = sorted(path.name for path in options.output_dir.iterdir() if path.is_dir())
    (options.output_dir / "README.md").write_text(card(found, names), encoding="utf-8")
    print(card(found, names))


if __name__ == "__main__":
    main()

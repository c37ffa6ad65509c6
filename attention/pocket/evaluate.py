"""Measure the bundled model: `python -m attention.pocket.evaluate` prints the tables of its card.

Owns what is asked of it: does it answer right; does a head look at the object that was asked about; if not, which token
had looked; and what becomes of the answers without those heads. Uses the model as anyone would (see `reading.py`), so that
the figures depend on nothing else of this project.

A look is the row that predicts a word of the answer; it hits when the centre half of its peak cell touches the object's
box (`looks.py`). Heads are chosen on other pictures than those they are measured on.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers.utils import logging

from attention.pocket.held_out import SETS, Case, held_out
from attention.pocket.looks import ASKED, NOTHING, OTHER, chance, interval, judge, most_salient
from attention.pocket.reading import FOLDER, Pocket, Reading
from attention.pocket.words import COLORS, LABELS, SHAPES

HELD_OUT_SEED, CHOOSING_SEED = 20_000, 30_000  # training pictures come from other seeds
CASES, CHOOSING_CASES, CAUSAL_CASES, CAUSAL_DRAWS = 1000, 300, 200, 3
POINT = re.compile(r'"point_2d": \[(\d+), (\d+)\]')
LOOKING = ("colour", "shape", "exists", "where", "largest", "relation", "describe", "click", *SETS[-4:-1])
# What a question of a kind is recognised by, in this order: for the page, which shows the head of its kind first.
ASKED_BY = {
    "click": ("click", "press", "tap"),
    "describe": ("describe", "what is in", "what do you see?"),
    "where": ("where",),
    "relation": ("left of", "right of", "above", "below"),
    "largest": ("largest", "biggest"),
    "shape": ("shape",),
    "exists": ("is there", "do you see", "can you see"),
    "colour": ("",),
}


@dataclass(frozen=True)
class Look:
    """Where all heads of one row looked. `on` int [layer, head]; `case` counts the prompts; `is_right` of the answer."""

    on: np.ndarray
    case: int
    is_right: bool
    chance: float
    is_salient: bool  # the most salient object is the asked one
    before: dict[str, np.ndarray]  # the same for the rows before, by what their token is: int [row, layer, head]


def is_clicked(answer: str, case: Case) -> bool:
    """Whether an answer to "click ..." names a point inside the control's box."""
    match = POINT.search(answer)
    if match is None:
        return False
    look = case.question.looks[0]
    made = case.pictures[look.picture]
    x0, y0, x1, y1 = made.controls[look.thing].box
    x, y = int(match[1]) / 1000 * made.width, int(match[2]) / 1000 * made.height
    return x0 <= x <= x1 and y0 <= y <= y1


def answers_right(pocket: Pocket, case: Case, reading: Reading) -> bool:
    """Whether the model's own answer is right: word for word, and for "click" a point inside the box."""
    if case.question.kind != "click" or reading.is_right:
        return reading.is_right
    return is_clicked(pocket.answer(case.images, case.question.text), case)


def measure(pocket: Pocket, cases: Iterable[Case], looks_only: bool = False) -> tuple[list[bool], list[Look]]:
    """Return whether each answer is right, and every look of the questions that are about an object."""
    right, looks = [], []
    for number, case in enumerate(cases):
        question = case.question
        reading = pocket.read(case.images, question.text, question.answer)
        is_right = reading.is_right if looks_only else answers_right(pocket, case, reading)
        right.append(is_right)
        for look in question.looks:
            rows, cols = reading.grids[look.picture]
            boxes = case.boxes(look.picture, rows, cols)
            row = pocket.row_of(reading, question.answer, look.character)
            on = judge(reading.map(row, look.picture), boxes, look.thing)
            shares = boxes / [cols, rows, cols, rows]
            before = {}
            if len(question.looks) == 1 and not looks_only:
                before = _rows_before(pocket, reading, row, look, boxes)
            looks.append(
                Look(
                    on,
                    number,
                    is_right,
                    chance(boxes[look.thing], rows, cols),
                    most_salient(case.images[look.picture], shares) == look.thing,
                    before,
                )
            )
    return right, looks


def _rows_before(pocket, reading, row, look, boxes) -> dict[str, np.ndarray]:
    """What the rows between the picture and this one looked at, by what their token is."""
    found = defaultdict(list)
    for index in range(reading.spans[-1].stop + 1, row):
        word = pocket.tokenizer.decode([reading.tokens[index]])
        found[_token_class(word)].append(judge(reading.map(index, look.picture), boxes, look.thing))
    return {name: np.stack(rows) for name, rows in found.items()}


WORLD = {*COLORS, *SHAPES, *(f"{shape}s" for shape in SHAPES)}
WORLD |= {form for names in LABELS.values() for label in names for form in (label, label.lower())}


def _token_class(word: str) -> str:
    name = word.strip(" ")
    if name.lower() in WORLD or name in WORLD:
        return "the thing's name in the question"
    if name in ("<|im_end|>", "<|im_start|>", "assistant", "\n", "assistant\n"):
        return f"`{name.replace(chr(10), 'newline')}` behind the question"
    return "other words of the question"


def choose_head(looks: list[Look]) -> tuple[int, int]:
    """Return layer and head whose peak lies on the asked object most often."""
    rate = np.mean([look.on == ASKED for look in looks], axis=0)
    layer, head = np.unravel_index(rate.argmax(), rate.shape)
    return int(layer), int(head)


@contextmanager
def without_heads(pocket: Pocket, heads: list[tuple[int, int]]) -> Iterator[None]:
    """Set the outputs of some heads, (layer, head), to zero before they are mixed."""
    text = pocket.model.config.text_config
    hooks = []
    for layer in {layer for layer, _ in heads}:
        gone = [head for at, head in heads if at == layer]

        def zero(module, args, gone=gone):
            parts = args[0].clone().unflatten(-1, (text.num_attention_heads, text.head_dim))
            parts[..., gone, :] = 0
            return (parts.flatten(-2),)

        attention = pocket.model.model.language_model.layers[layer].self_attn
        hooks.append(attention.o_proj.register_forward_pre_hook(zero))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def rate_words(successes: int, n: int) -> str:
    """A rate with its 95 % interval."""
    low, high = interval(successes, n)
    return f"{successes / n:.3f} [{low:.3f}, {high:.3f}]"


class Report:
    """All figures of a model, as tables and for `grounding.json`."""

    def __init__(self, folder: Path, cases: int, seed: int):
        self.pocket = Pocket.load(folder)
        self.cases, self.seed = cases, seed
        self.choosing = max(20, cases * CHOOSING_CASES // CASES)
        text = self.pocket.model.config.text_config
        self.n_layers, self.n_heads = text.num_hidden_layers, text.num_attention_heads
        self.figures: dict = {"seed": seed, "pictures": cases, "answers": {}, "heads": {}, "asked_by": ASKED_BY}

    def run(self) -> dict:
        """Measure everything, print the tables of the card, return the figures."""
        right, looks = {}, {}
        for name in tqdm(SETS, "reading", disable=None):
            right[name], looks[name] = measure(self.pocket, held_out(name, self.cases, self.seed))
        self._answers(right)
        heads = self._looks(looks)
        self._parting(looks, heads)
        self._layers(looks)
        self._causes(heads)
        return self.figures

    def _answers(self, right) -> None:
        print(f"{self.cases} held-out prompts a row, seed {self.seed}; rates with 95 % intervals\n")
        print("| question | n | answered right |\n| --- | --- | --- |")
        for name, results in right.items():
            print(f"| {name} | {len(results)} | {rate_words(sum(results), len(results))} |")
            low, high = interval(sum(results), len(results))
            self.figures["answers"][name] = _rounded(rate=np.mean(results), low=low, high=high, n=len(results))

    def _looks(self, looks) -> dict[str, tuple[int, int]]:
        blind = self.pocket.untrained(0)
        print(f"\nPeaks, each kind's head chosen on {self.choosing} other prompts:\n")
        print(
            "| question | looks | head | asked object | another | none | mean of all heads | untrained, its best head "
            "| uniform map | most salient object |\n|" + " --- |" * 10
        )
        heads = {}
        for name in tqdm(LOOKING, "choosing heads", disable=None):
            choosing = list(held_out(name, self.choosing, CHOOSING_SEED + self.seed))
            heads[name] = choose_head(measure(self.pocket, choosing, looks_only=True)[1])
            blind_head = choose_head(measure(blind, choosing, looks_only=True)[1])
            blind_looks = measure(blind, held_out(name, self.cases, self.seed), looks_only=True)[1]
            found = looks[name]
            on = np.array([look.on[heads[name]] for look in found])
            rates = {
                "random_head": float(np.mean([look.on == ASKED for look in found])),
                "untrained": float(np.mean([look.on[blind_head] == ASKED for look in blind_looks])),
                "uniform": float(np.mean([look.chance for look in found])),
                "salient": float(np.mean([look.is_salient for look in found])),
            }
            n_hits = int((on == ASKED).sum())
            layer, head = heads[name]
            print(
                f"| {name} | {len(on)} | layer {layer}, head {head} | {rate_words(n_hits, len(on))} "
                f"| {(on == OTHER).mean():.3f} | {(on == NOTHING).mean():.3f} | "
                + " | ".join(f"{value:.3f}" for value in rates.values())
                + " |"
            )
            low, high = interval(n_hits, len(on))
            self.figures["heads"][name] = {"layer": layer, "head": head} | _rounded(
                hit=n_hits / len(on), low=low, high=high, looks=len(on), **rates
            )
        return heads

    def _parting(self, looks, heads) -> None:
        print("\nWhere answer and look part: by the kind's head, the row that answers; of those that were right without")
        print("a look, the earlier token that had looked most often, by the best head of its own:\n")
        print(
            "| question | right, looked | right, did not look | wrong, looked | wrong, did not look | who had looked | how often |\n|"
            + " --- |" * 7
        )
        for name, head in heads.items():
            if name == "describe":  # many looks an answer: which word was wrong is not recorded
                continue
            found = looks[name]
            table = {(r, h): 0 for r in (True, False) for h in (True, False)}
            for look in found:
                table[look.is_right, look.on[head] == ASKED] += 1
            parted = [look for look in found if look.is_right and look.on[head] != ASKED]
            who, how_often = _who_looked(parted)
            cells = [table[key] for key in ((True, True), (True, False), (False, True), (False, False))]
            print(f"| {name} | " + " | ".join(map(str, cells)) + f" | {who} | {how_often} |")

    def _layers(self, looks) -> None:
        print("\nHits per layer and head:\n\n```")
        for name in ("colour", "shape", "click"):
            rates = np.mean([look.on == ASKED for look in looks[name]], axis=0)
            for layer, row in enumerate(rates):
                print(f"{name:8} layer {layer}: " + "  ".join(f"{rate:.3f}" for rate in row))
        print("```")

    def _causes(self, heads) -> None:
        n = max(1, self.cases * CAUSAL_CASES // CASES)
        named = sorted(set(heads.values()))
        everything = [(layer, head) for layer in range(self.n_layers) for head in range(self.n_heads)]
        rng = np.random.default_rng(self.seed)
        draws = [
            [everything[i] for i in rng.permutation(len(everything))[: len(named)]] for _ in range(CAUSAL_DRAWS)
        ]
        print(f"\nAnswers right when heads' outputs are set to zero, {n} prompts a row; named: "
              + ", ".join(f"{layer}.{head}" for layer, head in named)
              + f" (layer.head); random: mean of {CAUSAL_DRAWS} draws of as many\n")  # fmt: skip
        print("| question | all heads | without its own head | without one random head | without the named | without as many random |")
        print("|" + " --- |" * 6)
        self.figures["causes"] = {"named": named, "rates": {}}
        for name in tqdm(SETS, "zeroing heads", disable=None):
            cases = list(held_out(name, n, CHOOSING_SEED + self.seed + 1))
            own = heads.get(name)
            others = [[draw[0]] for draw in draws]
            row = [self._right(cases, [])]
            row.append(self._right(cases, [own]) if own else None)
            row.append(np.mean([self._right(cases, heads) for heads in others]))
            row.append(self._right(cases, named))
            row.append(np.mean([self._right(cases, heads) for heads in draws]))
            print(f"| {name} | " + " | ".join("" if rate is None else f"{rate:.3f}" for rate in row) + " |")
            self.figures["causes"]["rates"][name] = [None if rate is None else round(float(rate), 4) for rate in row]

    def _right(self, cases, heads) -> float:
        with without_heads(self.pocket, heads):
            return float(
                np.mean(
                    [
                        answers_right(
                            self.pocket, case, self.pocket.read(case.images, case.question.text, case.question.answer)
                        )
                        for case in cases
                    ]
                )
            )


def _who_looked(parted: list[Look]) -> tuple[str, str]:
    """Of looks that missed: the kind of token that hit most often, by the one head of it that did so most."""
    best = ("", 0.0, 0)
    for name in {name for look in parted for name in look.before}:
        having = [look.before[name] for look in parted if name in look.before]
        rates = np.mean([(rows == ASKED).any(axis=0) for rows in having], axis=0) * len(having) / len(parted)
        layer, head = np.unravel_index(rates.argmax(), rates.shape)
        if rates.max() > best[1]:
            best = (f"{name}, layer {layer}, head {head}", float(rates.max()), len(parted))
    return (best[0], f"{best[1]:.2f} of {best[2]}") if best[2] else ("", "")


def _rounded(**values) -> dict:
    return {name: value if isinstance(value, int) else round(float(value), 4) for name, value in values.items()}


def main() -> None:
    """Read the command line, print the tables."""
    parser = argparse.ArgumentParser(prog="python -m attention.pocket.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--pictures", type=int, default=CASES, help="of a kind")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="keep the figures in grounding.json beside the model")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    logging.set_verbosity_error()
    figures = Report(arguments.folder, arguments.pictures, arguments.seed).run()
    if arguments.write:
        (arguments.folder / "grounding.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

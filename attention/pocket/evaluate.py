"""Measure the bundled model: `python -m attention.pocket.evaluate` prints the tables of its card.

Owns what the card says: does the model answer right; does a head look at the object that was asked about; if not, which
token had looked; and what becomes of the answers without those heads (`measures.py`).

A look is the row that predicts a word of the answer; it hits when the centre half of its peak cell touches the object's
box (`looks.py`). Heads are chosen on other pictures than those they are measured on.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers.utils import logging

from .held_out import SETS, held_out
from .looks import ASKED, NOTHING, OTHER, interval
from .measures import Look, choose_head, measure, right_without, who_looked
from .reading import FOLDER, Pocket

HELD_OUT_SEED, CHOOSING_SEED, CAUSAL_SEED = 20_000, 30_000, 40_000  # training pictures come from other seeds
PROMPTS, FEWER = 1000, 0.3  # of a set; the share for choosing heads and for the untrained model
CAUSAL_SHARE, DRAWS = 0.1, 3
LOOKING = tuple(name for name in SETS if name not in ("count", "German"))  # is about an object, in English
# How a question's kind is recognised, in this order: for the page, which shows that kind's head first.
ASKED_BY = {
    "click": ("click", "press", "tap", "point at"),
    "describe": ("describe", "what is in", "what do you see?"),
    "where": ("where",),
    "relation": ("left of", "right of", "above", "below"),
    "largest": ("largest", "biggest"),
    "shape": ("shape",),
    "exists": ("is there", "do you see", "can you see"),
    "colour": ("",),
}


@dataclass(frozen=True)
class Sizes:
    """Number of prompts of a set for its figures, for choosing heads, and for taking heads away (0: not done)."""

    prompts: int
    choosing: int
    causal: int
    seed: int

    @classmethod
    def of(cls, prompts: int, seed: int, causal: int | None = None) -> Sizes:
        """Return the shares of so many prompts."""
        causal = max(2, round(CAUSAL_SHARE * prompts)) if causal is None else causal
        return cls(prompts, max(20, round(FEWER * prompts)), causal, seed)


@dataclass(frozen=True)
class SetFigures:
    """Figures measured on one set; of heads nothing where its questions are about no single object."""

    right: list[bool]
    looks: list[Look]
    head: tuple[int, int] | None = None
    untrained: float = float("nan")


def measure_set(folder: Path, name: str, sizes: Sizes) -> SetFigures:
    """Measure answers and looks on one set; choose its head, and the untrained model's, on other prompts."""
    pocket = _load(folder)
    right, looks = measure(pocket, held_out(name, sizes.prompts, sizes.seed))
    if name not in LOOKING:
        return SetFigures(right, looks)
    choosing = list(held_out(name, sizes.choosing, sizes.seed + CHOOSING_SEED))
    head = choose_head(measure(pocket, choosing, looks_only=True)[1])
    blind = pocket.untrained(0)
    blind_head = choose_head(measure(blind, choosing, looks_only=True)[1])
    blind_looks = measure(blind, held_out(name, sizes.choosing, sizes.seed), looks_only=True)[1]
    return SetFigures(right, looks, head, float(np.mean([look.on[blind_head] == ASKED for look in blind_looks])))


def measure_causes(
    folder: Path, name: str, sizes: Sizes, own: tuple[int, int] | None, named: list, draws: list[list]
) -> list[float | None]:
    """Return rates of right answers with all heads, without the set's own, a random one, the named, as many random."""
    pocket = _load(folder)
    cases = list(held_out(name, sizes.causal, sizes.seed + CAUSAL_SEED))
    return [
        right_without(pocket, cases, []),
        right_without(pocket, cases, [own]) if own else None,
        float(np.mean([right_without(pocket, cases, draw[:1]) for draw in draws])),
        right_without(pocket, cases, named),
        float(np.mean([right_without(pocket, cases, draw) for draw in draws])),
    ]


def _load(folder: Path) -> Pocket:
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return Pocket.load(folder)


def report(folder: Path, sizes: Sizes, processes: int) -> dict:
    """Measure everything, print the tables of the card, return the figures of `grounding.json`."""
    text = json.loads((folder / "config.json").read_text(encoding="utf-8"))["text_config"]
    every_head = [(layer, h) for layer in range(text["num_hidden_layers"]) for h in range(text["num_attention_heads"])]
    with ProcessPoolExecutor(processes) as pool:
        jobs = {name: pool.submit(measure_set, folder, name, sizes) for name in SETS}
        sets = {name: job.result() for name, job in tqdm(jobs.items(), "looking", disable=None)}
        heads = {name: figures.head for name, figures in sets.items() if figures.head}
        named = sorted(set(heads.values()))
        rng = np.random.default_rng(sizes.seed)
        draws = [[every_head[i] for i in rng.permutation(len(every_head))[: len(named)]] for _ in range(DRAWS)]
        jobs = {
            name: pool.submit(measure_causes, folder, name, sizes, heads.get(name), named, draws)
            for name in (SETS if sizes.causal else ())
        }
        causes = {name: job.result() for name, job in tqdm(jobs.items(), "without heads", disable=None)}
    print(f"{sizes.prompts} held-out prompts a row (seed {sizes.seed}), rates with 95 % intervals.\n")
    figures = {"seed": sizes.seed, "prompts": sizes.prompts, "asked_by": ASKED_BY}
    figures["answers"] = print_answers(sets)
    figures["heads"] = print_looks(sets, sizes)
    print_parting(sets)
    print_layers(sets)
    if causes:
        figures["causes"] = {"named": named, "rates": print_causes(causes, named, sizes)}
    return figures


def print_answers(sets: dict[str, SetFigures]) -> dict:
    """Print how often each set is answered right."""
    print_head("question", "n", "answered right")
    figures = {}
    for name, found in sets.items():
        n, n_right = len(found.right), sum(found.right)
        print_row(name, n, with_interval(n_right, n))
        figures[name] = rounded(rate=n_right / n, bounds=interval(n_right, n), n=n)
    return figures


def print_looks(sets: dict[str, SetFigures], sizes: Sizes) -> dict:
    """Print where the peaks of each set's head lie, beside what chance and others would hit."""
    print(f"\nPeaks of the row that answers, by the head chosen on {sizes.choosing} other prompts:\n")
    print_head(
        "question", "looks", "head", "on the asked object", "on another", "on none", "mean of all heads",
        "untrained, its best head", "uniform map", "most salient object",
    )  # fmt: skip
    figures = {}
    for name, found in sets.items():
        if found.head is None:
            continue
        on = np.array([look.on[found.head] for look in found.looks])
        n, n_hits = len(on), int((on == ASKED).sum())
        others = {
            "random_head": np.mean([look.on == ASKED for look in found.looks]),
            "untrained": found.untrained,
            "uniform": np.mean([look.chance for look in found.looks]),
            "salient": np.mean([look.is_salient for look in found.looks]),
        }
        layer, head = found.head
        shares = [f"{(on == where).mean():.3f}" for where in (OTHER, NOTHING)]
        rates = [f"{rate:.3f}" for rate in others.values()]
        print_row(name, n, f"layer {layer}, head {head}", with_interval(n_hits, n), *shares, *rates)
        figures[name] = {"layer": layer, "head": head, "looks": n}
        figures[name] |= rounded(hit=n_hits / n, bounds=interval(n_hits, n), **others)
    return figures


def print_parting(sets: dict[str, SetFigures]) -> None:
    """Print how often answer and look part, and which token had looked where the row that answers did not."""
    print(
        "\nAnswer and look, by the same head; of right answers without a look, the earlier token that had looked most"
    )
    print("often, by the head that did so most:\n")
    print_head(
        "question", "right, looked", "right, did not look", "wrong, looked", "wrong, did not look", "who had looked",
        "how often",
    )  # fmt: skip
    for name, found in sets.items():
        if found.head is None or name == "describe":  # of a description it is not known which word was wrong
            continue
        looked = [(look.is_right, look.on[found.head] == ASKED) for look in found.looks]
        cells = [looked.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))]
        parted = [
            look for look, pair in zip(found.looks, looked, strict=True) if pair == (True, False)
        ]  # none where the two never part
        who, how_often = who_looked(parted) if parted else ("", None)
        print_row(name, *cells, who, "" if how_often is None else f"{how_often:.2f}")


def print_layers(sets: dict[str, SetFigures]) -> None:
    """Print the hits of every head."""
    print("\nHits per layer and head:\n\n```")
    for name in ("colour", "shape", "describe", "click"):
        for layer, rates in enumerate(np.mean([look.on == ASKED for look in sets[name].looks], axis=0)):
            print(f"{name:8} layer {layer}: " + "  ".join(f"{rate:.3f}" for rate in rates))
    print("```")


def print_causes(causes: dict[str, list], named: list, sizes: Sizes) -> dict:
    """Print the rates of right answers without some heads."""
    heads = ", ".join(f"{layer}.{head}" for layer, head in named)
    print(f"\nRight answers while heads put out nothing, {sizes.causal} prompts a row. Named are the heads of the")
    print(f"table of peaks ({heads}, as layer.head); random is the mean of {DRAWS} draws.\n")
    print_head(
        "question",
        "all heads",
        "without its own",
        "without a random one",
        "without the named",
        "without as many random",
    )
    for name, rates in causes.items():
        print_row(name, *("" if rate is None else f"{rate:.3f}" for rate in rates))
    return {name: [None if rate is None else round(rate, 4) for rate in rates] for name, rates in causes.items()}


def print_head(*columns: str) -> None:
    """Print the first two lines of a table."""
    print_row(*columns)
    print_row(*(["---"] * len(columns)))


def print_row(*cells) -> None:
    """Print a line of a table."""
    print(f"| {' | '.join(map(str, cells))} |")


def with_interval(successes: int, n: int) -> str:
    """A rate and its interval in words."""
    low, high = interval(successes, n)
    return f"{successes / n:.3f} [{low:.3f}, {high:.3f}]"


def rounded(bounds: tuple[float, float], n: int | None = None, **rates: float) -> dict:
    """Figures for the file, the interval as `low` and `high`."""
    figures = {
        name: round(float(rate), 4) for name, rate in (rates | dict(zip(("low", "high"), bounds, strict=True))).items()
    }
    return figures if n is None else figures | {"n": n}


def main() -> None:
    """Read the command line, print the tables."""
    parser = argparse.ArgumentParser(prog="python -m attention.pocket.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--prompts", type=int, default=PROMPTS, help="of a set")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--causal", type=int, metavar="N", help="of a set for the table without heads; 0 leaves it out")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="keep the figures in grounding.json beside the model")
    arguments = parser.parse_args()
    sizes = Sizes.of(arguments.prompts, arguments.seed, arguments.causal)
    figures = report(arguments.folder, sizes, arguments.processes)
    if arguments.write:
        (arguments.folder / "grounding.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

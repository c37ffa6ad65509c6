"""This project's answer to an input, by its command line, and the verdict over it and the oracle."""

from __future__ import annotations

import contextlib
import io
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters import choose, compare
from attention import Request, extract, open_run
from attention.capture import extraction
from attention.commands import main as command_line
from attention.errors import AttentionError, confirmed_by
from attention.runs.run import Run

from . import oracle
from .good_inputs import Given, GoodInputs
from .kinds import KINDS, Told

SEED = 12
EQUAL, REFUSED, BY_RULE = "equal", "refused rightly", "refused by a rule"
NEEDLESS, UNNAMED, FALSE, FAULT = "refused needlessly", "refused without a name", "false picture", "fault"
VERDICTS = (EQUAL, REFUSED, BY_RULE, NEEDLESS, UNNAMED, FALSE, FAULT)
# A refusal of what a tiny model says, whatever was changed: the oracle fails as well.
OF_THE_ANSWER = "The answer contains <"
# What the oracle may be able to run and is refused all the same: words of the refusal, and why.
REFUSED_BY_RULE = {
    "is not a picture this app reads": "formats that nobody's pictures have are not decoded",
    "has weights stored as": "an adapter in whole numbers or 8 bits is quantised: its scales are not in the file",
    "is only a part of what was trained": "what lies beside it as a pickle is not read; PEFT does not look",
    "lies beside it": "the same",
    "which is not read here. Remove it, and set the tokens of a": "the size that an entry asks for",
    "changes the base's weights": "PEFT cuts the base as it loads it; a comparison needs the base as it is",
    "It cannot be compared with its base here": "a field that makes it something else than LoRA is set, however",
    "in its config; it must be": "a field of another type is taken by PEFT for what it happens to mean in Python",
}


@dataclass(frozen=True)
class Verdict:
    """`outcome` is one of VERDICTS; `words` what was done, what was said on both sides."""

    number: int
    kind: str
    outcome: str
    words: str

    @property
    def is_good(self) -> bool:
        return self.outcome in (EQUAL, REFUSED, BY_RULE)


def kind_of(number: int) -> str:
    return list(KINDS)[number % len(KINDS)]


def mutated(number: int, inputs: GoodInputs, place: Path, seed: int = SEED) -> tuple[Given, Given, Told]:
    """The mutation of this number: the input as it is given, the one that the oracle reads, and what was done."""
    rng = random.Random(f"{seed}/{number}")
    kind = kind_of(number)
    good = inputs.make(place / "good", rng, has_adapter=kind.startswith("adapter") or rng.random() < 0.2)
    given = good.copy(place / "given")
    told = KINDS[kind](given, rng)
    return given, good if told.as_good else given, told


def judge(number: int, inputs: GoodInputs, place: Path, seed: int = SEED) -> Verdict:
    """Make the mutation of this number, run it on both sides and compare."""
    given, read_by_oracle, told = mutated(number, inputs, place, seed)
    try:
        expected, reason = oracle.outcome(read_by_oracle), "it runs"
    except oracle.Unfit as error:
        expected, reason = None, str(error)
    outcome, said = _verdict(given, told, expected, place / "run")
    is_of_one = not given.adapter or kind_of(number).startswith("adapter")  # what is at fault is looked at first
    if is_judged_in_python(number) and is_of_one and outcome not in (FALSE, FAULT):
        otherwise = _python_differs(given, expected, place / "python", "" if outcome == EQUAL else said)
        outcome, said = (FAULT, f"{otherwise}. By the command line: {said}") if otherwise else (outcome, said)
    shutil.rmtree(place, ignore_errors=True)
    words = f"{given.description}; {told.words}. Oracle: {reason}. Here: {said}"
    return Verdict(number, kind_of(number), outcome, words)


def is_judged_in_python(number: int) -> bool:
    """A quarter of each kind."""
    return (number // len(KINDS) + number) % 4 == 0


def _python_differs(given: Given, expected: oracle.Outcome | None, output: Path, refusal: str) -> str:
    """Difference of the Python interface from the command line, which said `refusal`; empty for none."""
    try:
        run = _run_in_python(given, output)
    except AttentionError as error:
        sentence = confirmed_by(str(error), "--adapter-rename", "--adapter-alone")
        return "" if _line(sentence) in _line(refusal) else f"Python refuses: {sentence}"
    except Exception as error:  # noqa: BLE001 - whatever gets out is a fault
        return f"Python fails: {type(error).__name__}: {error}"
    with run:
        if refusal or expected is None:
            return "Python runs"
        difference = _runs_differ(expected, run)
    return f"Python: {difference}" if difference else ""


def _run_in_python(given: Given, output: Path) -> Run:
    messages, images = extraction.read_messages(given.chat, [])
    fields = {"answer": given.answer} if given.answer else {"max_new_tokens": oracle.NEW_TOKENS}
    request = Request(
        images, model=str(given.model), messages=messages, device="cpu", dtype="float32", mode="generate", **fields
    )
    if not given.adapter:
        return extract(request, output)
    compare(request, choose([str(given.adapter)], str(given.model)), output, words=1).close()
    return open_run(output / "adapter_1")


def _line(text: str) -> str:
    return " ".join(text.split())


def _verdict(given: Given, told: Told, expected: oracle.Outcome | None, output: Path) -> tuple[str, str]:
    code, said, inputs = _run(given, output)
    if code not in (0, 1, 2) or "please report" in said or "Traceback" in said:
        return FAULT, said
    if code:
        could_run = expected is not None and expected.is_sure
        if could_run and not any(words in said for words in REFUSED_BY_RULE):
            return NEEDLESS, said
        is_named = (
            not told.names or OF_THE_ANSWER in said or any(name.lower() in said.lower() for name in told.names if name)
        )
        return (UNNAMED if not is_named else BY_RULE if could_run else REFUSED), said
    if expected is None:
        return FALSE, "it runs"
    difference = _difference(expected, output, inputs)
    return (FALSE, difference) if difference else (EQUAL, "the same")


def _run(given: Given, output: Path) -> tuple[int, str, dict]:
    """The exit code, what is said, and the tensors that the model was given."""
    words = ["extract", "--model", given.model, "--messages", given.chat, "--output-dir", output]
    words += ["--device", "cpu", "--dtype", "float32", "--mode", "generate"]
    words += ["--answer", given.answer] if given.answer else ["--max-new-tokens", oracle.NEW_TOKENS]
    words += ["--adapter", given.adapter] if given.adapter else []
    seen, given_inputs = {}, extraction.Extraction._inputs

    def remembering(*arguments):
        prepared = given_inputs(*arguments)
        seen.update(prepared.inputs.tensors)
        return prepared

    said = io.StringIO()
    extraction.Extraction._inputs = remembering
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = command_line.main([str(word) for word in words])
    except BaseException as error:  # noqa: BLE001 - whatever gets out is a fault
        return 3, f"{type(error).__name__}: {error}", seen
    finally:
        extraction.Extraction._inputs = given_inputs
    lines = [line for line in said.getvalue().replace("\r", "\n").splitlines() if line.strip()]
    return code, " ".join(lines[-3:]) if code else "", seen


def _difference(expected: oracle.Outcome, folder: Path, inputs: dict) -> str:
    """In words; empty where there is none."""
    for name, values in expected.pixels.items():
        if name not in inputs or inputs[name].shape != values.shape:
            return f"{name} of another shape"
        if not np.array_equal(inputs[name].float().numpy(), values):
            return f"{name} differ by up to {np.abs(inputs[name].float().numpy() - values).max():.3g}"
    with open_run(folder) as run:
        return _runs_differ(expected, run)


def _runs_differ(expected: oracle.Outcome, run: Run) -> str:
    ids = [token["id"] for token in run.info["tokens"]]
    if ids[: expected.n_prompt] != expected.ids[: expected.n_prompt]:
        return "other tokens in the prompt"
    if ids != expected.ids:
        return f"another answer: {ids[expected.n_prompt :]}, not {expected.ids[expected.n_prompt :]}"
    if set(run.towers()) != set(expected.rows):
        return f"towers {run.towers()}, not {list(expected.rows)}"
    return next(filter(None, (_rows_differ(expected, run, tower) for tower in expected.rows)), "")


def _rows_differ(expected: oracle.Outcome, run, tower: str) -> str:
    if len(run.layers(tower)) != len(expected.rows[tower]):
        return f"{len(run.layers(tower))} {tower} layers, not {len(expected.rows[tower])}"
    for layer, right, allowed in zip(run.layers(tower), expected.rows[tower], expected.allowed[tower], strict=True):
        rows = run.dense(layer, tower)
        if rows.shape != right.shape:
            return f"{tower} rows of layer {layer} have shape {rows.shape}, not {right.shape}"
        differences = np.abs(rows - right)
        for name, found, most in zip(
            ("up to", "a mean of"), (differences.max(), differences.mean()), allowed, strict=True
        ):
            if not found <= most:
                return f"{tower} rows of layer {layer} differ by {name} {found:.3g}, more than {most:.2g}"
    return ""


def table(verdicts: list[Verdict]) -> str:
    """Counts of the outcomes of each kind."""
    lines = [f"{'kind':24}" + "".join(f"{name:>24}" for name in VERDICTS)]
    for kind in KINDS:
        found = [verdict.outcome for verdict in verdicts if verdict.kind == kind]
        lines.append(f"{kind:24}" + "".join(f"{found.count(name):>24}" for name in VERDICTS))
    outcomes = [verdict.outcome for verdict in verdicts]
    lines.append(f"{'all':24}" + "".join(f"{outcomes.count(name):>24}" for name in VERDICTS))
    return "\n".join(lines)

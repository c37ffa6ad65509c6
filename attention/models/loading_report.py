"""A checkpoint held against the model that its config describes: what it lacks, and what it has besides.

Owns the refusal of weights that a loader would draw at random or cannot convert, and the note on those that it leaves
out. What may be missing (tied weights, buffers that a model makes itself) transformers knows; its report is taken as it
stands. Knows no family and loads no weight.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Collection
from pathlib import Path

from safetensors import SafetensorError, safe_open

from attention.errors import IsAdapter, ModelUnavailable, quoted, shortened

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
LISTED = 3  # names of weights in a message
ADAPTER_CONFIG = "adapter_config.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
# what trainers write beside, or instead of, a model
CHECKPOINT_FILES = ("optimizer.pt", "optimizer.bin", "scheduler.pt", "trainer_state.json", "zero_to_fp32.py", "latest")
CHECKPOINT_FOLDERS = ("global_step*", "checkpoint-*", "pytorch_model_fsdp_*")
LFS_POINTER = b"version https://git-lfs"
BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")  # of UTF-8 and of UTF-16


def check_files(folder: str, model_id: str) -> None:
    """Raise ModelUnavailable where a folder's own file names already say that its weights cannot all be there."""
    path = Path(folder)
    check_is_no_adapter(path, model_id)
    if not any(path.glob("*.safetensors")):
        raise ModelUnavailable(_without_weights(path, model_id))
    for name in weight_files(path, model_id):
        try:
            with safe_open(path / name, framework="np"):  # reads the header alone
                pass
        except (SafetensorError, OSError) as error:
            raise ModelUnavailable(_damaged(path / name, model_id, error)) from None


def weight_files(path: Path, model_id: str) -> list[str]:
    """The names of the files that transformers loads from a folder. Raises ModelUnavailable where one is not there."""
    if (path / WHOLE).exists():
        return [WHOLE]
    indexed = _indexed_files(path, model_id)
    missing = [name for name in indexed if not (path / name).is_file()]
    if missing:
        raise ModelUnavailable(
            f"{shortened(model_id)} is not complete: {INDEX} names {listed(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not there. Download or copy what is missing."
        )
    if not indexed:
        there = sorted(file.name for file in path.glob("*.safetensors"))
        raise ModelUnavailable(
            f"{shortened(model_id)} has neither {WHOLE} nor {INDEX}, by which its weights are found; it has "
            f"{listed(there)}. Copy the index, or rename the file."
        )
    return indexed


def _damaged(file: Path, model_id: str, error: Exception) -> str:
    if file.is_file():
        with file.open("rb") as content:
            if content.read(len(LFS_POINTER)) == LFS_POINTER:
                return (
                    f"{file.name} of {shortened(model_id)} only points to its weights. Fetch them with `git lfs pull`."
                )
    return (
        f"{file.name} of {shortened(model_id)} is damaged or not complete ({shortened(str(error))}). "
        "Download or copy it again."
    )


def check_is_no_adapter(folder: Path, model_id: str) -> None:
    """Raise ModelUnavailable for an adapter's folder: transformers would load the base that it names, and attach it."""
    if (folder / ADAPTER_CONFIG).is_file():
        base = _base_of_adapter(folder / ADAPTER_CONFIG)
        raise IsAdapter(
            f"{shortened(model_id)} holds an adapter ({ADAPTER_CONFIG}). Give it as the adapter, and the model that it "
            f"was trained on{f' ({shortened(base)})' if base else ''} as the model.",
            base,
        )


def _base_of_adapter(config: Path) -> str | None:
    """The model that an adapter's config names as its base."""
    try:
        name = json.loads(config.read_bytes().decode("utf-8-sig")).get("base_model_name_or_path")
    except (OSError, ValueError, RecursionError, AttributeError):
        return None
    return name if isinstance(name, str) and name.strip() else None


def check_weights(model_id: str, folder: str, report: dict) -> None:
    """Raise ModelUnavailable for weights that stayed random, by their names; `report` is transformers' loading info."""
    mismatched = sorted(report["mismatched_keys"], key=str)
    if mismatched:
        name, found, expected = mismatched[0]
        raise ModelUnavailable(
            f"{counted(mismatched)} of {shortened(model_id)} {_have(mismatched)} another shape than config.json says, "
            f"{shortened(name)} for one: {_shape(found)} in the file, {_shape(expected)} in the model. "
            "Config and weights are of different models."
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelUnavailable(
            f"{counted(missing)} that {shortened(model_id)} needs {'is' if len(missing) == 1 else 'are'} not in its "
            f"files and would be random: {listed(missing)}. {_probably(folder, missing, report['unexpected_keys'])}"
        )


def left_out(report: dict) -> list[str]:
    """A note on weights that the files have and the model has no place for; empty where there are none."""
    unexpected = sorted(report["unexpected_keys"])
    if not unexpected:
        return []
    return [
        f"{counted(unexpected)} of the model's files {'has' if len(unexpected) == 1 else 'have'} no place in this "
        f"architecture and {'was' if len(unexpected) == 1 else 'were'} left out: {listed(unexpected)}."
    ]


def check_json_start(file: Path, where: str) -> None:
    """Raise ModelUnavailable for a JSON file that begins with a byte order mark, which transformers does not read."""
    if begins_with_mark(file):
        raise ModelUnavailable(
            f"{file.name} of {shortened(where, 200)} begins with a byte order mark, as some editors write it, and is "
            "not read so. Save it as UTF-8 without one (without BOM)."
        )


def begins_with_mark(file: Path) -> bool:
    """True if a file is there and begins with a byte order mark."""
    try:
        with file.open("rb") as content:
            return content.read(3).startswith(BYTE_ORDER_MARKS)
    except OSError:  # said better where it is read
        return False


def conversion_error(error: BaseException) -> str | None:
    """Return a clause on the weights that transformers could not convert; None where that is not what failed.

    It raises an error that only points to its log, and keeps the reasons in its report, which is on the error's way.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    reports = (getattr(frame.f_locals.get("loading_info"), "conversion_errors", None) for frame in reversed(frames))
    failed = next((report for report in reports if report), None)
    if not failed:
        return None
    name = min(failed)
    return f"{counted(failed)} could not be converted, {shortened(name)} for one: {_last_words(failed[name])}"


def _last_words(told: str) -> str:
    """The line of a traceback that has the error, or the first of another text."""
    lines = [line for line in told.strip().splitlines() if line.strip()] or ["no reason is given"]
    inside = max((number for number, line in enumerate(lines) if line.startswith("  ")), default=-1)
    return shortened(lines[inside + 1 if inside + 1 < len(lines) else 0], 200)


def _indexed_files(path: Path, model_id: str) -> list[str]:
    """The weight files that the folder's index names; none where there is no index."""
    check_json_start(path / INDEX, model_id)
    try:
        text = (path / INDEX).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{INDEX} of {shortened(model_id)} cannot be read: {shortened(str(error))}.") from None
    try:
        names = set(json.loads(text)["weight_map"].values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        names = {None}
    if not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelUnavailable(f"{INDEX} of {shortened(model_id)} is damaged: it has no weight_map of file names.")
    return sorted(names)


def _other_than_indexed(path: Path) -> list[str]:
    """The weight files that do not have all that the folder's index says is in them."""
    indexed: dict[str, set[str]] = {}
    for name, file in json.loads((path / INDEX).read_text(encoding="utf-8"))["weight_map"].items():
        indexed.setdefault(file, set()).add(name)
    wrong = []
    for file, names in sorted(indexed.items()):
        with safe_open(path / file, framework="np") as tensors:
            if not names <= set(tensors.keys()):
                wrong.append(file)
    return wrong


def _without_weights(path: Path, model_id: str) -> str:
    who = shortened(model_id)
    if any((path / name).exists() for name in CHECKPOINT_FILES) or any(
        next(path.glob(pattern), None) for pattern in CHECKPOINT_FOLDERS
    ):
        return (
            f"{who} is a training checkpoint without a model's safetensors weights. Give the folder to which the "
            "trainer saved the model."
        )
    pickle = next((file for pattern in PICKLES for file in sorted(path.glob(pattern))), None)
    if pickle is not None:
        return (
            f"The weights of {who} are a pickle ({pickle.name}), which can run code. Save them as safetensors: "
            "AutoModelForImageTextToText.from_pretrained(folder).save_pretrained(new_folder)."
        )
    gguf = next(iter(sorted(path.glob("*.gguf"))), None)
    if gguf is not None:
        return f"{who} holds GGUF weights ({gguf.name}), which are not read here. Give the model's safetensors folder."
    return f"{who} has no safetensors weights, neither {WHOLE} nor {INDEX}. The download may not be complete."


def _probably(folder: str, missing: list[str], unexpected: Collection[str]) -> str:
    """A sentence on the likely cause."""
    prefix = _common_prefix(missing, unexpected)
    if prefix:
        wrapped = " (a PEFT model's state: merge the adapter and save the model)" if "base_model" in prefix else ""
        return f"Its weights are named with the prefix {quoted(prefix)}{wrapped}: save them from the unwrapped model."
    if any(".base_layer." in name or ".lora_" in name for name in unexpected):
        return "An adapter is saved inside it: merge it (merge_and_unload) and save the model."
    if (Path(folder) / INDEX).is_file() and not (Path(folder) / WHOLE).exists():
        wrong = _other_than_indexed(Path(folder))
        if wrong:
            return f"{listed(wrong)} lacks weights that {INDEX} says are in it: download or copy it again."
        return "A shard may not have been downloaded or copied whole."
    if any((Path(folder) / name).exists() for name in CHECKPOINT_FILES):
        return "It is a training checkpoint: give the folder to which the whole model was saved."
    if unexpected:
        return f"Its files have {counted(unexpected)} of other names: {listed(sorted(unexpected))}."
    return "Copy or download the model again, or save it whole."


def _common_prefix(missing: list[str], unexpected: Collection[str]) -> str:
    """The wrapper whose name was saved before each weight's own, with its dot; "" where there is none."""
    if len(unexpected) < 2 or len(missing) < len(unexpected) / 2:
        return ""
    first = min(unexpected).replace(".base_layer.", ".").split(".")
    own = {part for name in missing for part in name.split(".")}
    cut = next((i for i in range(1, len(first)) if ".".join(first[i:]) in missing), None)
    if cut is None:  # in an older layout, whose names are not the model's
        cut = next((i for i, part in enumerate(first) if part in own), 0)
    prefix = "".join(f"{part}." for part in first[:cut])
    return prefix if all(name.startswith(prefix) for name in unexpected) else ""


def listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(shortened(name) for name in names[:LISTED]) + more


def counted(names: Collection) -> str:
    return "1 weight" if len(names) == 1 else f"{len(names):,} weights"


def _have(names: Collection) -> str:
    return "has" if len(names) == 1 else "have"


def _shape(shape) -> str:
    return " x ".join(str(size) for size in shape) or "a number"

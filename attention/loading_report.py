"""A checkpoint held against the model that its config describes: what it lacks, and what it has besides.

Owns the refusal of weights that a loader would draw at random and of layers that it would leave out, and the note on
what else it leaves out. What may be missing (tied weights, buffers that a model makes itself) transformers knows; its
report is taken as it stands. Knows no family and loads no weight.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from copy import deepcopy
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from .config_check import layer_counts
from .errors import ModelUnavailable, quoted, shortened

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
# what names of quantised copies end in
UNQUANTISED = re.compile(
    r"(-unsloth)?-(bnb|awq|gptq|fp8|int[48]|[48]bit|w\d+a\d+|quantized|torchao)\b.*$", re.IGNORECASE
)
LISTED = 3  # names of weights in a message
ADAPTER_CONFIG = "adapter_config.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
# what trainers write beside, or instead of, a model
CHECKPOINT_FILES = ("optimizer.pt", "optimizer.bin", "scheduler.pt", "trainer_state.json", "zero_to_fp32.py", "latest")
CHECKPOINT_FOLDERS = ("global_step*", "checkpoint-*", "pytorch_model_fsdp_*")
LFS_POINTER = b"version https://git-lfs"
MOST_TIMES = 2  # the numbers of its files: a model may have weights that are tied, and stand there once
PACKED_IN_A_BYTE = 8  # numbers, in the tightest way of quantising
FEW_BITS = 8  # weights are stored in more, unless something beside them says how they are to be read


def check_files(folder: str, model_id: str) -> None:
    """Raise ModelUnavailable where a folder's own file names already say that its weights cannot all be there."""
    path = Path(folder)
    check_is_no_adapter(path, model_id)
    if not any(path.glob("*.safetensors")):
        raise ModelUnavailable(_without_weights(path, model_id))
    for name in _weight_files(path, model_id):
        try:
            with safe_open(path / name, framework="np"):  # reads the header alone
                pass
        except (SafetensorError, OSError) as error:
            raise ModelUnavailable(_damaged(path / name, model_id, error)) from None


def _weight_files(path: Path, model_id: str) -> list[str]:
    """The names of the files that transformers loads from a folder. Raises ModelUnavailable where one is not there."""
    if (path / WHOLE).exists():
        return [WHOLE]
    indexed = _indexed_files(path, model_id)
    missing = [name for name in indexed if not (path / name).is_file()]
    if missing:
        raise ModelUnavailable(
            f"{shortened(model_id)} is not complete: {INDEX} names {_listed(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not there. Download or copy what is missing."
        )
    if not indexed:
        there = sorted(file.name for file in path.glob("*.safetensors"))
        raise ModelUnavailable(
            f"{shortened(model_id)} has neither {WHOLE} nor {INDEX}, by which its weights are found; it has "
            f"{_listed(there)}. Copy the index, or rename the file."
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
        raise ModelUnavailable(
            f"{shortened(model_id)} holds an adapter ({ADAPTER_CONFIG}). Give it as the adapter, and the model that it "
            "was trained on as the model."
        )


def check_quantisation(config, model_id: str) -> None:
    """Raise ModelUnavailable where a config says that the weights are quantised in a way that cannot be loaded here.

    transformers' own quantizer of the method says what it needs.
    """
    said = _quantisation(config)
    if said is None:
        return
    from transformers.quantizers import AutoHfQuantizer

    method = said.get("quant_method") if isinstance(said, dict) else getattr(said, "quant_method", None)
    method = getattr(method, "value", method)
    try:
        quantizer = AutoHfQuantizer.from_config(said, pre_quantized=True)
        quantizer.validate_environment(device_map=None)
    except Exception as error:  # noqa: BLE001 - each method's own package fails in its own way
        reason = (str(error) or type(error).__name__).strip().splitlines()[0].removesuffix(".")
        plain = UNQUANTISED.sub("", Path(model_id).name)
        other = f", {plain} for one" if plain != Path(model_id).name else ""
        named = f" ({shortened(str(method))})" if method else ""
        take = "Install that, or take" if isinstance(error, ImportError) else "Take"
        raise ModelUnavailable(
            f"{shortened(model_id)} is quantised{named}, which cannot be loaded here: "
            f"{shortened(reason, 200)}. {take} the model that is not quantised{other}."
        ) from None


def _quantisation(config):
    """The record of how weights are quantised, where transformers looks for it; None without one."""
    text = config.get_text_config(decoder=True)
    return getattr(config, "quantization_config", None) or getattr(text, "quantization_config", None)


def check_scales(folder: str, config, model_id: str) -> None:
    """Raise ModelUnavailable where weights of few bits would be read as plain numbers.

    A quantised weight is a number times what lies beside it (a scale). transformers reads one without it all the same,
    and reports nothing; and it leaves out what lies beside where the config does not say that weights are quantised.
    """
    weights, dtype = _few_bits(Path(folder), model_id)
    if not weights:
        return
    if _quantisation(config) is None:
        name, beside = next(((name, beside) for name, beside in weights.items() if beside), ("", ()))
        if beside:
            raise ModelUnavailable(
                f"{shortened(model_id)} has quantised weights ({shortened(name)} is {dtype}, with "
                f"{_listed(sorted(beside))} beside it), and its config.json has no quantization_config, so they would "
                "be read as plain numbers. Take the config.json that belongs to these weights."
            )
        return
    groups = defaultdict(list)
    for name in weights:
        groups[name.rpartition(".")[2]].append(name)
    lacking = []
    for leaf, names in groups.items():
        held = Counter(part for name in names for part in weights[name])
        needed = {part for part, count in held.items() if 2 * count > len(names)}
        lacking += [name for name in names if needed - weights[name] or (leaf == "weight" and not weights[name])]
    if lacking:
        raise ModelUnavailable(
            f"{_count(lacking)} of {shortened(model_id)} {'is' if len(lacking) == 1 else 'are'} quantised ({dtype}) "
            f"and without the scales that make numbers of them: {_listed(sorted(lacking))}. "
            "Copy or download the model again."
        )


def _few_bits(path: Path, model_id: str) -> tuple[dict[str, set[str]], str]:
    """Matrices that are stored in few bits, with the ends of the names that lie beside each, and one's dtype."""
    found, names = {}, []
    for file in _weight_files(path, model_id):
        with safe_open(path / file, framework="np") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a mapping
                names.append(name)
                tensor = tensors.get_slice(name)
                bits = re.search(r"\d+", tensor.get_dtype())  # F8_E4M3, I8, U8, F4; none in BOOL
                if bits and int(bits[0]) <= FEW_BITS and len(tensor.get_shape()) > 1:
                    found[name] = tensor.get_dtype()
    names.sort()
    weights = {}
    for name in found:
        module, _, leaf = name.rpartition(".")
        # of experts, several weights lie in one module, each with what begins with its own name
        start = f"{module}." if leaf == "weight" else name
        beside = set()
        for other in names[bisect_left(names, start) :]:
            if not other.startswith(start):
                break
            if other not in (name, f"{module}.bias"):
                beside.add(other.removeprefix(start))
        weights[name] = beside
    return weights, next(iter(found.values()), "")


def check_size(folder: str, config, model_id: str) -> None:
    """Raise ModelUnavailable where a config describes a far larger model than its files hold.

    transformers would make room for all of it, and fill it at random, before it reports that.
    """
    from transformers import AutoModelForImageTextToText

    _check_depth(Path(folder), config, model_id)
    try:
        with torch.device("meta"):
            model = AutoModelForImageTextToText.from_config(deepcopy(config), trust_remote_code=False)
    except Exception:  # noqa: BLE001 - transformers fails on this config again as it loads, and that is said
        return
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    held = _numbers(Path(folder), model_id, is_packed=_quantisation(config) is not None)
    if sum(sizes.values()) > MOST_TIMES * held:
        name = max(sizes, key=sizes.get)
        raise ModelUnavailable(
            f"config.json of {shortened(model_id)} describes a model of {sum(sizes.values()):,} numbers, and its files "
            f"hold {held:,}: {name} for one would be {_shape(model.get_parameter(name).shape)}. Take the config.json "
            "that belongs to these weights."
        )


def _check_depth(path: Path, config, model_id: str) -> None:
    """Raise ModelUnavailable where a config has far more layers than any index in the names of the weights counts.

    Of a few more the weights that are missing are said by their names.
    """
    found = [int(index) for name in _names(path, model_id) for index in re.findall(r"\.(\d{1,6})\.", name)]
    for field, count in layer_counts(config):
        if found and count > MOST_TIMES * (max(found) + 1):
            raise ModelUnavailable(
                f"config.json of {shortened(model_id)} has {field} {count:,}, and its files have weights of "
                f"{max(found) + 1:,} layers at most. Take the config.json that belongs to these weights."
            )


def _names(path: Path, model_id: str) -> Iterator[str]:
    """The names of a folder's weights."""
    for file in _weight_files(path, model_id):
        with safe_open(path / file, framework="np") as tensors:
            yield from tensors.keys()


def _numbers(path: Path, model_id: str, is_packed: bool) -> int:
    """How many numbers a folder's weights are; of packed ones, how many they can be at most."""
    if is_packed:
        return PACKED_IN_A_BYTE * sum((path / file).stat().st_size for file in _weight_files(path, model_id))
    held = 0
    for file in _weight_files(path, model_id):
        with safe_open(path / file, framework="np") as tensors:
            held += sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return held


def check_weights(model_id: str, folder: str, report: dict, model: torch.nn.Module) -> None:
    """Raise ModelUnavailable for weights that stayed random, and for layers that were left out, by their names.

    `report` is transformers' loading info.
    """
    mismatched = sorted(report["mismatched_keys"], key=str)
    if mismatched:
        name, found, expected = mismatched[0]
        raise ModelUnavailable(
            f"{_count(mismatched)} of {shortened(model_id)} {_have(mismatched)} another shape than config.json says, "
            f"{shortened(name)} for one: {_shape(found)} in the file, {_shape(expected)} in the model. "
            "Config and weights are of different models."
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelUnavailable(
            f"{_count(missing)} that {shortened(model_id)} needs {'is' if len(missing) == 1 else 'are'} not in its "
            f"files and would be random: {_listed(missing)}. {_probably(folder, missing, report['unexpected_keys'])}"
        )
    _check_layers(model_id, report["unexpected_keys"], model)


def _check_layers(model_id: str, unexpected: Collection[str], model: torch.nn.Module) -> None:
    """Raise ModelUnavailable where files have more layers than config.json says: the model would be cut off.

    Heads and towers that a model does not have are none of its layers, nor are those that predict further tokens
    (num_nextn_predict_layers), which lie after the last.
    """
    further = getattr(model.config.get_text_config(decoder=True), "num_nextn_predict_layers", None) or 0
    for path, module in model.named_modules():
        if not isinstance(module, torch.nn.ModuleList) or not len(module):
            continue
        inside = [name.removeprefix(f"{path}.").partition(".")[0] for name in unexpected if name.startswith(f"{path}.")]
        last = max((int(index) for index in inside if index.isdecimal()), default=-1)
        if last >= len(module) + further:
            fields = " or ".join(name for name, count in layer_counts(model.config) if count == len(module))
            raise ModelUnavailable(
                f"config.json of {shortened(model_id)} says that {path} are {len(module)} layers"
                f"{fields and f' ({fields})'}, and its files have {last + 1}: the model would be cut off. Take the "
                "config.json that belongs to these weights."
            )


def left_out(report: dict) -> list[str]:
    """A note on weights that the files have and the model has no place for; empty where there are none."""
    unexpected = sorted(report["unexpected_keys"])
    if not unexpected:
        return []
    return [
        f"{_count(unexpected)} of the model's files {'has' if len(unexpected) == 1 else 'have'} no place in this "
        f"architecture and {'was' if len(unexpected) == 1 else 'were'} left out: {_listed(unexpected)}."
    ]


def _indexed_files(path: Path, model_id: str) -> list[str]:
    """The weight files that the folder's index names; none where there is no index."""
    try:
        text = (path / INDEX).read_text(encoding="utf-8-sig")
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
    if (Path(folder) / INDEX).is_file():
        return "A shard may not have been downloaded or copied whole."
    if any((Path(folder) / name).exists() for name in CHECKPOINT_FILES):
        return "It is a training checkpoint: give the folder to which the whole model was saved."
    if unexpected:
        return f"Its files have {_count(unexpected)} of other names: {_listed(sorted(unexpected))}."
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


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(shortened(name) for name in names[:LISTED]) + more


def _count(names: Collection) -> str:
    return "1 weight" if len(names) == 1 else f"{len(names):,} weights"


def _have(names: Collection) -> str:
    return "has" if len(names) == 1 else "have"


def _shape(shape) -> str:
    return " x ".join(str(size) for size in shape) or "a number"

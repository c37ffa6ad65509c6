"""Models whose weights are quantised: what their config says of it, and what their files and their memory hold.

Owns the refusal of what cannot be loaded here or would be read as other numbers, and the bytes that such weights take.
The methods and their packages are transformers' own: none is imported here, and the record in config.json is read as
far as several of them have it in common.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from attention.errors import ModelUnavailable, shortened

from .loading_report import counted, listed, weight_files

# what names of quantised copies end in
UNQUANTISED = re.compile(
    r"(-unsloth)?-(bnb|awq|gptq|fp8|int[48]|[48]bit|w\d+a\d+|quantized|torchao)\b.*$", re.IGNORECASE
)
FEW_BITS = 8  # weights are stored in more, unless something beside them says how they are to be read
WORDS_OF_BITS = ("I16", "U16", "I32", "U32")  # numbers of few bits are stored together in these
FLOATS = ("F64", "F32", "F16", "BF16")
UNPACKED_FIRST = "compressed-tensors"  # its package makes plain numbers of all weights before the first pass


def is_quantised(config) -> bool:
    """True if a config says that the weights are quantised."""
    return _recorded(config) is not None


def check_quantisation(config, model_id: str) -> None:
    """Raise ModelUnavailable where a config says that the weights are quantised in a way that cannot be loaded here.

    transformers' own quantizer of the method says what it needs.
    """
    said = _recorded(config)
    if said is None:
        return
    try:
        _quantizer(said)
    except Exception as error:  # noqa: BLE001 - each method's own package fails in its own way
        reason = (str(error) or type(error).__name__).strip().splitlines()[0].removesuffix(".")
        plain = UNQUANTISED.sub("", Path(model_id).name)
        other = f", {plain} for one" if plain != Path(model_id).name else ""
        take = "Install that, or take" if isinstance(error, ImportError) else "Take"
        raise ModelUnavailable(
            f"{shortened(model_id)} is quantised{_named(said)}, which cannot be loaded here: "
            f"{shortened(reason, 200)}. {take} the model that is not quantised{other}."
        ) from None


def check_packed(folder: str, config, model_id: str) -> None:
    """Raise ModelUnavailable where a folder's weights are not stored as its config says, or not whole.

    A quantised weight is a number times what lies beside it (a scale). transformers reads one without it all the same,
    and reports nothing; it leaves out what lies beside where the config does not say that weights are quantised; and
    where the config says so of plain weights, some methods load them and fail in the first pass.
    """
    said = _recorded(config)
    tensors = _stored(Path(folder), model_id)
    packed = _packed(tensors)
    if said is None:
        _check_plain(packed, tensors, model_id)
        return
    if not packed and _must_be_packed(said) and not any(_leaf(name).startswith("weight_") for name in tensors):
        raise ModelUnavailable(
            f"{shortened(model_id)} is quantised{_named(said)} by its config.json, and its weights are not. Take "
            "quantization_config out of config.json, or copy the weights that belong to it."
        )
    _check_scales(packed, tensors, model_id)


def memory_bytes(folder: str, config, dtype: torch.dtype, model_id: str) -> int | None:
    """The bytes that quantised weights take in memory, the rest of them in `dtype`; None where a config has none.

    What is packed stays as it is in the files, unless its method makes plain numbers of it.
    """
    said = _recorded(config)
    if said is None:
        return None
    tensors = _stored(Path(folder), model_id)
    packed = _packed(tensors)
    beside = {f"{_start(name)}{part}" for name, parts in packed.items() for part in parts}
    is_unpacked = _is_unpacked(said)
    total = 0
    for name, tensor in tensors.items():
        if name in packed and is_unpacked:
            total += tensor.count * tensor.bits // _bits_of_a_number(said, tensor) * dtype.itemsize
        elif name in packed or name in beside or tensor.dtype not in FLOATS:
            total += tensor.bytes
        else:
            total += tensor.count * dtype.itemsize
    return total


def unpack_first(model: torch.nn.Module) -> None:
    """Let a model's weights be from the start what its method makes of them in the first pass.

    Otherwise what was read of them before that pass, or put on them, is of other tensors than those that compute.
    """
    compressor = getattr(getattr(model, "hf_quantizer", None), "compressor", None)
    if hasattr(model, "ct_decompress_hook") and compressor is not None:
        with torch.no_grad():
            compressor.decompress_model(model)


@torch.no_grad()
def in_one_dtype(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Put the weights that a quantised model keeps as plain numbers into `dtype`, as those of any model are.

    Where a method reads what lies beside a weight, transformers leaves every plain one in the dtype of its file, beside
    biases in `dtype`, and the first layer fails.
    """
    if not getattr(model, "is_quantized", False):
        return
    kept = {*(getattr(model, "_keep_in_fp32_modules", None) or ())}
    kept |= {*(getattr(model, "_keep_in_fp32_modules_strict", None) or ())}
    for name, module in model.named_modules():
        weight = module._parameters.get("weight")
        has_more = any(other.startswith("weight_") for other in (*module._parameters, *module._buffers))
        if weight is None or weight.is_meta or is_packed(weight) or has_more or kept & set(name.split(".")):
            continue
        if weight.dtype != dtype:
            weight.data = weight.data.to(dtype)


def is_packed(tensor: torch.Tensor) -> bool:
    """True if a weight's numbers are not the ones that its model computes with: something beside them is missing."""
    return (
        not tensor.is_floating_point()
        or tensor.itemsize < 2
        or getattr(tensor, "quant_state", None) is not None
        or is_traceable_wrapper_subclass(tensor)
    )


def plain_parts(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The tensors that have bytes of their own: a tensor itself, or those that a packed one is made of."""
    if not is_traceable_wrapper_subclass(tensor):
        yield tensor
        return
    for name in tensor.__tensor_flatten__()[0]:
        yield from plain_parts(getattr(tensor, name))


def rounds_activations(config) -> bool:
    """True if a loaded model's quantised layers may round what passes through them to fewer bits than float32 has.

    Two ways to compute the same then differ by whole steps. False where the record says that only weights are rounded.
    """
    said = _recorded(config)
    if said is None:
        return False
    record = _as_dict(said)
    if record.get("load_in_4bit") or record.get("_load_in_4bit"):
        return str(record.get("bnb_4bit_compute_dtype")).removeprefix("torch.") != "float32"
    if _method(said) == UNPACKED_FIRST:
        groups = (record.get("config_groups") or {}).values()
        return any(_as_dict(group).get("input_activations") is not None for group in groups)
    if _method(said) == "torchao":
        return "WeightOnly" not in json.dumps(record.get("quant_type"), default=str)
    return True


# What a config says


def _recorded(config) -> Any:
    """The record of how weights are quantised, where transformers looks for it; None without one."""
    text = config.get_text_config(decoder=True)
    return getattr(config, "quantization_config", None) or getattr(text, "quantization_config", None)


def _quantizer(said) -> Any:
    """transformers' quantizer of a record, which has looked for what it needs. Raises what that raises."""
    from transformers.quantizers import AutoHfQuantizer

    quantizer = AutoHfQuantizer.from_config(said, pre_quantized=True)
    quantizer.validate_environment(device_map=None)
    return quantizer


def _as_dict(said) -> dict:
    if isinstance(said, dict):
        return said
    convert = getattr(said, "to_dict", None) or getattr(said, "model_dump", None)
    return convert() if convert else {}


def _method(said) -> str | None:
    method = said.get("quant_method") if isinstance(said, dict) else getattr(said, "quant_method", None)
    method = getattr(method, "value", method)
    return None if method is None else str(method)


def _named(said) -> str:
    method = _method(said)
    return f" ({shortened(method)})" if method else ""


def _must_be_packed(said) -> bool:
    """True if weights are packed at all: compressed-tensors also writes a record where none is."""
    return _method(said) != UNPACKED_FIRST or bool(_as_dict(said).get("config_groups"))


def _is_unpacked(said) -> bool:
    """True if plain numbers are made of all weights as they are loaded: by their method, or for want of a device."""
    return _method(said) == UNPACKED_FIRST or bool(getattr(_quantizer(said).quantization_config, "dequantize", False))


def _bits_of_a_number(said, tensor: _Stored) -> int:
    """The bits of each number in a packed tensor: the fewest that the record names, or all of a small dtype."""
    if tensor.dtype.startswith("F"):
        return tensor.bits
    groups = (_as_dict(said).get("config_groups") or {}).values()
    said_bits = [(_as_dict(group).get("weights") or {}).get("num_bits") for group in groups]
    named = [bits for bits in said_bits if isinstance(bits, int) and 0 < bits <= tensor.bits]
    if tensor.dtype in WORDS_OF_BITS or _leaf(tensor.name) == "weight_packed":
        return min(named, default=4)
    return tensor.bits


# What files hold


@dataclass(frozen=True)
class _Stored:
    """A tensor as its file's header has it."""

    name: str
    dtype: str  # as safetensors writes it: F32, BF16, F8_E4M3, I8, U8, ...
    shape: tuple[int, ...]

    @property
    def bits(self) -> int:
        number = re.search(r"\d+", self.dtype)
        return int(number[0]) if number else FEW_BITS  # BOOL

    @property
    def count(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.count * self.bits // 8


def _stored(path: Path, model_id: str) -> dict[str, _Stored]:
    """The tensors of the files that are loaded, by name, in its order."""
    found = {}
    for file in weight_files(path, model_id):
        with safe_open(path / file, framework="np") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a mapping
                tensor = tensors.get_slice(name)
                found[name] = _Stored(name, tensor.get_dtype(), tuple(tensor.get_shape()))
    return dict(sorted(found.items()))


def _packed(tensors: dict[str, _Stored]) -> dict[str, set[str]]:
    """The matrices whose numbers are packed, by name, with the ends of the names that lie beside each."""
    names = list(tensors)
    weights = {}
    for name, tensor in tensors.items():
        few = (tensor.bits <= FEW_BITS and tensor.dtype != "BOOL") or tensor.dtype in WORDS_OF_BITS
        # bitsandbytes may keep bits in a float's bytes, and its state below the weight's own name
        has_state = any(other.startswith(f"{name}.") for other in names[bisect_left(names, f"{name}.") :][:1])
        if len(tensor.shape) < 2 or not (few or has_state):
            continue
        module, _, _ = name.rpartition(".")
        start = _start(name)
        beside = set()
        for other in names[bisect_left(names, start) :]:
            if not other.startswith(start):
                break
            if other not in (name, f"{module}.bias"):
                beside.add(other.removeprefix(start))
        weights[name] = beside
    return weights


def _start(name: str) -> str:
    """Beginning of the names of what lies beside a weight: of experts, several weights lie in one module."""
    return f"{name.rpartition('.')[0]}." if _leaf(name) == "weight" else name


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]


def _check_plain(packed: dict[str, set[str]], tensors: dict[str, _Stored], model_id: str) -> None:
    """Raise ModelUnavailable where quantised weights would be read as plain numbers."""
    name, beside = next(((name, beside) for name, beside in packed.items() if beside), ("", ()))
    if beside:
        raise ModelUnavailable(
            f"{shortened(model_id)} has quantised weights ({shortened(name)} is {tensors[name].dtype}, with "
            f"{listed(sorted(beside))} beside it), and its config.json has no quantization_config, so they would "
            "be read as plain numbers. Take the config.json that belongs to these weights."
        )


def _check_scales(packed: dict[str, set[str]], tensors: dict[str, _Stored], model_id: str) -> None:
    """Raise ModelUnavailable where a packed weight lacks what most of its kind have beside them."""
    groups = defaultdict(list)
    for name in packed:
        groups[_leaf(name)].append(name)
    lacking = []
    for leaf, names in groups.items():
        held = Counter(part for name in names for part in packed[name])
        needed = {part for part, count in held.items() if 2 * count > len(names)}
        lacking += [name for name in names if needed - packed[name] or (leaf == "weight" and not packed[name])]
    if lacking:
        raise ModelUnavailable(
            f"{counted(lacking)} of {shortened(model_id)} {'is' if len(lacking) == 1 else 'are'} quantised "
            f"({tensors[lacking[0]].dtype}) and without the scales that make numbers of them: "
            f"{listed(sorted(lacking))}. Copy or download the model again."
        )

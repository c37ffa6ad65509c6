"""Load a base model once, on a device, in a dtype; keep it; free it before another.

Only safetensors weights are loaded and no code of a repository is ever run. Knows neither runs nor Gradio. Callers hold
`kept.INFERENCE` around everything that uses a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from attention.errors import InvalidRequest, ModelUnavailable, UnsupportedModel, shortened

from . import quantisation
from .config import first_line, processor_of, read_config, unlike
from .devices import choose_device, choose_dtype, device_map, input_device, published_dtype
from .download import Watch, folder_stamp, locate
from .kept import LoadedModel, free, in_memory, keep
from .loading_report import (
    check_files,
    check_weights,
    conversion_error,
    left_out,
)
from .size_check import check_layers, check_size
from .undisturbed import check_whole, unwrapped

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def _check_modules(model: torch.nn.Module, config, family, path: str) -> None:
    """Raise UnsupportedModel where a model does not have the attention layers that its family expects."""
    if odd := unlike(model, config, family):
        raise UnsupportedModel(
            f"{path} (model type {config.model_type}) is not built as a {family.label} model is: {odd}."
        )


def weight_bytes(path: str) -> int:
    """Bytes of a folder's safetensors files together; 0 where it has none yet."""
    return sum(file.stat().st_size for file in Path(path).glob("*.safetensors"))


def memory_bytes(path: str, config, dtype: torch.dtype) -> int:
    """Bytes that the weights of a folder take in memory, in `dtype` where they are not quantised."""
    packed = quantisation.memory_bytes(path, config, dtype, path)
    return weight_bytes(path) * dtype.itemsize // published_dtype(config).itemsize if packed is None else packed


def is_kept(path: str) -> bool:
    """True if this folder's model is in memory."""
    return any(
        model.path == path and bool(model.revision or model.stamp == folder_stamp(path)) for model in in_memory()
    )


def load(
    model_id: str,
    device: str = "auto",
    dtype: str = "auto",
    model_type: str | None = None,
    watch: Watch | None = None,
) -> LoadedModel:
    """The model, loaded or as kept from before; another one is freed first. `watch` is told of a download.

    Weights go straight to the device; on a CPU, in the files' own dtype, they stay in the mapped files. Raises
    ModelUnavailable, UnsupportedModel or InvalidRequest.
    """
    from transformers import AutoModelForImageTextToText

    path, revision = locate(model_id, watch=watch)
    config, family = read_config(path, model_type)
    device = choose_device(device)
    wanted = choose_dtype(dtype, device, config)
    name = str(wanted).removeprefix("torch.")
    stamp = () if revision else folder_stamp(path)  # a revision of the Hub never changes
    for same in in_memory():
        if (same.path, same.device, same.dtype, same.stamp) == (path, device, name, stamp):
            return keep(same)
    processor = processor_of(path, family)
    check_files(path, model_id)
    quantisation.check_quantisation(config, model_id)
    quantisation.check_packed(path, config, model_id)
    check_size(path, config, model_id)
    free()
    n_bytes = memory_bytes(path, config, wanted)
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            path,
            dtype=wanted,
            attn_implementation=_attention_of_parts(config, family),
            device_map=device_map(device, n_bytes),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            output_loading_info=True,
        )
        quantisation.unpack_first(model)
        quantisation.in_one_dtype(model, wanted)
    except (torch.OutOfMemoryError, MemoryError):
        raise ModelUnavailable(
            f"{model_id} does not fit the memory of {device} in {name} ({n_bytes / 1e9:.1f} GB of weights). "
            "Choose a smaller model, or device cpu."
        ) from None
    except Exception as error:  # noqa: BLE001 - a config of anybody's makes transformers fail in any way
        reason = conversion_error(error) or f"{type(error).__name__}: {first_line(error)}"
        raise ModelUnavailable(
            f"{shortened(model_id)} cannot be loaded by transformers: {reason.removesuffix('.')}. "
            "Its config.json may not describe these weights."
        ) from None
    check_weights(model_id, path, report)
    check_layers(model_id, report["unexpected_keys"], model)
    _check_modules(model, config, family, path)
    # torch may sum a product in another order where weights ask for gradients, and PEFT lets them ask for none: so
    # that a base has the same bits before an adapter was attached and after
    model = model.eval().requires_grad_(False)
    notes = tuple(left_out(report))
    return keep(LoadedModel(model_id, revision, path, family, model, processor, device, name, stamp, notes))


def _attention_of_parts(config: Any, family: Any) -> str | dict[str, str]:
    """The attention function that a model is built with: ours, or by config where a tower knows but two names."""
    from .hook import ATTENTION

    if not family.built_with_sdpa:
        return ATTENTION
    return {
        "": ATTENTION,
        **dict.fromkeys(config.sub_configs, ATTENTION),
        **dict.fromkeys(family.built_with_sdpa, "sdpa"),
    }


def wrap(model: PreTrainedModel, model_type: str | None = None, processor: Any = None) -> LoadedModel:
    """A caller's own model (PEFT-wrapped, compiled, or neither), with a processor of theirs, or that of its folder.

    Raises InvalidRequest for what is neither, and UnsupportedModel for a model of no family or held in parts.
    """
    own = unwrapped(model)
    base = unwrapped(own.get_base_model()) if hasattr(own, "get_base_model") else own
    config = getattr(base, "config", None)
    if not isinstance(base, torch.nn.Module) or config is None:
        raise InvalidRequest(
            f"The model is of type {type(model).__name__}; it must be a model of transformers or PEFT, or a pair "
            "(model, processor). One that is to be loaded is named in the request: Request(model=...)."
        )
    from attention import families

    check_whole(own)
    name, revision = getattr(config, "_name_or_path", ""), getattr(config, "_commit_hash", None)
    family, path = families.of_config(config, model_type), ""
    if processor is not None:
        _check_processor(processor)
        with fitting(processor, family):
            processor = family.fitted(processor, config)
    elif name:
        path, revision = locate(name)
        processor = processor_of(path, family)
    else:
        raise UnsupportedModel(
            "This model does not say where it was loaded from, so its processor cannot be found. Load it from a "
            "folder, or give its processor too: model=(model, processor)."
        )
    _check_modules(base, config, family, name or type(base).__name__)
    quantisation.unpack_first(base)
    dtype = next(each for each in base.parameters() if not quantisation.is_packed(each)).dtype
    return LoadedModel(
        name or type(base).__name__, revision, path, family, base, processor, str(input_device(base)),
        str(dtype).removeprefix("torch."), notes=tuple(_notes(own, base, dtype)), lent=model,
    )  # fmt: skip


@contextmanager
def fitting(processor: Any, family) -> Iterator[None]:
    """Refuse a caller's own processor that cannot do what a model's family asks of it in the `with`."""
    try:
        yield
    except (AttributeError, LookupError, TypeError) as error:
        raise InvalidRequest(
            f"The processor, a {type(processor).__name__}, does not go with this {family.label} model "
            f"({shortened(first_line(error), 200)}). Give the model's own, as AutoProcessor.from_pretrained gives it."
        ) from None


def _notes(own: torch.nn.Module, base: torch.nn.Module, dtype: torch.dtype) -> list[str]:
    """Notes on what of a caller's own model is not as in its folder."""
    from .hook import ATTENTION, attention_names

    notes = []
    functions = sorted(name for name in attention_names(base) if name not in ("sdpa", ATTENTION))
    if functions and dtype.itemsize < torch.float32.itemsize:
        digits = f"{str(dtype).removeprefix('torch.')}, each one part in {round(2 / torch.finfo(dtype).eps):,}"
        notes.append(
            f"The model was loaded with {', '.join(functions)} attention and read with PyTorch's SDPA, on which rows "
            "and answer rest. Both weigh the same values by the same queries and keys; a layer's output may differ by "
            f"a few roundings to {digits}."
        )
    layers: list[Any] = [module for module in own.modules() if not getattr(module, "disable_adapters", True)]
    if adapters := sorted({name for layer in layers for name in layer.active_adapters}):
        notes.append(f"The model carries PEFT adapters, and was read with these on: {shortened(', '.join(adapters))}.")
    return notes


def _check_processor(processor: Any) -> None:
    """Raise InvalidRequest for what cannot make inputs of pictures and words."""
    lacks = [name for name in ("tokenizer", "image_processor", "apply_chat_template") if not hasattr(processor, name)]
    if lacks:
        raise InvalidRequest(
            f"The processor is of type {type(processor).__name__} and has no {lacks[0]}; it must be the model's own, "
            "as AutoProcessor.from_pretrained gives it."
        )

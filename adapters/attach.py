"""Adapters on a base model in memory: attach, switch on for the time of a `with`, let go.

Owns the one PeftModel of a base. Whatever happens, outside of that `with` the base is bit for bit the base: adapters
are never merged, PEFT is given the names of modules and no pattern, and every weight is set by its own key. Knows
neither how an adapter was found nor whether it may be attached: it takes what `inspection` has passed. Callers hold
`attention.models.INFERENCE`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper

from attention.errors import AdapterRefused, InvalidRequest
from attention.models import LoadedModel

from .adapter_files import AdapterFiles, read_folder, read_tensors
from .base_modules import base_of_model
from .inspection import HealthCard, inspect_adapter

KEPT = 16  # adapters on one base: a series of twelve checkpoints, and some before it
STRENGTHS = (0.0, 1.5)
ATTRIBUTE = "_attached_adapters"  # of the base model, so that they go when it goes


@dataclass(frozen=True)
class AdapterChoice:
    """An adapter to switch on, and how strongly: 0 is the base, 1 as it was trained.

    `rename`: its keys, in an older layout, may be read under the names that the model has now.
    """

    files: AdapterFiles
    scale: float = 1.0
    rename: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.scale, int | float) or not STRENGTHS[0] <= self.scale <= STRENGTHS[1]:
            raise InvalidRequest(
                f"The adapter's strength is {self.scale!r}; it is a number from {STRENGTHS[0]:g} to {STRENGTHS[1]:g}."
            )

    @property
    def record(self) -> dict:
        """What run.json says of it."""
        files = self.files
        return {"id": files.id, "revision": files.revision, "sha256": files.sha256, "scale": float(self.scale)}

    def to_dict(self) -> dict:
        """Plain data, as it crosses a process border."""
        return {**self.record, "folder": str(self.files.folder), "rename": self.rename}

    @classmethod
    def from_dict(cls, record: dict) -> AdapterChoice:
        """The same choice, its files read again. Raises AdapterRefused when they are no longer what they were."""
        files = replace(read_folder(record["folder"], record["id"], record["revision"]), id=record["id"])
        if files.sha256 != record["sha256"]:
            raise AdapterRefused(f"The weights of {files.id} changed after they were checked. Try again.")
        return cls(files, record["scale"], record["rename"])


def adapted(choice: AdapterChoice | None) -> Callable[[LoadedModel], AbstractContextManager[dict | None]]:
    """What `attention.extraction.fill` takes as `adapted`: this adapter, attached and switched on; None is the base."""

    @contextmanager
    def switch(loaded: LoadedModel) -> Iterator[dict | None]:
        if choice is None:
            yield None
            return
        adapters = adapters_of(loaded)
        with adapters.switched_on(adapters.attach(choice), choice.scale):
            yield choice.record

    return switch


def adapters_of(loaded: LoadedModel) -> Adapters:
    """The adapters on a model; the same object each time."""
    if not hasattr(loaded.model, ATTRIBUTE):
        setattr(loaded.model, ATTRIBUTE, Adapters(loaded))
    return getattr(loaded.model, ATTRIBUTE)


class Adapters:
    """The adapters that are attached to one base model, all of them switched off."""

    def __init__(self, loaded: LoadedModel, keeps: int = KEPT):
        self._model, self._model_id, self._keeps = loaded.model, loaded.id, keeps
        self._peft: PeftModel | None = None
        self._cards: dict[str, HealthCard] = {}  # by name; used longest ago first
        self._names: dict[tuple, str] = {}  # by what is attached
        self._made = 0

    def __len__(self) -> int:
        return len(self._cards)

    def attach(self, choice: AdapterChoice) -> str:
        """Put an adapter's weights beside the base's and return its name here; at once where it is there already.

        Raises AdapterRefused, and then nothing of it is left. Of many, the one used longest ago is let go.
        """
        key = (choice.files.sha256, choice.rename, str(choice.files.config))
        if key in self._names:
            name = self._names[key]
            self._cards[name] = self._cards.pop(name)
            return name
        card = inspect_adapter(choice.files, base_of_model(self._model_id, self._model), rename=choice.rename)
        tensors = read_tensors(choice.files)
        while len(self._cards) >= self._keeps:
            self.detach(next(iter(self._cards)))
        self._made += 1
        name = f"adapter_{self._made}"
        try:
            with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about training, and about names that we give in full
                self._inject(name, card)
                self._fill(name, card, tensors)
        except BaseException as error:
            self._remove(name)
            if isinstance(error, torch.OutOfMemoryError) or not isinstance(error, Exception):
                raise
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise AdapterRefused(f"{choice.files.id} could not be attached: {reason}") from error
        self._cards[name], self._names[key] = card, name
        return name

    def card(self, name: str) -> HealthCard:
        """What is known of an adapter that is attached."""
        return self._cards[name]

    def detach(self, name: str) -> None:
        """Let go of an adapter and its memory."""
        del self._cards[name]
        self._names = {key: kept for key, kept in self._names.items() if kept != name}
        self._remove(name)

    @contextmanager
    def switched_on(self, name: str, scale: float = 1.0) -> Iterator[None]:
        """Let the model be the adapted one, as strongly as asked, until the end of the `with`."""
        if scale == 0:
            yield  # exactly the base, also where an adapter replaces modules
            return
        try:
            with torch.inference_mode(False), torch.no_grad():
                self._peft.base_model.enable_adapter_layers()
                self._peft.set_adapter(name, inference_mode=True)
                for _, layer in self._layers():
                    layer.set_scale(name, scale)
            yield
        finally:
            self._switch_off()

    # How it is done

    def _layers(self) -> Iterator[tuple[str, BaseTunerLayer]]:
        return ((path, module) for path, module in self._model.named_modules() if isinstance(module, BaseTunerLayer))

    def _inject(self, name: str, card: HealthCard) -> None:
        config = _config(card)
        if self._peft is None:
            self._peft = PeftModel(self._model, config, adapter_name=name)
        else:
            self._peft.add_adapter(name, config)
        self._model.eval()
        self._switch_off()

    def _fill(self, name: str, card: HealthCard, tensors: dict[str, torch.Tensor]) -> None:
        places = dict(self._model.named_modules())
        wanted = {path for path, _ in self._model.named_parameters() if f".{name}." in f"{path}."}
        for key, (module, which) in card.keys.items():
            path = f"{module}.{_inside(name, which)}"
            owner, _, last = path.rpartition(".")
            parameter = getattr(places[owner], last, None) if owner in places else None
            if parameter is None or parameter.shape != tensors[key].shape:
                raise AdapterRefused(f"{key} has no place in the model.")
            parameter.copy_(tensors[key])
            wanted.discard(path)
        if wanted:
            raise AdapterRefused(f"{len(wanted)} of its weights are not in its file, {sorted(wanted)[0]} for one.")

    def _switch_off(self) -> None:
        if self._peft is not None:
            self._peft.base_model.disable_adapter_layers()

    def _remove(self, name: str) -> None:
        """Take an adapter out, however much of it is there; with the last one the wrapping goes too."""
        if self._cards and self._peft is not None:
            if name in self._peft.peft_config:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # that another one is active now; all are switched off
                    self._peft.delete_adapter(name)
            self._switch_off()
            return
        self._peft = None
        for path, module in list(self._model.named_modules()):
            base = _base_of(module)
            if base is not None:
                owner, _, last = path.rpartition(".")
                setattr(self._model.get_submodule(owner), last, base)
        if hasattr(self._model, "peft_config"):
            del self._model.peft_config


def _base_of(module: torch.nn.Module) -> torch.nn.Module | None:
    if isinstance(module, BaseTunerLayer):
        return module.get_base_layer()
    return module.original_module if isinstance(module, AuxiliaryTrainingWrapper) else None


def _config(card: HealthCard) -> LoraConfig:
    """PEFT's configuration of what inspection found: modules by their full names, ranks and alphas by these."""
    first = card.modules[0] if card.modules else None

    def by_name(field: str) -> dict:
        common = getattr(first, field, None)
        return {
            f"^{re.escape(module.name)}$": getattr(module, field)
            for module in card.modules
            if getattr(module, field) != common
        }

    return LoraConfig(
        r=first.rank if first else 1,
        lora_alpha=first.alpha if first else 1,
        target_modules=[module.name for module in card.modules],
        rank_pattern=by_name("rank"),
        alpha_pattern=by_name("alpha"),
        modules_to_save=list(card.replaces) or None,
        use_dora=card.use_dora,
        use_rslora=card.use_rslora,
        lora_bias=any(which == "lora_B.bias" for _, which in card.keys.values()),
        lora_dropout=0.0,
        inference_mode=True,
    )


def _inside(name: str, which: str) -> str:
    """Where a weight is in a wrapped module."""
    return which

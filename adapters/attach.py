"""Adapters on a base model in memory: attach, switch on for the time of a `with`, let go.

Owns the one PeftModel of a base. Whatever happens, outside of that `with` the base is bit for bit the base: adapters
are never merged, PEFT is given the names of modules and no pattern, every weight is set by its own key, and tensors
that an adapter brings instead of the base's are exchanged for them. Knows neither how an adapter was found nor whether
it may be attached: it takes what `inspection` has passed. Callers hold `attention.models.loading.INFERENCE`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from attention.errors import AdapterRefused
from attention.models.kept import LoadedModel

from .base_modules import base_of_model
from .choosing import AdapterChoice
from .exchange import Changes, Places, added, changes_of, exchanged, places_of, with_rows
from .files import read_folder, read_tensors
from .health_card import HealthCard, listed
from .inspection import inspect_adapter
from .weight_change import differing_copies

KEPT = 16  # adapters on one base: a series of twelve checkpoints, and some before it
ATTRIBUTE = "_attached_adapters"  # of the base model, so that they go when it goes


def to_job(choice: AdapterChoice) -> dict[str, Any]:
    """A choice as plain data, as it crosses a process border."""
    files = {"folder": str(choice.files.folder), "private": choice.files.is_private}
    return {**choice.record, **files, "rename": choice.rename, "alone": choice.alone}


def from_job(record: dict[str, Any]) -> AdapterChoice:
    """The same choice, its files read again. Raises AdapterRefused when they are no longer what was checked."""
    files = read_folder(record["folder"], record["id"], record["revision"])
    if files.sha256 != record["sha256"]:
        raise AdapterRefused(f"The weights of {files.id} changed after they were checked. Try again.")
    files = replace(files, is_private=record["private"])
    return AdapterChoice(files, record["scale"], record["rename"], record["alone"])


def adapted(choice: AdapterChoice) -> Callable[[LoadedModel], AbstractContextManager[dict[str, Any] | None]]:
    """The `adapted` of `attention.capture.extraction.fill`: this adapter, attached and on."""

    @contextmanager
    def switch(loaded: LoadedModel) -> Iterator[dict[str, Any] | None]:
        with attached(choice, loaded) as (adapters, name), adapters.switched_on(name, choice.scale):
            yield choice.record | {"notes": adapters.card(name).notes_of_a_run()}

    return switch


@contextmanager
def attached(choice: AdapterChoice, loaded: LoadedModel) -> Iterator[tuple[Adapters, str]]:
    """The adapters on a model, this one among them, and its name there. One that is private is not kept afterwards."""
    adapters = adapters_of(loaded)
    name = adapters.attach(choice)
    try:
        yield adapters, name
    finally:
        if choice.files.is_private:
            adapters.detach(name)


def paused(loaded: LoadedModel) -> AbstractContextManager[Callable[[], AbstractContextManager[None]]]:
    """Within the `with` of an adapter that is on: let the model be the base, as `Adapters.paused` says."""
    return adapters_of(loaded).paused()


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
        self._names: dict[tuple[Any, ...], str] = {}  # by what is attached
        self._places: dict[str, Places] = {}  # by name: the tensors that take the place of the base's
        self._changes: dict[str, Changes] = {}  # by name: what is added to parameters that are no module's only one
        self._made = 0
        self._on: tuple[str, float] | None = None  # the adapter that is switched on, and how strongly
        self._held = ExitStack()  # what takes the place of the base's tensors meanwhile

    def __len__(self) -> int:
        return len(self._cards)

    def names(self) -> list[str]:
        """The names of those that are attached, the one used longest ago first."""
        return list(self._cards)

    def attach(self, choice: AdapterChoice) -> str:
        """Put an adapter's weights beside the base's and return its name here; at once where it is there already.

        Raises AdapterRefused, and then nothing of it is left. Of many, the one used longest ago is let go.
        """
        key = (choice.files.sha256, choice.rename, choice.alone, str(choice.files.config))
        if key in self._names:
            name = self._names[key]
            self._cards[name] = self._cards.pop(name)
            return name
        base = base_of_model(self._model_id, self._model)
        card = inspect_adapter(choice.files, base, rename=choice.rename, alone=choice.alone)
        tensors = read_tensors(choice.files)
        if other := differing_copies(card, tensors, self._model):
            raise AdapterRefused(
                f"{choice.files.id} was trained on another model than {self._model_id}: its file repeats the base's "
                f"weights of {listed(other)}, and they differ. Choose the model that it was trained on."
            )
        if odd := next((pair for pair in card.same if not torch.equal(*(tensors[key] for key in pair))), None):
            raise AdapterRefused(
                f"{choice.files.id} has two different weights, {odd[0]} and {odd[1]}, for what is one weight in "
                f"{self._model_id}: its output layer is tied to its embedding. It was trained on another model."
            )
        while len(self._cards) >= self._keeps:
            self.detach(next(iter(self._cards)))
        self._made += 1
        name = f"adapter_{self._made}"
        try:
            with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about training, and about names that we give in full
                self._inject(name, card)
                self._fill(name, card, tensors)
                whole = with_rows(self._model, card, tensors)
                new = {tensor: whole[key] for tensor, key in card.replaced_tensors.items()}
                self._places[name] = places_of(self._model, new)
                self._changes[name] = changes_of(self._model, card, tensors)
        except BaseException as error:
            self._remove(name)
            if isinstance(error, torch.OutOfMemoryError) or not isinstance(error, Exception):
                raise
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise AdapterRefused(f"{choice.files.id} could not be attached: {reason}") from error
        self._cards[name], self._names[key] = card, name
        return name

    def card(self, name: str) -> HealthCard:
        """Record of an adapter that is attached."""
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
            self._switch_on(name, scale)
            yield
        finally:
            self._switch_off()

    @contextmanager
    def paused(self) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Within `switched_on`: let the model be the base until the end of this `with`, then the adapted one again.

        Yields a function whose contexts have the adapter on again meanwhile.
        """
        was = self._on
        if was is None:  # of strength 0
            yield nullcontext
            return
        self._switch_off()
        try:
            yield partial(self._resumed, *was)
        finally:
            self._switch_on(*was)

    @contextmanager
    def _resumed(self, name: str, scale: float) -> Iterator[None]:
        self._switch_on(name, scale)
        try:
            yield
        finally:
            self._switch_off()

    # How it is done

    def _switch_on(self, name: str, scale: float) -> None:
        self._on = name, scale
        if self._peft is not None and name in self._peft.peft_config:
            with torch.inference_mode(False), torch.no_grad():
                self._peft.base_model.enable_adapter_layers()
                self._peft.set_adapter(name, inference_mode=True)
                for _, layer in self._layers():
                    layer.set_scale(name, scale)
        self._held.enter_context(exchanged(self._places[name]))
        self._held.enter_context(added(self._changes[name], scale))

    def _layers(self) -> Iterator[tuple[str, BaseTunerLayer]]:
        return ((path, module) for path, module in self._model.named_modules() if isinstance(module, BaseTunerLayer))

    def _inject(self, name: str, card: HealthCard) -> None:
        config = _config(card)
        if not config.target_modules:
            return
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
            if which == "rows" or which.startswith(("replaces.", "parameter.")):
                continue
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
        self._on = None
        self._held.close()
        if self._peft is not None:
            self._peft.base_model.disable_adapter_layers()

    def _remove(self, name: str) -> None:
        """Take an adapter out, however much of it is there, and the wrapping of modules that no other one touches."""
        self._places.pop(name, None)
        self._changes.pop(name, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that another one is active now; all are switched off
            for path, module in list(self._model.named_modules()):
                if isinstance(module, BaseTunerLayer):
                    module.delete_adapter(name)
                    base = None if module._all_available_adapter_names() else module.get_base_layer()
                    if base is not None:
                        owner, _, last = path.rpartition(".")
                        setattr(self._model.get_submodule(owner), last, base)
        if self._peft is None:
            return
        self._peft.peft_config.pop(name, None)
        if self._peft.peft_config:
            self._peft.set_adapter(next(iter(self._peft.peft_config)), inference_mode=True)
            self._switch_off()
            return
        self._peft = None
        if hasattr(self._model, "peft_config"):
            del self._model.peft_config


def _config(card: HealthCard) -> LoraConfig:
    """PEFT's configuration of what inspection found: modules by their full names, ranks and alphas by these."""
    modules = [module for module in card.modules if module.kind != "parameter"]
    first = modules[0] if modules else None

    def by_name(field: str) -> dict[str, Any]:
        common = getattr(first, field, None)
        return {
            f"^{re.escape(module.name)}$": getattr(module, field)
            for module in modules
            if getattr(module, field) != common
        }

    return LoraConfig(
        r=first.rank if first else 1,
        lora_alpha=first.alpha if first else 1,
        target_modules=[module.name for module in modules],
        rank_pattern=by_name("rank"),
        alpha_pattern=by_name("alpha"),
        use_dora=card.use_dora,
        use_rslora=card.use_rslora,
        lora_bias=card.has_bias,
        lora_dropout=0.0,
        inference_mode=True,
    )


def _inside(name: str, which: str) -> str:
    """Place in which PEFT keeps a weight of the adapter of this name, inside the module that it wraps."""
    if which.startswith("lora_embedding"):
        return f"{which}.{name}"
    part, _, last = which.partition(".")
    return f"{'lora_magnitude_vector' if part == 'magnitude' else part}.{name}.{last or 'weight'}"

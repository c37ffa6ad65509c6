"""A pass in which every attention layer is computed once more, by other weights on the same inputs: only that is kept.

Owns what belongs to a layer: its attention module, with the projections, norms of queries and keys and rotary embedding
inside, and the module of the same layer in front of it (a norm) whose output is what enters it; some have none. Knows
no adapter: whose weights the other ones are says a context that is entered around each second call. The pass itself
goes on as if there were none.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple

import torch

from attention.models.hook import recorder

from .plan import TowerPlan
from .recorder import Capture

Other = Callable[[], AbstractContextManager[Any]]


class _Front(NamedTuple):
    """The last call of a module beside an attention module: what it was given, and what it gave."""

    module: torch.nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Any, ...]


@contextmanager
def crossed(capture: Capture, model: torch.nn.Module, towers: Mapping[str, TowerPlan], other: Other) -> Iterator[None]:
    """Let a capture that is entered keep the second calls of the passes within this `with`, and no first ones.

    Within `other()` the model has the weights of the second calls. Dictionaries that a layer is given, in which it
    leaves keys and values for later layers, are copied: no second call is seen by the pass.
    """
    calls = _SecondCalls(capture, other)
    with ExitStack() as held:
        token = recorder.set(None)
        held.callback(recorder.reset, token)
        attending = {id(module): (name, module) for plan in towers.values() for name, module in plan.modules.values()}
        for name, module in attending.values():
            held.callback(module.register_forward_hook(calls.repeat, with_kwargs=True).remove)
            layer = model.get_submodule(name.rpartition(".")[0])
            calls.layers[module] = layer
            for each in layer.children():
                if id(each) not in attending and each not in calls.layers:
                    calls.layers[each] = layer
                    held.callback(each.register_forward_hook(calls.remember, with_kwargs=True).remove)
        held.callback(calls.forget)
        yield


class _SecondCalls:
    """The hooks of such a pass; `layers` has the layer of each module that is hooked."""

    def __init__(self, capture: Capture, other: Other):
        self._capture, self._other = capture, other
        self.layers: dict[torch.nn.Module, torch.nn.Module] = {}
        self._front: _Front | None = None
        self._is_second = False

    def forget(self) -> None:
        """Let go of the tensors of the last call."""
        self._front = None

    def remember(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """A module beside the attention was called."""
        if not self._is_second:
            self._front = _Front(module, args, kwargs, output if isinstance(output, tuple) else (output,))

    def repeat(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], _: Any) -> None:
        """An attention module was called: call it again, after the norm in front of it, with the other weights."""
        if self._is_second:
            return
        self._is_second = True
        token = recorder.set(self._capture)
        try:
            with self._other():
                args, kwargs = self._entering(module, args, kwargs)
                module(*args, **kwargs)
        finally:
            recorder.reset(token)
            self._is_second = False
            self._front = None

    def _entering(
        self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of the second call: with what the module in front gives by the other weights."""
        given = {id(each) for each in (*args, *kwargs.values())}
        changed: dict[int, Any] = {}
        front = self._front
        is_own = front is not None and self.layers[front.module] is self.layers[module]
        outputs = [each for each in front.outputs if isinstance(each, torch.Tensor)] if front and is_own else []
        if front is not None and any(id(each) in given for each in outputs):
            made = front.module(*front.args, **front.kwargs)
            both = zip(front.outputs, made if isinstance(made, tuple) else (made,), strict=True)
            changed = {id(old): new for old, new in both if isinstance(old, torch.Tensor)}

        def of(value: Any) -> Any:
            return copy.copy(value) if isinstance(value, MutableMapping) else changed.get(id(value), value)

        return tuple(map(of, args)), {name: of(value) for name, value in kwargs.items()}

"""A CUDA device that is not there: what a card would refuse, how often it is called, and how often it is waited for.

    with PretendedCuda() as cuda:
        loaded = cuda.moved(models.load(folder, "cpu"))
        extract(request, run, loaded)
    cuda.calls, cuda.waits

Tensors on it are tensors of the host that say they are on cuda:0. An operation that mixes them with the host's raises
as CUDA does, and so does NumPy. A copy to pinned memory is noise until an event after it is waited for, as it may be on
a card; everything else happens at once. Calls are those of torch's functions and methods in Python, reads of attributes
apart. It knows nothing of speed, of memory, and of the order in which streams run.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter, tree_map

DEVICE = torch.device("cuda:0")
# what the host must have a number for, so that it waits until the device has computed it
WAITS = {
    *("item", "tolist", "cpu", "__bool__", "__int__", "__float__", "__index__", "__contains__", "nonzero", "argwhere"),
    *("equal", "allclose", "unique", "unique_consecutive", "masked_select", "is_nonzero", "bincount"),
}
# a place in another tensor may be named by one of the host, and a copy's two ends may lie apart
MAY_MIX = {"copy_", "__getitem__", "__setitem__", "index_put_", "to", "type_as", "set_", "__repr__", "__format__"}
NAMES_NO_DEVICE = {"numpy", "__array__", "__array_interface__"}

_current: list[PretendedCuda] = []


class OnDevice(torch.Tensor):
    """A tensor that says it is on the device."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return _call(function, args, kwargs or {})


class PretendedCuda(TorchFunctionMode):
    """The device, for the time of a `with`: `calls` of torch, and the names of `waits`, in all threads together."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.waits: list[str] = []
        self.pinned_bytes: list[int] = []  # of every allocation
        self._underway: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._pinned: dict[int, torch.Tensor] = {}
        self._patches = contextlib.ExitStack()
        self.mapped = 0  # how deep in vmap, which takes tensors apart

    def __enter__(self):
        for name, value in _cuda(self).items():
            self._patches.enter_context(mock.patch.object(torch.cuda, name, value))
        self._patches.enter_context(mock.patch.object(torch, "vmap", self._vmap(torch.vmap)))
        _current.append(self)
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        _current.remove(self)
        self._patches.close()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return _call(function, args, kwargs or {})

    def moved(self, loaded):
        """A loaded model on the device."""
        for module in loaded.model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    there = parameter.detach().as_subclass(OnDevice)
                    module._parameters[name] = torch.nn.Parameter(there, requires_grad=False)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = buffer.as_subclass(OnDevice)
        return replace(loaded, device="cuda:0")

    @contextlib.contextmanager
    def counted(self):
        """Calls and waits of a `with` alone, as a list that is filled at its end: [calls, waits]."""
        calls, waits, found = self.calls, len(self.waits), []
        yield found
        found += [self.calls - calls, self.waits[waits:]]

    def _vmap(self, vmap):
        """vmap, whose results are on the device where its arguments are; what it computes inside is of the host."""

        def mapped(function, *options, **named):
            inner = vmap(function, *options, **named)

            def call(*args):
                there = any(isinstance(each, OnDevice) for each in tree_iter(args))
                self.mapped += 1
                try:
                    result = inner(*tree_map(_plain, args))
                finally:
                    self.mapped -= 1
                return tree_map(_there, result) if there else result

            return call

        return mapped

    def pin(self, tensor: torch.Tensor) -> torch.Tensor:
        self.pinned_bytes.append(tensor.nbytes)
        self._pinned[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    def leave(self, to: torch.Tensor, tensor: torch.Tensor) -> None:
        """A copy that the host does not wait for: noise, until an event that comes after it."""
        if to.untyped_storage().data_ptr() not in self._pinned:
            self.waits.append("a copy to memory that is not pinned")
            to.copy_(tensor)
            return
        to.view(-1).view(torch.uint8).random_(0, 2 if to.dtype == torch.bool else 256)
        self._underway.append((to, tensor))

    def arrive(self, until: int) -> None:
        """The copies that had begun before an event, but not the later ones."""
        for at in range(until):
            pair, self._underway[at] = self._underway[at], None
            if pair is not None:
                with torch.inference_mode():
                    pair[0].copy_(pair[1])


def _call(function, args, kwargs):
    with torch._C.DisableTorchFunctionSubclass():
        return _called(_current[-1] if _current else PretendedCuda(), function, list(args), dict(kwargs))


def _called(cuda, function, args, kwargs):
    name = getattr(function, "__name__", "")
    tensors = [each for each in tree_iter((args, kwargs)) if isinstance(each, torch.Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, OnDevice)]
    if name == "__get__":
        return _attribute(function, args, there)
    if there and name in NAMES_NO_DEVICE:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor first.")
    cuda.calls += 1
    target = _target(name, args, kwargs)
    if there and not cuda.mapped:
        _refuse_mixed(name, args, tensors, target)
        is_copied = name == "__setitem__" and not isinstance(args[0], OnDevice)
        if name in WAITS or is_copied or target is False or _is_picked_by_truth(name, args):
            cuda.waits.append(name)
    args, kwargs = tree_map(_plain, tuple(args)), tree_map(_plain, kwargs)
    if name == "copy_" and there and not isinstance(tensors[0], OnDevice):
        if kwargs.get("non_blocking"):
            cuda.leave(args[0], args[1])
        else:
            cuda.waits.append(name)
            args[0].copy_(args[1])
        return tensors[0]
    is_pinned = kwargs.pop("pin_memory", False) or name == "pin_memory"
    if name == "histc" and not args[0].is_floating_point():  # of whole numbers, a card alone has it
        result = function(args[0].float(), *args[1:], **kwargs).to(args[0].dtype)
    else:
        result = args[0] if name == "pin_memory" else function(*args, **kwargs)
    if is_pinned:
        return cuda.pin(result)
    if name.endswith("_") and not name.endswith("__"):
        return tensors[0]
    return tree_map(_there if target or (there and target is None) else _plain, result)


def _attribute(function, args, there):
    name = getattr(getattr(function, "__self__", None), "__name__", "")
    if there and name in ("device", "is_cuda", "is_cpu"):
        return {"device": DEVICE, "is_cuda": True, "is_cpu": False}[name]
    result = function(*args)
    return _there(result) if there else result


def _target(name, args, kwargs) -> bool | None:
    """The place that a call names for its result: True on the device, False on the host, None as its tensors are."""
    if name in ("cpu", "cuda"):
        return name == "cuda"
    found = None
    for at, value in [*enumerate(args), *kwargs.items()]:
        if name == "to" and at in (1, "other") and isinstance(value, torch.Tensor):
            return isinstance(value, OnDevice)
        says = at == "device" or (name == "to" and at == 1)
        if says and isinstance(value, (str, torch.device, int)):
            found = isinstance(value, int) or torch.device(value).type == "cuda"
            (args if isinstance(at, int) else kwargs)[at] = torch.device("cpu") if found else value
    return found


def _refuse_mixed(name, args, tensors, target) -> None:
    """Raise as CUDA does. Numbers in tensors without a dimension may come from the host."""
    of_host = [tensor for tensor in tensors if not isinstance(tensor, OnDevice)]
    if name in ("__getitem__", "__setitem__") and not isinstance(args[0], OnDevice):
        if not any(isinstance(each, OnDevice) for each in tree_iter(args[1])):
            return  # a value from the device is copied
        raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
    if target is None and name not in MAY_MIX and any(tensor.dim() for tensor in of_host):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! ({name})"
        )


def _is_picked_by_truth(name, args) -> bool:
    """True for an index of bools, which the device must count, and for the places where something is true."""
    if name == "where":
        return len(args) == 1
    index = args[1] if name == "__getitem__" else ()
    return any(isinstance(each, OnDevice) and each.dtype == torch.bool for each in tree_iter(index))


def _there(value):
    return value.as_subclass(OnDevice) if isinstance(value, torch.Tensor) else value


def _plain(value):
    return value.as_subclass(torch.Tensor) if isinstance(value, OnDevice) else value


def _cuda(cuda: PretendedCuda) -> dict:
    """Answers of torch.cuda, and its streams and events."""

    class Stream:
        def __init__(self, *_, **__):
            pass

        def wait_stream(self, _):
            pass

        def synchronize(self):
            cuda.waits.append("stream")
            cuda.arrive(len(cuda._underway))

    class Event:
        def __init__(self, *_, **__):
            self.after = 0

        def record(self, *_):
            self.after = len(cuda._underway)

        def synchronize(self):
            cuda.waits.append("event")
            cuda.arrive(self.after)

    def synchronize(*_):
        Stream().synchronize()

    gigabytes = 1 << 30
    return {
        "Stream": Stream,
        "Event": Event,
        "synchronize": synchronize,
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "current_stream": lambda *_: Stream(),
        "stream": lambda _: contextlib.nullcontext(),
        "get_device_name": lambda *_: "a pretended card",
        "get_device_capability": lambda *_: (9, 0),
        "mem_get_info": lambda *_: (70 * gigabytes, 80 * gigabytes),
        "memory_reserved": lambda *_: 0,
        "memory_allocated": lambda *_: 0,
        "max_memory_allocated": lambda *_: gigabytes,
        "reset_peak_memory_stats": lambda *_: None,
        "empty_cache": lambda: None,
    }

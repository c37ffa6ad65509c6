"""Bytes that a computation holds on the CPU: all of its tensors, and those that it keeps for a pass back."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class HeldMemory(TorchDispatchMode):
    """Follows every storage that is made while it is on: `peak` bytes of them lived at a time."""

    def __init__(self):
        super().__init__()
        self.peak, self._now, self._held = 0, 0, {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        given = {each.untyped_storage()._cdata for each in _tensors((args, kwargs))}
        for each in _tensors(found):
            storage = each.untyped_storage()
            name = storage._cdata
            if name in given or name in self._held:
                continue
            self._held[name] = storage.nbytes()
            self._now += self._held[name]
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._gone, name)
        return found

    def _gone(self, name):
        self._now -= self._held.pop(name, 0)


def _tensors(tree):
    return [each for each in tree_leaves(tree) if isinstance(each, torch.Tensor)]


def bytes_kept_for_backward(compute):
    """Bytes of the storages that are kept between computing something and its pass back, and what was computed."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        found = compute()
    return sum(kept.values()), found

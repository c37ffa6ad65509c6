"""The tensors that a file of `torch.save` holds, by name, read from its pickle's opcodes: nothing is ever unpickled.

Owns the few opcodes that a dictionary of tensors is written with. What is anything else stays an unknown object; no
name of the pickle is imported and nothing of it is called.
"""

from __future__ import annotations

import pickletools
import struct
from typing import Any

from .safetensors_header import TensorRecord

ZIP, PICKLE = b"PK\x03\x04", b"\x80"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # begins a file of torch before 1.6: three more pickles, then the object
DTYPES = {"Float": "F32", "Double": "F64", "Half": "F16", "BFloat16": "BF16"}  # of a storage; others are no weights
MOST_DEPTH = 2  # {"state_dict": {name: tensor}}


class _Mark:
    """The place where the stack was marked."""


class _Global(str):
    """A name of a module, as `module.name`."""


class _Unknown:
    """An object that is no dictionary, tensor or plain value; `holds` whether weights went into it."""

    def __init__(self, holds: bool = False):
        self.holds = holds


def is_torch_file(start: bytes) -> bool:
    """True for a file that begins as `torch.save` or `pickle` writes one."""
    return start.startswith((ZIP, PICKLE))


def pickled_tensors(start: bytes) -> dict[str, TensorRecord] | None:
    """The weights in a file whose first bytes are `start`, by name; None where these do not tell.

    Those of a dictionary, and of dictionaries in it. Tensors of integers are no weights. None is also what is known of
    a whole module, or of arrays of another library under a weight's name.
    """
    try:
        found = _object(start)
        named = _named(found)
        return None if not named and _is_opaque(found) else named
    except Exception:  # noqa: BLE001 - whatever bytes can do; then nothing is known of the file
        return None


def _object(start: bytes) -> Any:
    if start.startswith(ZIP):
        length, extra = struct.unpack("<HH", start[26:30])
        name, method = start[30 : 30 + length], struct.unpack("<H", start[8:10])[0]
        if not name.endswith(b"data.pkl") or method:
            raise ValueError("not as torch writes it")
        return _run(start[30 + length + extra :])[0]
    found, end = _run(start)
    if found == LEGACY_MAGIC:
        for _ in range(3):
            start = start[end:]
            found, end = _run(start)
    return found


def _is_opaque(found: Any, name: str = "", depth: int = 0) -> bool:
    if isinstance(found, dict) and depth < MOST_DEPTH:
        return any(_is_opaque(each, str(key), depth + 1) for key, each in found.items())
    return isinstance(found, _Unknown) and (found.holds or "." in name)


def _named(found: Any, depth: int = 1) -> dict[str, TensorRecord]:
    if not isinstance(found, dict):
        return {}
    weights = {name: each for name, each in found.items() if isinstance(name, str) and isinstance(each, TensorRecord)}
    if depth < MOST_DEPTH:
        for inner in found.values():
            weights |= _named(inner, depth + 1)
    return {name: record for name, record in weights.items() if record.dtype in DTYPES.values()}


def _run(content: bytes) -> tuple[Any, int]:
    """Go through one pickle; return what it makes, as far as that is known, and where it ends."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def above_mark() -> list[Any]:
        place = max(i for i, each in enumerate(stack) if isinstance(each, _Mark))
        items = stack[place + 1 :]
        del stack[place:]
        return items

    def set_items(items: list[Any]) -> None:
        if isinstance(stack[-1], dict):
            for key, value in zip(items[::2], items[1::2], strict=True):
                if isinstance(key, str | int):
                    stack[-1][key] = value

    argument: Any
    for opcode, argument, at in pickletools.genops(content):
        name, place = opcode.name, at or 0
        if name == "STOP":
            return stack.pop(), place + 1
        if name in ("PROTO", "FRAME"):
            continue
        if name == "MARK":
            stack.append(_Mark())
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            above_mark()
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[int(argument)])
        elif name == "GLOBAL":
            stack.append(_Global(argument.replace(" ", ".")))
        elif name == "STACK_GLOBAL":
            word, module = stack.pop(), stack.pop()
            stack.append(_Global(f"{module}.{word}"))
        elif name in ("NONE", "NEWTRUE", "NEWFALSE"):
            stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name in ("EMPTY_LIST", "EMPTY_SET"):
            stack.append([])
        elif name == "EMPTY_TUPLE":
            stack.append(())
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("TUPLE", "LIST", "FROZENSET"):
            stack.append(tuple(above_mark()))
        elif name == "DICT":
            items = above_mark()
            stack.append({})
            set_items(items)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            set_items([key, value])
        elif name == "SETITEMS":
            set_items(above_mark())
        elif name in ("APPENDS", "ADDITEMS"):
            above_mark()
        elif name == "APPEND":
            stack.pop()
        elif name == "BUILD":
            state = stack.pop()
            if isinstance(stack[-1], _Unknown):
                stack[-1].holds |= _holds_weights(state)
        elif name == "BINPERSID":
            stack.append(stack.pop())
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, made = stack.pop(), stack.pop()
            stack.append(_made(made, arguments))
        elif name == "NEWOBJ_EX":
            del stack[-3:]
            stack.append(_Unknown())
        elif name in ("OBJ", "INST"):
            above_mark()
            stack.append(_Unknown())
        elif argument is not None and opcode.stack_before == [] and len(opcode.stack_after) == 1:
            stack.append(argument)  # a number or a text
        else:
            raise ValueError(f"{name} is not for dictionaries of tensors")
    raise ValueError("the pickle does not end")


def _made(made: Any, arguments: Any) -> Any:
    """The result that calling a name would have, of the few that matter."""
    if made == "collections.OrderedDict":
        return {}
    if made in ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"):
        return arguments[0]
    if made == "torch._tensor._rebuild_from_type_v2":
        return _made(arguments[0], arguments[2])
    if made in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
        storage, shape = arguments[0], arguments[2]
        kind = storage[1].rpartition(".")[2].removesuffix("Storage")
        return TensorRecord(DTYPES.get(kind, kind), tuple(int(side) for side in shape))
    return _Unknown(_holds_weights(arguments))


def _holds_weights(found: Any) -> bool:
    if isinstance(found, dict | tuple):
        return any(map(_holds_weights, found.values() if isinstance(found, dict) else found))
    return (isinstance(found, TensorRecord) and found.dtype in DTYPES.values()) or getattr(found, "holds", False)

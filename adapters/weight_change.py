"""Change of each weight of a base by an adapter, without ever making the changed weight.

LoRA adds dW = s B A to a weight W [out, in], with A [r, in], B [out, r], and s = alpha / r (rank-stabilised: alpha /
sqrt(r)). With B = Q_B R_B and A^T = Q_A R_A, the singular values of dW are those of s R_B R_A^T, which is r x r; their
root of squares is the Frobenius norm (the same as s sqrt(tr((B^T B)(A A^T)))), the largest is the spectral norm. All
is computed in float32 from the file's values. Owns these numbers; knows nothing of PEFT but that it may be around, and
that it reads packed weights.

DoRA goes on: W' = m (W + dW) / |W + dW|, by rows of W (by columns of an embedding), so that dW is not all that changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from peft.utils.integrations import dequantize_module_weight
from torch import nn

from attention import families
from attention.families.towers import TowerShape
from attention.models.quantisation import is_packed

from .base_modules import BaseModule, base_of_model, plain_modules, plain_tensors
from .exchange import factors
from .health_card import HealthCard, TouchedModule

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CHUNK = 1 << 24  # numbers of a base weight that are looked at together: 64 MB in float32
HEADS = ("q_proj", "k_proj", "v_proj")


@dataclass(frozen=True)
class WeightChange:
    """Change of one module by an adapter, at strength 1. What was not computed is None, and `note` says why.

    `frobenius` and `spectral` are norms of dW (of a replaced module: of all its new tensors less the base's, and no
    spectral norm). `relative` is `frobenius` over the Frobenius norm of the base's own weight. There is no relative
    spectral norm: that of a large base weight costs more than all the rest. `effective_rank` is the exponential of the
    entropy of dW's singular values: in how many directions it changes. `heads` are the Frobenius norms of the heads'
    rows (queries, keys and values of the language tower).

    With DoRA the norms are those of B A alone; `dora_frobenius` and `dora_relative` are those of all that changes, and
    `magnitude` is how far the rows' norms move, |m - |W|| / ||W||.
    """

    name: str
    part: str
    tower: str
    layer: int | None
    kind: str  # linear | embedding | conv | parameter | rows | replaced
    frobenius: float | None
    relative: float | None
    spectral: float | None = None
    effective_rank: float | None = None
    heads: tuple[float, ...] | None = None
    dora_frobenius: float | None = None
    dora_relative: float | None = None
    magnitude: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self) | {"heads": None if self.heads is None else list(self.heads)}

    def line(self) -> str:
        """The change in words, for a terminal or a page."""
        if self.frobenius is None:
            return f"{self.name}: {self.note}"
        total, relative = self.frobenius, self.relative
        if self.dora_frobenius is not None:
            total, relative = self.dora_frobenius, self.dora_relative
        said = f"{self.name}: change {total:.4g}"
        said += "" if relative is None else f", {relative:.2%} of the weight's norm"
        if self.spectral is not None:
            said += f"; B A: spectral norm {self.spectral:.4g}, effective rank {self.effective_rank:.1f}"
        if self.magnitude is not None:
            said += f"; rows' norms moved by {self.magnitude:.2%}"
        return f"{said}. {self.note}" if self.note else said


@torch.no_grad()
def weight_changes(
    card: HealthCard, tensors: Mapping[str, torch.Tensor], model: PreTrainedModel, model_type: str | None = None
) -> list[WeightChange]:
    """Return the change of each touched module, in the base's order, then of each replaced one.

    `tensors` are the file's, by their names in it; `model` is the base in memory, with adapters attached or not.
    """
    found: dict[str, dict[str, torch.Tensor]] = {}
    for key, (module, which) in card.keys.items():
        found.setdefault(module, {})[which] = tensors[key]
    plain = dict(plain_modules(model))
    places = base_of_model(card.base, model, model_type).modules
    shape = families.of_config(model.config, model_type).towers(model.config)["language"]
    changes = [
        _parameter(module, found[module.name], plain[module.name.rpartition(".")[0]])
        if module.kind == "parameter"
        else _lora(module, found[module.name], plain[module.name], shape)
        for module in card.modules
    ]
    changes += [_rows(name, rows, found[name]["rows"], plain[name], places[name]) for name, rows in card.rows.items()]
    return changes + [_replaced(name, found[name], plain[name], places[name]) for name in card.replaces]


@torch.no_grad()
def differing_copies(card: HealthCard, tensors: Mapping[str, torch.Tensor], model: nn.Module) -> list[str]:
    """Return the modules whose base weights the file repeats with other values than this base has.

    Such an adapter was trained on other weights than these.
    """
    plain = dict(plain_modules(model))
    differ = set()
    for key, name in card.copies.items():
        own = dict(plain_tensors(plain[name]))[key.rpartition(".")[2]].detach()
        # what is rounded differs from what it was made of
        if not (own.is_meta or is_packed(own)) and not torch.equal(tensors[key].to(own.device, own.dtype), own):
            differ.add(name)
    return sorted(differ)


def _lora(module: TouchedModule, found: dict[str, torch.Tensor], base: nn.Module, language: TowerShape) -> WeightChange:
    where = (module.name, module.part, module.tower, module.layer, module.kind)
    if getattr(base, "groups", 1) > 1:
        return WeightChange(*where, None, None, note="The change of a grouped convolution is not computed.")
    weight = _weight(base)
    device = "cpu" if weight is None else weight.device
    a, b = (
        found[f"lora_embedding_{side}" if module.kind == "embedding" else f"lora_{side}"].to(device).float().flatten(1)
        for side in "AB"
    )  # of a convolution, the kernel's places are inputs
    into, out = torch.linalg.qr(a.T).R, torch.linalg.qr(b).R
    values = torch.linalg.svdvals(out @ into.T) * abs(module.scaling)
    frobenius, own = values.norm().item(), None if weight is None else _norm(weight)
    notes = ["The base's weight cannot be read here."] if weight is None else []
    notes += ["The bias that it adds is not counted."] if "lora_B.bias" in found else []
    dora: dict[str, Any] = {}
    heads = None
    if "magnitude" in found:
        notes.append("DoRA: B A is not all of the change.")
        if weight is not None:
            rows = weight.T if module.kind == "embedding" else weight  # b a is a change of that, in both cases
            dora = _dora(rows, b, a, module.scaling, found["magnitude"].to(device).float().flatten(), own)
    head_dim = language.sizes_of(module.layer)[1] if module.layer is not None else language.head_dim
    if module.tower == "language" and module.part in HEADS and not len(b) % head_dim:
        lengths = (b @ into.T).norm(dim=1) * abs(module.scaling)
        heads = tuple(lengths.reshape(-1, head_dim).norm(dim=1).tolist())
    return WeightChange(
        *where,
        frobenius=frobenius,
        relative=_ratio(frobenius, own),
        spectral=values[0].item(),
        effective_rank=_effective_rank(values),
        heads=heads,
        note=" ".join(notes),
        **dora,
    )


def _dora(
    weight: torch.Tensor, b: torch.Tensor, a: torch.Tensor, scaling: float, m: torch.Tensor, own: float | None
) -> dict[str, float | None]:
    """All that DoRA changes, row by row: W' - W = (d - 1) W + d dW with d = m / |W + dW|."""
    squares, products = [], []  # |w|^2 and w . dW's row
    for start, rows in _row_chunks(weight):
        squares.append(rows.square().sum(1))
        products.append(((rows @ a.T) * b[start : start + len(rows)]).sum(1) * scaling)
    w2, cross = torch.cat(squares), torch.cat(products)
    dw2 = ((b @ (a @ a.T)) * b).sum(1) * scaling**2
    d = m / (w2 + 2 * cross + dw2).clamp_min(0).sqrt()
    total = ((d - 1) ** 2 * w2 + 2 * (d - 1) * d * cross + d**2 * dw2).clamp_min(0).sum().sqrt().item()
    lengths = w2.sqrt()
    return {
        "dora_frobenius": total,
        "dora_relative": _ratio(total, own),
        "magnitude": _ratio((m - lengths).norm().item(), lengths.norm().item()),
    }


def _parameter(module: TouchedModule, found: dict[str, torch.Tensor], owner: nn.Module) -> WeightChange:
    """The change of a parameter of several matrices: of all of them together."""
    where = (module.name, module.part, module.tower, module.layer, module.kind)
    own = getattr(owner, module.part).detach()
    if own.is_meta or is_packed(own):
        return WeightChange(*where, None, None, note="The base's weight cannot be read here.")
    a, b = (found[f"parameter.lora_{side}"].to(own.device).float() for side in "AB")
    left, right = factors(a, b, own.shape, getattr(owner, "is_transposed", False))
    squares = ((left.mT @ left) * (right @ right.mT)).sum().clamp_min(0)  # tr((L^T L)(R R^T)) of each
    total = squares.sqrt().item() * abs(module.scaling)
    return WeightChange(*where, total, _ratio(total, _norm(own)), note="Of all its matrices together.")


def _rows(name: str, rows: tuple[int, ...], new: torch.Tensor, base: nn.Module, place: BaseModule) -> WeightChange:
    where = (name, place.part, place.tower, place.layer, "rows")
    own = base.get_parameter("weight").detach()
    if own.is_meta or is_packed(own):
        return WeightChange(*where, None, None, note="The base's weight cannot be read here.")
    moved = _norm(new, own[torch.tensor(rows, device=own.device)])
    return WeightChange(*where, moved, _ratio(moved, _norm(own)), note=f"Of {len(rows):,} rows.")


def _replaced(name: str, found: dict[str, torch.Tensor], base: nn.Module, place: BaseModule) -> WeightChange:
    where = (name, place.part, place.tower, place.layer, "replaced")
    old = {
        f"{inside}.{tensor}" if inside else tensor: value.detach()
        for inside, module in plain_modules(base)
        for tensor, value in plain_tensors(module)
    }
    pairs = [
        (new, old[which.removeprefix("replaces.")]) for which, new in found.items() if which.startswith("replaces.")
    ]
    if any(
        before.is_meta or (is_packed(new) != is_packed(before)) or new.shape != before.shape for new, before in pairs
    ):
        return WeightChange(*where, None, None, note="The base's weight cannot be read here.")
    moved = sum(_norm(new, before) ** 2 for new, before in pairs) ** 0.5
    own = sum(_norm(before) ** 2 for _, before in pairs) ** 0.5
    return WeightChange(*where, moved, _ratio(moved, own))


def _weight(base: nn.Module) -> torch.Tensor | None:
    """A module's weight as a matrix of its outputs, of a quantised one the numbers that it stands for.

    None where it is elsewhere, or packed in a way that is not known here.
    """
    weight = base._parameters.get("weight")
    if weight is None or weight.is_meta:
        return None
    if is_packed(weight):
        return _unpacked(base, weight)
    return weight.detach().flatten(1)


def _unpacked(base: nn.Module, weight: nn.Parameter) -> torch.Tensor | None:
    """The numbers of a packed weight, as PEFT reads them; None where it does not know how."""
    try:
        with torch.inference_mode(False):
            numbers = dequantize_module_weight(base).detach()
    except Exception:  # noqa: BLE001 - each method's own package fails in its own way
        return None
    finally:
        base._parameters["weight"] = weight  # PEFT sets a copy of some
    is_whole = not is_packed(numbers) and numbers.shape == (base.out_features, base.in_features)
    return numbers if is_whole else None


def _norm(tensor: torch.Tensor, other: torch.Tensor | None = None) -> float:
    """The Frobenius norm of a tensor, or of its difference from another."""
    flat = tensor.reshape(-1)
    total = 0.0
    for start in range(0, len(flat), CHUNK):
        piece = flat[start : start + CHUNK]
        if other is not None:
            before = other.reshape(-1)[start : start + CHUNK]
            piece = piece.to(before.device).float() - before.float()
        total += piece.float().norm().item() ** 2
    return total**0.5


def _row_chunks(matrix: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
    """A matrix in float32, so many rows at a time: (index of the first, rows)."""
    at_once = max(1, CHUNK // matrix.shape[1])
    for start in range(0, len(matrix), at_once):
        yield start, matrix[start : start + at_once].float()


def _ratio(part: float, whole: float | None) -> float | None:
    return part / whole if whole else None


def _effective_rank(values: torch.Tensor) -> float:
    total = values.sum()
    return 0.0 if total == 0 else torch.special.entr(values / total).sum().exp().item()

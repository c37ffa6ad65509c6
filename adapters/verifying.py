"""Check the project's promises on a model with an adapter on it, and that the base is the base again afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image

from attention.capture.images import open_image
from attention.models import loading as models
from attention.models.devices import inputs_for
from attention.models.hook import attention_of
from attention.models.kept import INFERENCE, LoadedModel
from attention.models.quantisation import plain_parts
from attention.verify.checks import downloaded, verify
from attention.verify.pictures import drawing, prepared_inputs
from attention.verify.table import Check

from .attach import adapted, adapters_of
from .base_modules import plain_modules, plain_tensors
from .choosing import AdapterChoice


def verify_adapted(
    model_id: str,
    choice: AdapterChoice,
    image: str | Path | None = None,
    device: str = "auto",
    dtype: str = "auto",
    model_type: str | None = None,
    report: Callable[[str], None] | None = None,
) -> list[Check]:
    """All that `attention.verify.checks.verify` checks, with the adapter switched on; then, with it off, that no bit of
    the base's weights and answers has changed. Raises what `verify` raises, and AdapterRefused.
    """
    report = report or (lambda _: None)
    report("Loading the model")
    loaded = models.load(model_id, device, dtype, model_type, lambda done, total: report(downloaded(done, total)))
    picture = open_image(image)[0] if image is not None else drawing(560, 420)
    weights, said = _weights(loaded), _logits(loaded, picture)
    with adapted(choice)(loaded):
        adapted_said = _logits(loaded, picture)
        checks = verify(loaded, picture, report=report)
    report("Comparing with the base as it was")
    off = torch.equal(_logits(loaded, picture), said)
    same_weights = _weights(loaded) == weights
    for name in list(adapters_of(loaded).names()):
        adapters_of(loaded).detach(name)
    gone = torch.equal(_logits(loaded, picture), said)
    moved = (adapted_said.float() - said.float()).abs().max().item()
    return [
        *checks,
        Check("logits that the adapter moved", None, f"{moved:.1e}", "", f"at strength {choice.scale:g}"),
        Check("adapter off: logits of the base", off, "the same bits" if off else "other bits", "the same bits"),
        Check(
            "adapter off: weights of the base", same_weights, "unchanged" if same_weights else "changed", "unchanged"
        ),
        Check("adapter detached: logits of the base", gone, "the same bits" if gone else "other bits", "the same bits"),
    ]


def _weights(loaded: LoadedModel) -> dict[str, str]:
    """Every tensor of the base by its name, as a digest of its bytes."""
    return {
        f"{path}.{name}": hashlib.sha256(
            tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        ).hexdigest()
        for path, module in plain_modules(loaded.model)
        for name, tensor in _parts(module)
        if not tensor.is_meta
    }


def _parts(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """A module's own tensors, those that are packed in their parts."""
    for name, tensor in plain_tensors(module):
        for number, part in enumerate(plain_parts(tensor)):
            yield f"{name}.{number}", part


def _logits(loaded: LoadedModel, picture: Image.Image) -> torch.Tensor:
    with INFERENCE, torch.inference_mode(), attention_of(loaded.model):
        inputs = inputs_for(loaded.model, loaded.family, prepared_inputs(loaded, picture).tensors)
        return loaded.model(**inputs, use_cache=False).logits

"""Every image-text model type of the installed transformers: the family that reads it, or why none does."""

from __future__ import annotations

from dataclasses import dataclass

from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from attention import families

from .refused import reason


@dataclass(frozen=True)
class ModelType:
    """A model type, and the label of its family, or why none reads it."""

    name: str
    family: str | None
    refused: str | None

    @property
    def said(self) -> str:
        return self.family or f"refused: {self.refused}"


def model_types() -> list[ModelType]:
    """All types, ascending by name."""
    supported = families.names()
    return [
        ModelType(name, families.find(name).label, None)
        if name.replace("-", "_") in supported
        else ModelType(name, None, reason(name))
        for name in sorted(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
    ]

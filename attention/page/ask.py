"""Components of the row in which a person asks: pictures, a line that says how far a run is, examples as pictures.

Knows no event and no layout: which values they hold, and how they look is in assets/viewer/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradio.data_classes import FileData, GradioRootModel

from attention.limits import PAGE_PICTURES
from attention.video_entries import ENDINGS

from .viewer import Mounted


class UploadedPictures(GradioRootModel):
    root: list[FileData]


class PictureTray(Mounted):
    """Up to eight pictures or videos, in order: dropped, pasted or chosen. Its value is a list of files.

    What was uploaded is handed on as it is: `attention.capture.images` judges what it is.
    """

    TEMPLATE, MODULE = "pictures.html", "pictures.js"

    def __init__(self, most: int = PAGE_PICTURES, **kwargs):
        self.data_model = UploadedPictures
        super().__init__(None, most=most, videos=list(ENDINGS), **kwargs)

    def preprocess(self, payload: UploadedPictures | None) -> list[str]:
        return [] if payload is None else [file.path for file in payload.root if file.path]

    def postprocess(self, value: list[str] | None) -> UploadedPictures | None:
        if not value:
            return None
        return UploadedPictures(root=[FileData(path=str(path), orig_name=Path(path).name) for path in value])

    def api_info(self) -> dict:
        return {"type": "array", "description": "the pictures, as uploaded files"}

    def example_payload(self) -> None:
        return None

    def example_value(self) -> None:
        return None


class StatusLine(Mounted):
    """A line that says how far a run is, or what went wrong. Readers of screens are told of each change.

    Its value is a text, or {text, done, total, facts}; `facts` are for who asks for them.
    """

    TEMPLATE, MODULE = "status.html", "status.js"

    def preprocess(self, payload: Any) -> Any:
        return payload

    def postprocess(self, value: str | dict | None) -> dict:
        return value if isinstance(value, dict) else {"text": value or ""}

    def api_info(self) -> dict:
        return {"type": "object", "description": "what is said"}

    def example_payload(self) -> dict:
        return {"text": ""}

    def example_value(self) -> str:
        return ""


class ExampleStrip(Mounted):
    """Finished examples as small pictures. Its value is a list of {ticket, label, prompt}; `select` says {ticket}."""

    TEMPLATE, MODULE = "examples.html", "examples.js"

    def preprocess(self, payload: Any) -> Any:
        return payload

    def postprocess(self, value: list[dict] | None) -> list[dict]:
        return value or []

    def api_info(self) -> dict:
        return {"type": "array", "description": "the examples"}

    def example_payload(self) -> list:
        return []

    def example_value(self) -> list:
        return []

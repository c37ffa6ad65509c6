"""Pictures and inputs to check with."""

from __future__ import annotations

from PIL import Image, ImageDraw

from attention.errors import LimitExceeded
from attention.families.family import Inputs
from attention.models.kept import LoadedModel
from attention.request import Request

PROMPT, ANSWER = "Describe the two images.", "Shapes in several colors."
VISUAL_TOKENS = 256  # of one picture: enough to see every part of the code, and quick on a CPU


def prepared_inputs(loaded: LoadedModel, picture: Image.Image) -> Inputs:
    """The model's inputs for the question that is asked about a picture here."""
    conversation = Request(images=(picture,), prompt=PROMPT).conversation()
    try:
        return loaded.family.prepare(loaded.processor, conversation, [picture], VISUAL_TOKENS)
    except LimitExceeded:
        return loaded.family.prepare(loaded.processor, conversation, [picture], None)


def drawing(width: int, height: int) -> Image.Image:
    """Shapes and stripes: something for the heads to tell apart."""
    picture = Image.new("RGB", (width, height), (236, 233, 226))
    draw = ImageDraw.Draw(picture)
    for x in range(0, width, 24):
        draw.line((x, 0, width - x, height), fill=(x % 256, 120, 200), width=3)
    draw.ellipse((width // 8, height // 6, width // 2, height // 2), fill=(210, 40, 40))
    draw.rectangle((width // 2, height // 2, width - 20, height - 30), fill=(40, 90, 200))
    draw.polygon([(width // 5, height - 20), (width // 3, height // 2), (width // 2, height - 20)], fill=(240, 200, 40))
    return picture

"""Pictures as people really send them: odd ones that work, and broken ones that do not."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (200, 144)


def noise(size=SIZE) -> Image.Image:
    """The same noise each time. That of PIL goes on where whatever was drawn before in this process has ended."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))


def coarse_noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Squares of 8 pixels in random colours: something for the heads to tell apart."""
    colours = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((width, height), Image.Resampling.NEAREST)


def write_odd(folder: Path) -> dict[str, Path]:
    """Pictures that are read, with a remark: {what is said: file}."""
    rotated = Image.Exif()
    rotated[274] = 6
    frames = [Image.new("RGB", SIZE, color) for color in ("red", "green")]
    deep = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE[1], SIZE[0])
    noise().convert("CMYK").save(folder / "print.jpg")
    Image.fromarray(deep).save(folder / "deep.png")
    Image.new("RGBA", SIZE, (255, 0, 0, 90)).save(folder / "clear.png")
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    noise().save(folder / "turned.jpg", exif=rotated)
    said = {
        "is CMYK": "print.jpg",
        "more than 8 bits": "deep.png",
        "laid on white": "clear.png",
        "moving.gif has 2 frames": "moving.gif",
        "moving.webp has 2 frames": "moving.webp",
        "turned upright": "turned.jpg",
    }
    return {words: folder / name for words, name in said.items()}


def write_bad(folder: Path) -> dict[str, Path]:
    """Files that are refused: {what is said: file}."""
    whole = io.BytesIO()
    noise().save(whole, "PNG")
    (folder / "cut.png").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "letter.png").write_text("Dear Sir or Madam")
    (folder / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    Image.new("1", (13000, 13000)).save(folder / "bomb.png")
    assert (folder / "bomb.png").stat().st_size < 25_000
    said = {"truncated": "cut.png", "0 bytes": "empty.png", "not a picture": "letter.png", "PNG": "drawing.svg",
            "169 million": "bomb.png"}  # fmt: skip
    return {words: folder / name for words, name in said.items()}

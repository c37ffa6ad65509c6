"""A picture like a photograph: mountains over a lake in the evening, made by a formula.

Owns one picture from outside the bundled model's world, so that a visitor sees what it makes of such a thing.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

SKY_TOP, SKY_LOW = np.array((74, 108, 164)), np.array((246, 196, 150))
SUN = np.array((255, 238, 200))


def paint_landscape(width: int, height: int, seed: int = 0) -> Image.Image:
    """Paint it as RGB, `width` x `height` pixels."""
    rng = np.random.default_rng(seed)
    horizon = int(height * 0.62)
    y, x = np.mgrid[:height, :width].astype(float)
    share = np.clip(y / horizon, 0, 1)[..., None]
    picture = SKY_TOP + (SKY_LOW - SKY_TOP) * share**1.5
    clouds = np.clip(_noise(rng, width, height, 5, stretch=4) - 0.5, 0, 1)[..., None] * 1.6
    picture += (np.array((255, 226, 206)) - picture) * np.clip(clouds, 0, 0.8) * (1 - share * 0.4)
    distance = np.hypot(x - width * 0.68, y - horizon * 0.72)[..., None] / height
    picture += (SUN - picture) * np.exp(-((distance / 0.055) ** 4))
    picture += (SUN - picture) * 0.45 * np.exp(-distance / 0.16)
    for depth in range(4):  # from the farthest ridge to the nearest
        ridge = horizon * (0.52 + 0.11 * depth) - height * 0.22 * (_line(rng, width, 3 + depth) - 0.45)
        paint = np.array((132, 128, 152)) * (1 - depth * 0.22) + np.array((4, 18, 8)) * depth
        rough = (_noise(rng, width, height, 6) - 0.5)[..., None] * (14 + 10 * depth)
        picture = np.where((y >= ridge)[..., None], paint + rough, picture)
    rows = np.clip(2 * horizon - np.arange(horizon, height), 0, height - 1)
    waves = np.round(_noise(rng, width, height, 6, stretch=10)[horizon:] * 16 - 8).astype(int)
    columns = np.clip(np.arange(width) + waves, 0, width - 1)
    water = picture[rows[:, None], columns]
    picture[horizon:] = water * 0.72 + np.array((18, 34, 52)) + waves[..., None] * 1.2
    picture *= (1.06 - 0.3 * ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2))[..., None]
    soft = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8))
    return Image.fromarray(np.clip(np.asarray(soft) + rng.normal(0, 4, (height, width, 1)), 0, 255).astype(np.uint8))


def _noise(rng, width: int, height: int, octaves: int, stretch: float = 1.0) -> np.ndarray:
    """Smooth noise around 0.5, [y, x]; `stretch` makes it so much wider than high."""
    total = np.zeros((height, width))
    for octave in range(octaves):
        cells = 3 * 2**octave
        size = max(2, round(cells / stretch * width / height)), cells
        grid = Image.fromarray(rng.random(size[::-1]).astype(np.float32))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) * 0.5 ** (octave + 1)
    return total


def _line(rng, width: int, cells: int) -> np.ndarray:
    """The same along a line, [x]."""
    total = np.zeros(width)
    for octave in range(7):
        n = cells * 2**octave + 2
        total += np.interp(np.linspace(0, n - 1, width), np.arange(n), rng.random(n)) * 0.5 ** (octave + 1)
    return total

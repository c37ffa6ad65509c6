"""Drawn scenes of coloured shapes whose boxes are known.

Owns what a scene is and how it is painted at any size. Knows nothing about questions, tokens, models or files.
Everything follows from the random generator that is passed in, so a seed is a scene.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from .words import COLORS, SHAPES

PAINTS = {
    "red": (218, 38, 42),
    "green": (36, 158, 62),
    "blue": (38, 92, 218),
    "yellow": (244, 214, 44),
    "purple": (140, 58, 182),
    "orange": (246, 138, 26),
}
PAINT_NOISE = 12

# Every picture has this area in its own units, whatever its proportions and its pixels: a length means the same in all,
# and a unit is a pixel of the picture as the model reads it.
AREA = 288 * 288
MIN_SIDE, MAX_SIDE = 38, 84  # of an object before it is turned
MOST_TURN = math.radians(30)  # either way
MARGIN = 3
GAP = 5
TRIES = 60
FEWEST, MOST = 2, 5  # objects
GROUNDS = ("plain", "gradient", "stripes", "checks", "clouds", "grain")


@dataclass(frozen=True)
class Thing:
    """One painted object. `box` is x0, y0, x1, y1 in the scene's units and encloses the paint exactly.

    `turn` is in radians, clockwise on the picture; `area` is that of the paint, in square units.
    """

    shape: str
    color: str
    paint: tuple[int, int, int]
    turn: float
    box: tuple[float, float, float, float]
    area: float

    @property
    def center(self) -> tuple[float, float]:
        """The middle of the box, in units."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(frozen=True)
class Ground:
    """Ground of the objects: a pattern between two grey, slightly tinted colours."""

    pattern: str
    low: tuple[int, int, int]
    high: tuple[int, int, int]
    seed: int


@dataclass(frozen=True)
class Scene:
    """A picture before it is painted: its size in units, its ground and the objects on it."""

    width: float
    height: float
    ground: Ground
    things: tuple[Thing, ...]


def make_scene(
    rng: np.random.Generator, aspect: float = 1.0, n_things: int | None = None, hardness: float = 1.0
) -> Scene:
    """Make a scene of the proportions width / height = `aspect`, 2 to 5 objects whose boxes do not overlap.

    `hardness` 0 is upright shapes on plain light grounds, for the beginning of a training; 1 is the world as it is.
    """
    width, height = math.sqrt(AREA * aspect), math.sqrt(AREA / aspect)
    n_things = int(rng.integers(FEWEST, MOST + 1)) if n_things is None else n_things
    placed: list[tuple[str, float, tuple, float]] = []
    while len(placed) < n_things:
        one = _place(rng, width, height, [box for _, _, box, _ in placed], hardness)
        placed = [*placed, one] if one else []  # no room left: from the start
    things = []
    for shape, turn, box, area in placed:
        color = COLORS[rng.integers(len(COLORS))]
        paint = np.clip(np.array(PAINTS[color]) + rng.integers(-PAINT_NOISE, PAINT_NOISE + 1, size=3), 0, 255)
        things.append(Thing(shape, color, tuple(int(v) for v in paint), turn, box, area))
    return Scene(width, height, make_ground(rng, hardness), tuple(things))


def make_ground(rng: np.random.Generator, hardness: float = 1.0) -> Ground:
    """Make a ground: a third plain and light, the rest of any lightness, mostly with a pattern."""
    light = rng.random() < 1 - 0.65 * hardness
    pattern = "plain" if light else GROUNDS[rng.integers(len(GROUNDS))]
    level = rng.uniform(226, 250) if light else rng.uniform(20, 250)
    contrast = 0 if pattern == "plain" else rng.uniform(10, 50) * rng.choice([-1, 1])
    low, high = (
        np.clip(value + rng.integers(-10, 11, size=3), 0, 255) for value in (level, np.clip(level + contrast, 5, 252))
    )
    return Ground(pattern, tuple(map(int, low)), tuple(map(int, high)), int(rng.integers(2**31)))


def _place(rng, width, height, taken, hardness):
    for _ in range(TRIES):
        shape = SHAPES[rng.integers(len(SHAPES))]
        turn = float(rng.uniform(-MOST_TURN, MOST_TURN)) * hardness
        points = _outline(shape, 0.0)
        # The longer side of the box is the drawn size before turning: no shape is larger than another by its form.
        scale = rng.uniform(MIN_SIDE, MAX_SIDE) / np.ptp(points, axis=0).max()
        points = _outline(shape, turn) * scale
        box_width, box_height = np.ptp(points, axis=0)
        if box_width + 2 * MARGIN >= width or box_height + 2 * MARGIN >= height:
            continue
        x0 = rng.uniform(MARGIN, width - MARGIN - box_width)
        y0 = rng.uniform(MARGIN, height - MARGIN - box_height)
        box = (float(x0), float(y0), float(x0 + box_width), float(y0 + box_height))
        if all(
            box[0] > other[2] + GAP or other[0] > box[2] + GAP or box[1] > other[3] + GAP or other[1] > box[3] + GAP
            for other in taken
        ):
            return shape, turn, box, _area(points)
    return None


def _outline(shape: str, turn: float) -> np.ndarray:
    """The shape around the origin, [point, xy] without unit; only its proportions count."""
    if shape == "square":
        points = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=float)
    elif shape == "triangle":
        points = np.array([(0, -1), (1, 0.75), (-1, 0.75)])
    elif shape == "star":
        turns = np.arange(10) * math.pi / 5 - math.pi / 2
        radii = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
        points = np.stack([np.cos(turns) * radii, np.sin(turns) * radii], axis=1)
    else:
        turns = np.arange(96) * 2 * math.pi / 96
        return np.stack([np.cos(turns), np.sin(turns)], axis=1)
    rotation = np.array([(math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))])
    return points @ rotation


def _area(points: np.ndarray) -> float:
    x, y = points.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def draw(scene: Scene, width: int, height: int, oversample: int = 3) -> Image.Image:
    """Paint the scene as an RGB picture of `width` x `height` pixels with smooth edges."""
    large = paint_ground(scene.ground, width, height).resize(
        (width * oversample, height * oversample), Image.Resampling.NEAREST
    )
    return _paint(large, scene, [thing.paint for thing in scene.things]).reduce(oversample)


def cover(scene: Scene, width: int, height: int) -> np.ndarray:
    """Return which object is painted where: uint8 [y, x], 0 for the ground, object index + 1 elsewhere."""
    empty = Image.new("L", (width, height), 0)
    return np.asarray(_paint(empty, scene, [index + 1 for index in range(len(scene.things))]))


def _paint(picture: Image.Image, scene: Scene, paints) -> Image.Image:
    pen = ImageDraw.Draw(picture)
    scale = np.array([picture.width / scene.width, picture.height / scene.height])
    for thing, paint in zip(scene.things, paints, strict=True):
        outline = _outline(thing.shape, thing.turn)
        low, high = outline.min(axis=0), outline.max(axis=0)
        box = np.array(thing.box)
        points = (box[:2] + (outline - low) / (high - low) * (box[2:] - box[:2])) * scale
        # Pillow paints the pixel that a corner falls into; half a pixel less keeps the paint inside the box.
        pen.polygon([(x - 0.5, y - 0.5) for x, y in points], fill=paint)
    return picture


def paint_ground(ground: Ground, width: int, height: int) -> Image.Image:
    """Paint the ground alone, RGB of `width` x `height` pixels. A pattern keeps its size in units at any size."""
    low, high = np.array(ground.low, dtype=np.float32), np.array(ground.high, dtype=np.float32)
    if ground.pattern == "plain":
        return Image.new("RGB", (width, height), ground.low)
    share = np.asarray(_pattern(ground, width, height), dtype=np.float32)[..., None]
    return Image.fromarray((low + (high - low) * share + 0.5).astype(np.uint8))


def _pattern(ground: Ground, width: int, height: int) -> np.ndarray:
    """Share of the second colour at each place, 0 to 1, [y, x]."""
    rng = np.random.default_rng(ground.seed)
    unit = math.sqrt(AREA / (width * height))
    turn = rng.uniform(0, math.pi)
    y, x = np.ogrid[:height, :width]
    across = (x * math.cos(turn) + y * math.sin(turn)) * unit
    if ground.pattern == "gradient":
        return (across - across.min()) / np.ptp(across)
    if ground.pattern == "stripes":
        return 0.5 + 0.5 * np.sin(across * 2 * math.pi / rng.uniform(8, 40) + rng.uniform(0, 6))
    if ground.pattern == "checks":
        side = rng.uniform(8, 40)
        along = (y * math.cos(turn) - x * math.sin(turn)) * unit
        return (np.floor(across / side) + np.floor(along / side)) % 2
    coarse = rng.uniform(20, 60) if ground.pattern == "clouds" else rng.uniform(2, 6)
    cols, rows = (max(2, round(size * unit / coarse)) for size in (width, height))
    noise = Image.fromarray(rng.random((rows, cols), dtype=np.float32))
    return np.clip(np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)

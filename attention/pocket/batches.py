"""Drawn pictures and questions as tensors for training.

Owns how one batch is laid out. Knows nothing about losses or optimisers.

Several questions share their pictures: the sequence is [pictures][question 1][question 2]..., and each question sees
the pictures and itself only and stands at the position it would have alone. So every question costs its own tokens and
not the picture's 81 again, and the model computes for each the same numbers as in a chat with this one question.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from PIL import Image
from transformers import Qwen2Tokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from .model import CELL_PX, MERGE, PATCH_PX, TEMPORAL
from .questions import Question, make_questions, translated
from .scenes import AREA, MOST, Scene, cover, draw, make_scene
from .tokenizer import SYSTEM
from .windows import Window, cover_window, draw_window, make_window
from .words import KINDS

SIDES_PX = (128, 512)  # of the pictures of shapes
WINDOW_SIDES_PX = (240, 512)  # a label must stay legible
ROOM = 160  # tokens of questions and answers behind one picture, or two
WINDOWS = 0.3  # share of the pictures, where they are not too thin for one
PAIRS = 0.15  # share of the steps whose prompts have two pictures
LONG = 8  # tokens of an answer from which on a longer one counts more than a shorter one
DIGIT = 1 / 4  # what a digit of a point counts; all else in it is nearly the same each time, and counts one together
EXISTS = 3  # questions about what is there, of a picture
GERMAN = 0.03  # share of the questions
TASKS_FIRST = ("describe", "largest", "count")  # slow to learn, or not always possible: first into the room
BACKGROUND = "<|video_pad|>"  # what a cell without an object is taught to name: a token otherwise never used here
# In this share of the questions of a kind, only the position that answers (for "click": that writes the first digit)
# and those behind it may see the picture. Otherwise the question's own word ("star") learns to look and the answer is
# copied from there: right, but the row that answers then looks anywhere.
BLIND = {"colour": 0.8, "shape": 0.8, "describe": 0.8, "click": 0.8, "where": 0.5}
KIND_INDEX = {kind: index for index, kind in enumerate(KINDS)}
# Shares of a cell: taught as an object's, as empty (between the two nothing is), as a label's.
PAINTED, BLANK, WRITTEN = 0.15, 0.03, 0.12


Ask = Callable[[np.random.Generator, tuple[Scene | Window, ...]], list[Question]]


@dataclass(frozen=True)
class Batch:
    """One step's tensors.

    `pixels` float32 [picture x patch, value], one of the two equal frames; `grid` [picture, 3] in patches; `tokens`
    [prompt, token]; `positions` [3, prompt, token]; `sees` bool [prompt, 1, query, key]; `pictured` bool
    [prompt, token];
    `asked` [row, 2]: (prompt, position) of every position that predicts an answer token; `answers` [row]: that token;
    `weights` float32 [row]: what it counts in the loss; `kinds` [row]: the question's kind, an index into KINDS;
    `starts` bool [row]: is it the answer's first; `names` [picture x cell, 2]: two words for each cell, colour and
    shape or label and control (twice the background's token where there is nothing, -1 where nothing is taught, which
    may be one of the two); `places` float32 [picture x cell, 2]: the middle of what the cell shows, (x, y) in shares of
    the picture's sides, its own where it shows nothing, NaN where nothing is taught; `middles` bool [picture x cell]:
    does an object's middle lie in it; `labelled` bool [picture x cell]: is it a window's cell.
    """

    pixels: torch.Tensor
    grid: torch.Tensor
    tokens: torch.Tensor
    positions: torch.Tensor
    sees: torch.Tensor
    pictured: torch.Tensor
    asked: torch.Tensor
    answers: torch.Tensor
    weights: torch.Tensor
    kinds: torch.Tensor
    starts: torch.Tensor
    names: torch.Tensor
    places: torch.Tensor
    middles: torch.Tensor
    labelled: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on a device."""
        return Batch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def usual_questions(rng: np.random.Generator, shown: tuple[Scene | Window, ...]) -> list[Question]:
    """Questions about the pictures of one prompt, the most wanted first; a few are to be answered in German."""
    questions = make_questions(shown, rng, n_exists=EXISTS)
    questions.sort(key=lambda question: question.kind not in TASKS_FIRST)  # stable: otherwise in random order
    return [
        translated(question, rng) if question.kind not in ("describe", "click") and rng.random() < GERMAN else question
        for question in questions
    ]


def make_batch(
    rng: np.random.Generator,
    tokenizer: Qwen2Tokenizer,
    n_pictures: int,
    most_things: int = MOST,
    blind: dict[str, float] | None = None,
    pairs: float = PAIRS,
    windows: float = WINDOWS,
    hardness: float = 1.0,
    questions: Ask = usual_questions,
    develop: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Batch:
    """Draw `n_pictures` new pictures of about one form, and their questions; some of them `blind` (see BLIND).

    `pairs` is the chance that prompts have two pictures; `windows` the share of pictures that are windows. `questions`
    makes other questions than the usual ones; `develop` changes a picture's pixels, uint8 [y, x, rgb].
    """
    blind = BLIND if blind is None else blind
    per_prompt = 2 if n_pictures > 1 and rng.random() < pairs else 1
    width, height = random_size(rng, SIDES_PX)
    rows, cols = (side // CELL_PX for side in read_size(width, height))
    made = [
        _make_picture(rng, cols, rows, most_things, windows, hardness)
        for _ in range(n_pictures - n_pictures % per_prompt)
    ]
    if develop is not None:
        made = [(picture, develop(pixels)) for picture, pixels in made]
    pictures = [picture for picture, _ in made]
    prompts = [tuple(pictures[i : i + per_prompt]) for i in range(0, len(pictures), per_prompt)]

    head = encode(tokenizer, f"<|im_start|>system\n{SYSTEM}<|im_end|>\n") if rng.random() < 0.1 else ()
    head += encode(tokenizer, "<|im_start|>user\n")
    image = [tokenizer.convert_tokens_to_ids("<|image_pad|>")] * (cols * rows)
    prefix = [
        *head,
        *[*encode(tokenizer, "<|vision_start|>"), *image, *encode(tokenizer, "<|vision_end|>")] * per_prompt,
    ]
    n_prefix = len(prefix)
    pictured = torch.zeros(n_prefix + ROOM, dtype=torch.bool)
    pictured[:n_prefix] = torch.tensor(prefix) == image[0]
    tokens = np.full((len(prompts), n_prefix + ROOM), tokenizer.pad_token_id)
    tokens[:, :n_prefix] = prefix
    before = _prefix_positions(len(head), cols, rows, per_prompt)
    positions = np.zeros((3, len(prompts), n_prefix + ROOM), dtype=np.int64)
    positions[:, :, :n_prefix] = before[:, None]
    segment = np.zeros((len(prompts), n_prefix + ROOM), dtype=np.int64)  # the prefix is segment 0, seen by all
    segment[:, n_prefix:] = -1
    unseeing = np.zeros((len(prompts), n_prefix + ROOM), dtype=bool)
    asked, answers, weights, kinds, starts = [], [], [], [], []
    for row, shown in enumerate(prompts):
        start = n_prefix
        for number, question in enumerate(questions(rng, shown), 1):
            ask = encode(tokenizer, f"{question.text}<|im_end|>\n<|im_start|>assistant\n")
            reply = encode(tokenizer, f"{question.answer}<|im_end|>")
            end = start + len(ask) + len(reply)
            if end > n_prefix + ROOM:
                continue
            tokens[row, start:end] = ask + reply
            segment[row, start:end] = number
            positions[:, row, start:end] = before[:, -1:] + 1 + np.arange(end - start)
            first = start + len(ask) - 1  # the row that predicts the answer's first token
            if question.looks and rng.random() < blind.get(question.kind, 0.0):
                at = question.looks[0].character
                unseeing[row, start : first + (len(encode(tokenizer, question.answer[:at])) if at else 0)] = True
            digits = encode(tokenizer, "0123456789") if question.kind == "click" else ()
            for index, token in enumerate(reply):
                asked.append((row, first + index))
                answers.append(token)
                weights.append(DIGIT if token in digits else 1 / (len(reply) if digits else min(len(reply), LONG)))
                kinds.append(KIND_INDEX[question.kind])
                starts.append(index == 0)
            start = end
    order = np.tri(n_prefix + ROOM, dtype=bool)
    sees = order & ((segment[:, :, None] == segment[:, None, :]) | (segment[:, None, :] == 0))
    sees &= ~(unseeing[:, :, None] & pictured.numpy()[None, None])
    taught = [_teach_cells(picture, tokenizer, cols, rows) for picture in pictures]
    names, places, middles, labelled = map(np.concatenate, zip(*taught, strict=True))
    return Batch(
        pixels=torch.from_numpy(patches(np.stack([pixels for _, pixels in made]))),
        grid=torch.tensor([[1, rows * MERGE, cols * MERGE]] * len(pictures)),
        tokens=torch.from_numpy(tokens),
        positions=torch.from_numpy(positions),
        sees=torch.from_numpy(sees)[:, None],
        pictured=pictured[None].expand(len(prompts), -1).clone(),
        asked=torch.tensor(asked),
        answers=torch.tensor(answers),
        weights=torch.tensor(weights),
        kinds=torch.tensor(kinds),
        starts=torch.tensor(starts),
        names=torch.from_numpy(names),
        places=torch.from_numpy(places),
        middles=torch.from_numpy(middles),
        labelled=torch.from_numpy(labelled),
    )


def random_size(rng: np.random.Generator, sides: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height of some picture, each side within `sides`; a third of the pictures are square."""
    width, height = np.exp(rng.uniform(*np.log(sides), size=2))
    return (round(width), round(width)) if rng.random() < 0.33 else (round(width), round(height))


def read_size(width: int, height: int) -> tuple[int, int]:
    """Return height and width in pixels at which the model's image processor reads a picture."""
    return smart_resize(height, width, CELL_PX, AREA, AREA)


def _make_picture(
    rng, cols: int, rows: int, most_things: int, windows: float, hardness: float
) -> tuple[Scene | Window, np.ndarray]:
    """Make a picture that is read with this grid, and its pixels as the model reads them, uint8 [y, x, rgb]."""
    # A picture is read in steps of 32 pixels a side, which stretches it a little one way or the other.
    aspect = cols / rows * float(np.exp(rng.uniform(-0.12, 0.12)))
    is_window = rng.random() < windows and 0.45 < aspect < 2.2
    low, high = WINDOW_SIDES_PX if is_window else SIDES_PX
    # The shorter side at least `low`, the longer at most `high`; very thin ones only just.
    least, most = 2 * math.log(low) + abs(math.log(aspect)), 2 * math.log(high) - abs(math.log(aspect))
    area = math.exp(rng.uniform(least, max(least, most)))
    width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
    if is_window:
        picture = make_window(rng, aspect, hardness)
        painted = draw_window(picture, width, height)
    else:
        fewest = min(3, most_things) if rng.random() < 0.8 else min(2, most_things)
        picture = make_scene(rng, aspect, int(rng.integers(fewest, most_things + 1)), hardness)
        painted = draw(picture, width, height, 2)
    return picture, np.asarray(painted.resize((cols * CELL_PX, rows * CELL_PX), Image.Resampling.BICUBIC))


def patches(pictures: np.ndarray) -> np.ndarray:
    """Return uint8 pictures [picture, y, x, rgb] as the image processor does: float32 [picture x patch, value].

    The processor gives every patch as two equal frames, [rgb, frame, y, x]; here it is one, [rgb, y, x].
    """
    n, height, width, _ = pictures.shape
    rows, cols = height // CELL_PX, width // CELL_PX
    values = (pictures.astype(np.float32) / 255 - 0.5) / 0.5
    # [picture, row, patch in cell, y, col, patch in cell, x, rgb]: the patches of one cell follow each other.
    values = values.reshape(n, rows, MERGE, PATCH_PX, cols, MERGE, PATCH_PX, 3).transpose(0, 1, 4, 2, 5, 7, 3, 6)
    return np.ascontiguousarray(values).reshape(n * rows * cols * MERGE * MERGE, -1)


def two_frames(values: torch.Tensor) -> torch.Tensor:
    """Return one-frame patches [patch, value] as the model itself takes them: a still picture is two equal frames."""
    values = values.reshape(-1, 3, 1, PATCH_PX * PATCH_PX).expand(-1, -1, TEMPORAL, -1)
    return values.reshape(len(values), -1)


def _prefix_positions(n_head: int, cols: int, rows: int, n_images: int) -> np.ndarray:
    """M-RoPE positions of [head] and n times [start of picture][cells][end of picture], int [3, token]."""
    parts, at = [np.tile(np.arange(n_head), (3, 1))], n_head
    for _ in range(n_images):
        cells = np.stack([np.zeros(rows * cols, int), np.repeat(np.arange(rows), cols), np.tile(np.arange(cols), rows)])
        after = at + 1 + max(cols, rows)
        parts += [np.full((3, 1), at), at + 1 + cells, np.full((3, 1), after)]
        at = after + 1
    return np.concatenate(parts, axis=1)


def _teach_cells(picture, tokenizer, cols: int, rows: int) -> tuple[np.ndarray, ...]:
    """Lessons of each cell: two words, int [cell, 2]; a place, float32 [cell, 2]; whether it is an object's middle,
    bool [cell]; and whether it is a window's, bool [cell]. See Batch.
    """
    size = cols * CELL_PX, rows * CELL_PX
    is_window = isinstance(picture, Window)
    things = picture.controls if is_window else picture.things
    owner = cover_window(picture, *size) if is_window else cover(picture, *size)
    words = [(thing.label, thing.kind) if is_window else (thing.color, thing.shape) for thing in things]
    share = _shares(owner, len(words), cols, rows)
    shown, is_shown, is_blank = share.argmax(axis=0), share.max(axis=0) >= PAINTED, share.sum(axis=0) < BLANK
    names = np.array([[_word_id(tokenizer, word) for word in pair] for pair in words])[shown]
    names[~is_shown] = -1
    if is_window:  # a label is taught where it can be read
        written = _shares(cover_window(picture, *size, labels=True), len(words), cols, rows)
        names[written[shown, np.arange(rows * cols)] < WRITTEN, 0] = -1
    names[is_blank] = tokenizer.convert_tokens_to_ids(BACKGROUND)
    centers = np.array([thing.center for thing in things]) / (picture.width, picture.height)
    own = np.stack(np.meshgrid((np.arange(cols) + 0.5) / cols, (np.arange(rows) + 0.5) / rows), axis=-1).reshape(-1, 2)
    places = np.where(is_shown[:, None], centers[shown], np.where(is_blank[:, None], own, np.nan))
    middles = np.zeros(rows * cols, bool)
    middles[(centers[:, 1] * rows).astype(int) * cols + (centers[:, 0] * cols).astype(int)] = True
    return names, places.astype(np.float32), middles, np.full(rows * cols, is_window)


def _shares(owner: np.ndarray, n_objects: int, cols: int, rows: int) -> np.ndarray:
    """Share of each cell that each object covers, [object, cell]."""
    cells = owner.reshape(rows, CELL_PX, cols, CELL_PX).transpose(0, 2, 1, 3).reshape(rows * cols, -1)
    return np.stack([(cells == index + 1).mean(axis=1) for index in range(n_objects)])


def _word_id(tokenizer: Qwen2Tokenizer, word: str) -> int:
    (token,) = encode(tokenizer, f" {word}")
    return token


@functools.lru_cache(maxsize=1 << 16)
def encode(tokenizer: Qwen2Tokenizer, text: str) -> tuple[int, ...]:
    """Return a text's tokens; the same few thousand texts come again and again."""
    return tuple(tokenizer.encode(text))

"""The types of run.json and comparison.json: which fields there are, what each holds, and what it means.

These types build (what the writers return is of them), check (`RUN` and `COMPARISON` hold a foreign file against them)
and describe (FORMAT.md's tables, `RUN.json_schema()`). How parts of a file must fit each other is code: `checks.run`
and `comparisons.check`. Reading a run needs NumPy and nothing else: a reader imports these for its types alone.

Fields that are not named here are ignored. A field that may be left out is `NotRequired`.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter, with_config
from typing_extensions import TypedDict

from attention.limits import (
    MAX_ADAPTERS,
    MAX_BOX_PX,
    MAX_CARD_FIELDS,
    MAX_CHANGES,
    MAX_GRIDS,
    MAX_GROUPS,
    MAX_HEADS,
    MAX_IMAGES,
    MAX_LAYERS,
    MAX_NAME,
    MAX_QUERIES,
    MAX_TEXT,
    MAX_TOKEN_TEXT,
    MAX_TOKENS,
    MAX_WHOLE,
)

from .checks.json_fields import zoned_time


def _check_time(text: str) -> str:
    zoned_time(text)
    return text


FIRST, SECOND = Tag("0"), Tag("1")  # of two types: the path of an error says by its place which was meant

Name = Annotated[str, Field(max_length=MAX_NAME)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Id = Annotated[str, Field(max_length=MAX_NAME, pattern=r"^[\w.-]+$")]
Time = Annotated[
    str, Field(max_length=MAX_NAME, json_schema_extra={"format": "date-time"}), AfterValidator(_check_time)
]
Number = Annotated[float, Field(ge=-MAX_WHOLE, le=MAX_WHOLE)]
Amount = Annotated[float, Field(ge=0, le=MAX_WHOLE)]
Pixels = Annotated[float, Field(ge=-MAX_BOX_PX, le=MAX_BOX_PX)]
Side = Annotated[int, Field(ge=1, lt=1 << 20)]
Tokens = Annotated[int, Field(ge=1, lt=MAX_TOKENS)]
Role = Literal["system", "prompt", "image", "answer", "thinking", "special"]


class Model(TypedDict):
    id: Name
    """a Hub id, or the name of a folder"""
    revision: NotRequired[Name | None]
    """the commit on the Hub"""
    family: NotRequired[Name | None]
    """as a person knows it"""
    dtype: Name
    """that of weights, queries and keys"""


class Adapter(TypedDict):
    id: Name
    """a Hub id, or a folder"""
    revision: NotRequired[Name | None]
    """the commit on the Hub"""
    sha256: NotRequired[Name | None]
    """of its weights, in hexadecimal"""
    scale: NotRequired[Number | None]
    """times as strong as it was trained"""
    without: NotRequired[Annotated[list[Name], Field(max_length=MAX_TOKENS)]]
    """files beside it that were left out"""


class Token(TypedDict):
    index: int
    """its place in the sequence"""
    id: Annotated[int, Field(ge=0, lt=MAX_WHOLE)]
    """in the model's vocabulary"""
    text: Annotated[str, Field(max_length=MAX_TOKEN_TEXT)]
    """as it is shown; empty where it only continues a sign"""
    role: Role
    """the part of the conversation that it belongs to"""
    grid: int | None
    """of an image token: the grid in which its cell lies"""
    row: int | None
    """of that cell, from the top"""
    col: int | None
    """of that cell, from the left"""
    part_of: NotRequired[int | None]
    """the first token of the sign that this one continues"""


class Image(TypedDict):
    file: str
    """`image_0.png`, ...: the picture as the model's processor received it"""
    preview: NotRequired[str | None]
    """`preview_0.jpg`, ...: smaller, for a page"""
    width: Side
    """in pixels"""
    height: Side
    """in pixels"""
    read_width: NotRequired[Amount | None]
    """in pixels, as the model read it"""
    read_height: NotRequired[Amount | None]
    """in pixels, as the model read it"""
    visual_tokens: NotRequired[Annotated[int, Field(ge=0, lt=MAX_TOKENS)] | None]
    """tokens that stand for a cell of it"""
    own_visual_tokens: NotRequired[Annotated[int, Field(ge=0, lt=MAX_WHOLE)] | None]
    """as many as the processor's own limits would give it, where that is known"""
    video: NotRequired[Annotated[int, Field(ge=0, lt=MAX_IMAGES)]]
    """of a frame: the number of its video"""
    time_s: NotRequired[Amount]
    """of a frame: seconds from the start of the video"""


class Video(TypedDict):
    decoder: Name
    """what read it, with its version; `frames` where frames were given"""
    frames: Annotated[int, Field(ge=1, lt=MAX_WHOLE)]
    """how many it has"""
    read: Annotated[int, Field(ge=1, le=MAX_IMAGES)]
    """how many of these were read"""
    fps: Amount
    """how many it has in a second"""
    duration_s: Amount
    """frames over fps"""
    width: Side
    """of a frame, in pixels"""
    height: Side
    """of a frame, in pixels"""


class Grid(TypedDict):
    image: int
    """the picture that it is of"""
    tower: Name
    """the tower whose keys are its cells"""
    kind: Name
    """`whole`, `tile`, `thumbnail` or `frame`"""
    box_px: Annotated[list[Pixels], Field(max_length=4)]
    """x0, y0, x1, y1 on the picture"""
    rows: int
    """of cells"""
    cols: int
    """of cells"""
    time_s: NotRequired[Amount | None]
    """of a frame, the middle of those that were read together"""
    images: NotRequired[Annotated[list[int], Field(min_length=1, max_length=MAX_IMAGES)]]
    """of frames that were read together: all pictures that its cells were made from, `image` the first"""
    row_edges_px: NotRequired[list[Pixels] | None]
    """where rows begin and end on the picture, rows + 1 of them; without, all are of one height"""
    col_edges_px: NotRequired[list[Pixels] | None]
    """likewise, for columns"""


class Cell(TypedDict):
    grid: int
    """the grid in which it lies"""
    row: int
    """from the top"""
    col: int
    """from the left"""


class Layer(TypedDict):
    index: int
    """in the model"""
    kind: NotRequired[str]
    """`softmax`, or of layers without rows here `linear` (linear attention), `convolution`, `unmerged` (other keys)"""
    file: NotRequired[str | None]
    """null for a layer without attention rows"""
    kv_heads: NotRequired[int | None]
    """heads of keys; several heads of queries may share one"""
    head_dim: NotRequired[int | None]
    """numbers of a query or a key"""
    learned_sink: NotRequired[bool]
    """true where its file has `sink_logits`: what a row lacks to 1 is on a sink, which is no key"""
    position_bias: NotRequired[bool]
    """true where its file has `position_bias`, which is added to its scores"""


def _is_list(value: object) -> str:
    return str(int(isinstance(value, list)))


Spans = Annotated[
    list[Annotated[list[int], Field(min_length=2, max_length=2)]], Field(min_length=1, max_length=MAX_TOKENS)
]


class Tower(TypedDict):
    heads: Annotated[int, Field(ge=1, le=MAX_HEADS)]
    """of queries, in each layer"""
    keys: Annotated[
        Annotated[int, FIRST] | Annotated[list[Cell | None], Field(max_length=MAX_TOKENS, fail_fast=True), SECOND],
        Discriminator(_is_list),
    ]
    """how many there are, one for each token; of another tower the cell of each, null where it has none"""
    queries: NotRequired[int]
    """where there are not as many as keys: those of cross-attention are the tokens"""
    query_tokens: NotRequired[Spans]
    """where not all tokens read there: spans [first, the one after the last] of those that do, ascending"""
    key_tokens: NotRequired[Spans]
    """where not all tokens are read there: spans of those that are"""
    layers: Annotated[list[Layer], Field(max_length=MAX_LAYERS)]
    """ascending"""


class _Place(TypedDict):
    label: NotRequired[Annotated[Text | None, Field(description="its name in the answer")]]
    coordinates: NotRequired[
        Annotated[
            Name | None,
            Field(
                description="the space in which its numbers were read: `0-1000` (0-1, ...) parts of the sides, `read` "
                "or `original` pixels as the model saw the picture or of the picture, `1280x720` of one of that size"
            ),
        ]
    ]
    because: NotRequired[
        Annotated[
            Name | None, Field(description="`setting`, `form`, `prompt`, `numbers` or `family`: what that rests on")
        ]
    ]
    ambiguous: NotRequired[Annotated[Text | None, Field(description="the guess that it rests on")]]


class Point(_Place):
    image: int
    """the picture that it lies on"""
    x: Pixels
    """on the picture"""
    y: Pixels
    """on the picture"""


class Box(_Place):
    image: int
    """the picture that it lies on"""
    x0: Pixels
    """on the picture"""
    y0: Pixels
    """on the picture"""
    x1: Pixels
    """on the picture"""
    y1: Pixels
    """on the picture"""


def _is_box(value: object) -> str:
    return str(int(isinstance(value, dict) and "x0" in value and "x" not in value))


class _Unplaced(_Place):
    why: Annotated[Text, Field(description="the reason why it is not known where it lies")]
    on: NotRequired[
        Annotated[
            list[Annotated[Annotated[Point, FIRST] | Annotated[Box, SECOND], Discriminator(_is_box)]],
            Field(max_length=MAX_IMAGES, description="the same place on each picture that it can lie on"),
        ]
    ]


class UnplacedPoint(_Unplaced):
    x: Pixels
    """the answer's own number"""
    y: Pixels
    """the answer's own number"""


class UnplacedBox(_Unplaced):
    x0: Pixels
    """the answer's own number"""
    y0: Pixels
    """the answer's own number"""
    x1: Pixels
    """the answer's own number"""
    y1: Pixels
    """the answer's own number"""


Unplaced = Annotated[Annotated[UnplacedPoint, FIRST] | Annotated[UnplacedBox, SECOND], Discriminator(_is_box)]


class PlaceHabit(TypedDict):
    coordinates: Name | None
    """the space in which its numbers count; null where it has no habit"""
    y_first: NotRequired[Annotated[list[Name], Field(max_length=MAX_HEADS)]]
    """keys of an answer's JSON after which it writes y before x"""


class Group(TypedDict):
    name: Name
    """`prompt`, `image 1`, ..."""
    spans: list[list[int]] | None
    """[first key, the one after the last], ascending; null for attention sinks, which are other keys in each layer"""


class UnreadTower(TypedDict):
    layers: Annotated[int, Field(ge=1, le=MAX_LAYERS)]
    """how many it has"""
    heads: Annotated[int, Field(ge=1, le=MAX_HEADS)]
    """of each"""
    why: Text
    """the reason, as a part of a sentence"""


@with_config(ConfigDict(strict=True, use_attribute_docstrings=True))
class RunInfo(TypedDict):
    format: int
    """1; 2 where a layer has `position_bias`, or a tower `query_tokens` or `key_tokens`"""
    id: Id
    """a name"""
    created: Time
    """with its zone, ISO 8601"""
    model: Model
    """the model that ran"""
    mode: Literal["prefill", "generate"]
    """`prefill`: the prompt alone was read"""
    forced: NotRequired[bool]
    """true where the answer was given, and not the model's own"""
    max_new_tokens: NotRequired[Tokens | None]
    """what was asked of the answer"""
    max_visual_tokens: NotRequired[Tokens | None]
    """what was asked of each picture; null: the model's default"""
    pan_and_scan: NotRequired[bool | None]
    """whether crops were asked for, in families that have them; null: the model's default"""
    coordinates: NotRequired[Name | None]
    """what was asked of the numbers of places: `auto`, or a space: `0-1`, `0-1000`, `read` or `original`"""
    messages: NotRequired[Annotated[list[dict[str, object]], Field(max_length=MAX_TOKENS)]]
    """the conversation as the chat template received it"""
    prompt: Text
    """the words of the last message"""
    answer: NotRequired[Text | None]
    """empty in `prefill`"""
    prompt_tokens: NotRequired[int]
    """how many of the tokens stand before the answer"""
    device: NotRequired[Text | None]
    """where the model ran"""
    image_backend: NotRequired[str]
    """what resized the pictures: `pil`"""
    versions: NotRequired[dict[str, object]]
    """of the packages"""
    tokens: Annotated[list[Token], Field(max_length=MAX_TOKENS, fail_fast=True)]
    """the sequence that was read: prompt and answer"""
    images: Annotated[list[Image], Field(max_length=MAX_IMAGES)]
    """pictures, in the order of the conversation; after them the frames of videos"""
    videos: NotRequired[Annotated[list[Video], Field(max_length=MAX_IMAGES)]]
    """videos whose frames are among the pictures"""
    grids: Annotated[list[Grid], Field(max_length=MAX_GRIDS)]
    """each picture, tile or thumbnail as cells"""
    towers: dict[str, Tower]
    """`language`, and of `vision`, `cross`, `encoder` and `resampler` those that were kept and a model has"""
    unread_towers: NotRequired[Annotated[dict[Name, UnreadTower], Field(max_length=MAX_GROUPS)]]
    """towers of the model whose rows cannot be kept, by name"""
    points: NotRequired[Annotated[list[Point], Field(max_length=MAX_TOKENS)]]
    """places that the answer names"""
    boxes: NotRequired[Annotated[list[Box], Field(max_length=MAX_TOKENS)]]
    """likewise"""
    unplaced: NotRequired[Annotated[list[Unplaced], Field(max_length=MAX_TOKENS)]]
    """places of which it is not known where they lie, in the answer's own numbers"""
    named_places: NotRequired[Annotated[int, Field(ge=0, lt=MAX_WHOLE)] | None]
    """how many places the answer names, those that lie on no picture among them"""
    place_habit: NotRequired[PlaceHabit | None]
    """the way in which the model's family writes places, by which they can be read anew"""
    groups: dict[str, Annotated[list[Group], Field(max_length=MAX_GROUPS)]]
    """parts of a tower's keys by name"""
    sinks: NotRequired[dict[str, dict[str, list[int]]]]
    """{tower: {layer: keys}}: attention sinks, keys that attract attention regardless of the prompt"""
    logprobs: NotRequired[list[Number]]
    """of the answer's tokens, natural logarithm"""
    notes: NotRequired[Annotated[list[Text], Field(max_length=MAX_TOKENS)]]
    """sentences on what was changed or left out"""
    timings_ms: NotRequired[dict[str, Amount]]
    """by step"""
    bytes: NotRequired[Amount | None]
    """of the tensor files"""
    peak_memory_bytes: NotRequired[Amount | None]
    """of the devices during the capture, or of the process"""
    adapter: NotRequired[Adapter | None]
    """a LoRA adapter that was on"""


class WeightChange(TypedDict):
    name: NotRequired[Name | None]
    """of the module"""
    part: Name
    """the last word of it"""
    tower: Name
    """the tower in which it lies"""
    layer: NotRequired[Annotated[int, Field(ge=0, lt=MAX_WHOLE)] | None]
    """null where it lies in none"""
    kind: NotRequired[Name | None]
    """`linear`, `embedding`, `conv`, `parameter`, `rows` or `replaced`"""
    frobenius: NotRequired[Number | None]
    """Frobenius norm of the change, at scale 1"""
    relative: NotRequired[Number | None]
    """that norm over the base weight's"""
    spectral: NotRequired[Number | None]
    """largest singular value of the change"""
    effective_rank: NotRequired[Number | None]
    """exp of the entropy of the singular values' shares"""
    heads: NotRequired[Annotated[list[Number], Field(max_length=MAX_HEADS)] | None]
    """the norm by head, of projections that have them"""
    dora_frobenius: NotRequired[Number | None]
    """with DoRA: norm of all that changes"""
    dora_relative: NotRequired[Number | None]
    """with DoRA: that norm over the base weight's"""
    magnitude: NotRequired[Number | None]
    """with DoRA: how far the rows' norms moved"""
    note: NotRequired[Text | None]
    """the reason why a number is not known"""


class Member(TypedDict):
    folder: str
    """`base`, then `adapter_1`, `model_1` or `run_1` and so on: each a run"""
    adapter: Adapter | None
    """null for the base, which comes first, and for a model without one"""
    name: NotRequired[Name | None]
    """its name on the page, of all but the base and adapters on it"""
    model: NotRequired[Model | None]
    """that of the member, where it is another than the base's"""
    step: NotRequired[Annotated[int, Field(ge=0, lt=MAX_WHOLE)] | None]
    """of a training, at which it was run"""
    answer: NotRequired[Text | None]
    """its own, also where another was read"""
    own_pictures: NotRequired[bool | None]
    """true where it read other pictures than the base, of the same sizes, or frames at other times"""
    own_towers: NotRequired[bool | None]
    """true where its towers have other layers or heads than the base's: then no measure is there"""
    points: NotRequired[Annotated[list[Point], Field(max_length=MAX_TOKENS)]]
    """that its own answer names, where it read another's; boxes and unplaced likewise"""
    boxes: NotRequired[Annotated[list[Box], Field(max_length=MAX_TOKENS)]]
    """likewise"""
    unplaced: NotRequired[Annotated[list[Unplaced], Field(max_length=MAX_TOKENS)]]
    """likewise"""
    card: NotRequired[Annotated[dict[str, object], Field(max_length=MAX_CARD_FIELDS)] | None]
    """what the adapter's two files say"""
    changes: NotRequired[Annotated[list[WeightChange], Field(max_length=MAX_CHANGES)] | None]
    """how far it changes each module's weight"""


class AlignedRows(TypedDict):
    how: Name
    """`text`: of one word; `field`: of one field of a place; `start`: that predict the answers' first tokens"""
    name: Annotated[str, Field(max_length=MAX_NAME)]
    """of the field: `x`, `y`, `x0`, ..., `action`; else empty"""
    base: Annotated[list[int], Field(max_length=2)]
    """the first and the last row of the base's"""
    other: Annotated[list[int], Field(max_length=2)]
    """those of the member that stand for them; of several the mean is compared"""


class Floor(TypedDict):
    kind: Name
    """`zero`: the base once more; `dtype`: in another number format; `paraphrase`: asked the same in other words"""
    dtype: NotRequired[Name | None]
    """that number format"""
    prompt: NotRequired[Text]
    """those words"""
    why: NotRequired[Text]
    """the reason why it was not measured: then no table has it"""
    together: NotRequired[Annotated[list[Annotated[list[int], Field(max_length=2)]], Field(max_length=MAX_QUERIES)]]
    """[first, last] of rows of the base's that were taken as one, their mean, as of the digits of a number"""


class Measure(TypedDict):
    unit: Name
    """of its values"""


def _is_name(value: object) -> str:
    return str(int(isinstance(value, str)))


@with_config(ConfigDict(strict=True, use_attribute_docstrings=True))
class ComparisonInfo(TypedDict):
    format: int
    """1; 2 where a member has `own_towers`"""
    id: Id
    """a name"""
    created: Time
    """with its zone, ISO 8601"""
    model: Model
    """the base"""
    prompt: Text
    """the words of the last message"""
    answer: NotRequired[Text | None]
    """the base's own"""
    words: Annotated[Annotated[int, FIRST] | Annotated[str, SECOND], Discriminator(_is_name)]
    """the answer that all read: `base`, `typed`, the number of a member from 1; or `own`, each its own"""
    members: list[Member]
    """the base, and each other"""
    shared_tokens: int
    """how many tokens all have in common, from the first on"""
    answer_rows: Annotated[list[int], Field(max_length=2)]
    """the first and the last row that predict a token of the shared answer"""
    aligned: NotRequired[dict[str, Annotated[list[AlignedRows], Field(max_length=MAX_QUERIES)]]]
    """by member the rows beyond those in common that stand for rows of the base's"""
    floors: NotRequired[Annotated[list[Floor], Field(max_length=MAX_HEADS)]]
    """noise floors; those that were measured come first, in the order of their tables"""
    floor_regions: NotRequired[Annotated[list[Name], Field(max_length=MAX_LAYERS)]]
    """the towers whose floors are known of any region, by the table `floor.<tower>.cells`"""
    parts: NotRequired[Annotated[list[Name], Field(max_length=MAX_ADAPTERS)]]
    """the members whose change is told apart in the tables `direct` and `inherited`"""
    measures: dict[str, Measure]
    """the tables of comparison.safetensors; none where a member has `own_towers`"""
    queries: dict[str, Annotated[list[int], Field(max_length=MAX_QUERIES)]]
    """the rows that were compared, by tower"""
    layers: dict[str, list[int]]
    """the base's layers, by tower"""
    bytes: NotRequired[Amount | None]
    """of all runs"""


RUN = TypeAdapter(RunInfo)
COMPARISON = TypeAdapter(ComparisonInfo)

"""Types of what the endpoints return, as /gradio_api/info and a client's `view_api` show them.

Fields alone: what they hold is made elsewhere.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Model(TypedDict):
    """A model on offer."""

    id: str
    label: str
    family: str | None
    note: str | None


class TowerShape(TypedDict):
    """Sizes of one tower of a model; linear layers, convolutions and those before a merge of patches have no map."""

    layers: int
    layer_indices: list[int]
    linear_layers: list[int]
    convolution_layers: list[int]
    unmerged_layers: NotRequired[list[int]]
    heads: int
    kv_heads: int
    head_dim: int


class UnreadTower(TypedDict):
    """A tower whose rows cannot be kept, and why."""

    layers: int
    heads: int
    why: str


class ModelShape(TypedDict):
    """A model as its config describes it."""

    id: str
    revision: str | None
    model_type: str
    family: str
    towers: dict[str, TowerShape]
    unread_towers: NotRequired[dict[str, UnreadTower]]


class Adapter(TypedDict):
    """An adapter on offer; checkpoints of one training share a series and have a step."""

    id: str
    label: str
    source: str
    series: str | None
    step: int | None
    note: str | None


class Adapters(TypedDict):
    """The adapters on offer, and notes on what could not be read or reached."""

    adapters: list[Adapter]
    notes: list[str]


class Card(TypedDict):
    """An adapter's health card: the fields that every one has; there are more."""

    id: str
    base: str
    revision: str | None
    sha256: str | None
    size_bytes: int
    rank: list[int]
    alpha: list[float]
    scaling: list[float]
    towers: dict[str, int]
    parameters: int
    missing: list[str]
    warnings: list[str]
    notes: list[str]


class KeptRun(TypedDict):
    """A run or comparison that is kept on this machine; `error` says why one cannot be read."""

    ticket: str
    kind: str
    id: str
    created: str
    model: str | None
    prompt: str | None
    answer: str | None
    tokens: int | None
    bytes: int | None
    error: str | None


class Measured(TypedDict):
    """Members, each with its region, its row, chance, and heads with their measures; `changes` are from the base.

    Beside noise floors each change has `times`, {kind: {measure: the change as a multiple}}.
    """

    folder: str | None
    kind: str
    members: list[dict[str, Any]]


class FirstOther(TypedDict):
    """The first token of the answer, from 0, at which another becomes the likeliest."""

    token: int
    was: str
    becomes: str


class Tried(TypedDict):
    """A trial, in nats of the answer's log-probability, which is `value` with nothing changed.

    `change` is without it, `painted` with it painted over, `controls` the changes without others of its kind, whose
    attention differs by `gap` of its own at most; `caution` says where the forecast says little. Of a region `region`
    and `image` are there too, of heads `heads`.
    """

    value: float
    change: float
    painted: float | None
    paint: str | None
    forecast: float
    controls: list[float]
    gap: float
    first_other: FirstOther | None
    caution: str
    paths: str


class MadeReading(TypedDict):
    """A reading of a run: its name, its kind and its target, with more fields of its kind.

    Of a comparison whose runs are all asked {kind, members: {member: reading}}.
    """

    name: str
    kind: str
    target: dict[str, Any] | None
    towers: list[str]
    created: str
    bytes: int


class Analyzed(TypedDict):
    """A finished run: `run` is the content of run.json, `folder` its place where the server is this machine's.

    `cautions` are sentences on pictures that were read with fewer tokens than the model's processor would give them.
    """

    id: str
    ticket: str
    answer: str | None
    run: dict[str, Any]
    folder: str | None
    cautions: list[str]


class Compared(TypedDict):
    """A finished comparison: `comparison` is the content of comparison.json, `answer` the base's."""

    id: str
    ticket: str
    answer: str | None
    comparison: dict[str, Any]
    folder: str | None
    cautions: list[str]

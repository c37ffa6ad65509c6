"""Settings of a whole batch: a request without picture and words, members, and what is kept; and their record.

Owns what makes one batch another than the next: a folder holds one, in any number of calls and shards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from attention.comparisons.members import BASE_ITSELF, Member
from attention.errors import InvalidRequest, quoted
from attention.limits import Limits
from attention.models.config import read_config
from attention.models.devices import choose_device, choose_dtype
from attention.models.download import folder_stamp, locate
from attention.models.offered import default_model
from attention.request import FIELDS, Request
from attention.scoring.measuring import check_rows
from attention.scoring.row_file import key_of

from .readings import Asked, asked_readings

FORMAT, WITHOUT_READINGS = 2, 1  # the latest, and that of a batch that asks for none: older versions read it too
KEPT = {
    "scores": "numbers of each item alone",
    "rows": "numbers, and the rows of attention that they are of",
    "all": "numbers, and the whole run or comparison, which the page opens",
}
OF_AN_ITEM = ("images", "videos", "prompt", "messages", "answer", "adapter")
OF_NO_ITEM = ("model", "device", "dtype", "adapter_scale", "adapter_rename", "adapter_alone")  # or said otherwise
OF_THE_BATCH = tuple(name for name in FIELDS if name not in (*OF_AN_ITEM, *OF_NO_ITEM))


@dataclass(frozen=True)
class Settings:
    """All that holds for every item. `rows` names the row that is measured (`attention.scoring.names.ROWS`).

    `keep` is one of KEPT. `members` are the base and what is made of it for a while, then whole models. `readings` are
    made of every item, as `readings.asked_readings` gives them.
    """

    request: Request
    rows: str = "first"
    keep: str = "scores"
    members: tuple[Member, ...] = (BASE_ITSELF,)
    readings: Asked = field(default_factory=dict)

    @property
    def sweeps(self) -> list[Sweep]:
        """Ways through the set: one with the base and all that is made of it, then one for each whole model."""
        of_base = tuple(member for member in self.members if member.request is None)
        own = [member for member in self.members if member.request is not None]
        return [
            Sweep("", self.request, of_base),
            *(Sweep(member.folder, member.request or self.request, (member,)) for member in own),
        ]


@dataclass(frozen=True)
class Sweep:
    """One way through the set, with one model in memory: its `request`, and the members that it becomes in turn.

    `name` tells it from others; that of the base is empty.
    """

    name: str
    request: Request
    members: tuple[Member, ...]


def check(settings: Settings) -> None:
    """Raise InvalidRequest for settings that are none, before any set is read."""
    request, plain = settings.request, Request()
    given = [name for name in OF_AN_ITEM if getattr(request, name) != getattr(plain, name)]
    if given:
        raise InvalidRequest(f"{given[0]} is not set for a whole set: each item has its own, and adapters are members.")
    check_rows(settings.rows)
    asked_readings(settings.readings)
    if settings.keep not in KEPT:
        raise InvalidRequest(f"What is kept is {quoted(settings.keep)}; it is {', '.join(KEPT)}.")
    replace(request, prompt="?").validate()


def record_of(settings: Settings) -> dict[str, Any]:
    """Settings as batch.json has them: all that an item's numbers depend on, models by their content.

    Where no reading is asked for nothing is said of any, so that its items have the ids that they always had.
    """
    readings: Mapping[str, Any] = {"readings": dict(settings.readings)} if settings.readings else {}
    return {
        "format": FORMAT if readings else WITHOUT_READINGS,
        "keep": settings.keep,
        "rows": settings.rows,
        **readings,
        "settings": {name: getattr(settings.request, name) for name in OF_THE_BATCH},
        "members": [_member(member, settings.request) for member in settings.members],
    }


def name_of(record: dict[str, Any]) -> str:
    """The name of all that enters an item's id beside its own content: what is kept changes no number."""
    return key_of({name: value for name, value in record.items() if name != "keep"})


def limits_of(settings: Settings) -> Limits:
    """Limits of a person's own machine; of a run that is not kept no row is stored but those of its answer."""
    limits = Limits.local(choose_device(settings.request.device))
    return limits if settings.keep == "all" else replace(limits, rows_bytes=0)


def difference(there: dict[str, Any], here: dict[str, Any]) -> str | None:
    """The first thing in which two records differ, in words; None where they are the same."""
    if there.get("readings") != here.get("readings"):
        return f"readings are {_readings(there)} there and {_readings(here)} here"
    for name in ("format", "keep", "rows"):
        if there.get(name) != here[name]:
            return f"{name} is {quoted(there.get(name))} there and {quoted(here[name])} here"
    for name, value in here["settings"].items():
        other = (there.get("settings") or {}).get(name)
        if other != value:
            return f"{name} is {quoted(other)} there and {quoted(value)} here"
    return None if there.get("members") == here["members"] else _other_members(there.get("members"), here["members"])


def _readings(record: Mapping[str, Any]) -> str:
    """The readings of a record in words, what is asked of each where it is not the usual."""
    readings = record.get("readings")
    if not isinstance(readings, Mapping) or not readings:
        return "none"
    return quoted(readings) if any(readings.values()) else ", ".join(readings)


def _other_members(there: Any, here: Sequence[dict[str, Any]]) -> str:
    names = [each.get("name") for each in there] if isinstance(there, list) else []
    own = [each["name"] for each in here]
    if names != own:
        return f"its models are {quoted(names)} there and {quoted(own)} here"
    changed = next(each for each, other in zip(here, there, strict=True) if each != other)
    return f"{changed['name']} has other weights, or another number format, than it had"


def _member(member: Member, request: Request) -> dict[str, Any]:
    own = member.request or request
    model = own.model or default_model()
    path, revision = locate(model, config_only=True)
    config, _ = read_config(path, own.model_type)
    dtype = str(choose_dtype(own.dtype, choose_device(own.device), config)).removeprefix("torch.")
    stamp = None if revision else key_of(folder_stamp(path))
    return {
        "member": member.folder, "name": member.label, "adapter": member.adapter,
        "model": {"id": model, "revision": revision, "stamp": stamp, "dtype": dtype},
    }  # fmt: skip

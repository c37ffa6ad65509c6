"""The endpoints for scripts, by the Python client or curl: what the page does, with typed values and no page."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import gradio as gr

from attention.errors import InvalidRequest, quoted
from attention.exports import wanted
from attention.fields import Field
from attention.limits import EXPORTS_AT_ONCE
from attention.request import FIELDS
from attention.runs.run import Run
from attention.video_entries import one_video
from attention.visitors.service import Service
from attention.words import read_with_less

from . import JOB
from .api_fields import (
    BESIDE_A_COMPARISON,
    EXAMPLES,
    OF_A_COMPARISON,
    OF_A_READING,
    OF_A_REGION,
    OF_A_TRIAL,
    ONE_MAP,
    parameters,
)
from .described import Described
from .inputs import Pictures, RunUpload, listed, new_file, number_or_word, optional_number, take_zip, whole_number
from .logins import login_of
from .results import Adapters, Analyzed, Card, Compared, KeptRun, MadeReading, Measured, Model, ModelShape, Tried
from .sentences import plainly, status_line
from .visitors import visitor_of

# their places in the list are as they always were: a call may give values by position
EXPORT_NAMES = (
    "ticket", "format", "tower", "layer", "head", "query", "key", "grid", "until", "received", "look", "scale",
    "caption", "member",
)  # fmt: skip


def analyze_names() -> list[str]:
    """The parameters of `/analyze`: every field of a request but the device."""
    return [name for name in FIELDS if name != "device"]


def compare_names() -> list[str]:
    """The parameters of `/compare`: the same without an adapter of its own, with those that are compared."""
    first, second, *others = (name for name in analyze_names() if not name.startswith("adapter"))
    return [first, second, *OF_A_COMPARISON, *others, *BESIDE_A_COMPARISON]


def export_names() -> list[str]:
    """The parameters of `/export`: the fields of an export but the width of a picture, and what it is of."""
    return [*EXPORT_NAMES, *(name for name in wanted.FIELDS if name not in (*EXPORT_NAMES, "width"))]


def trial_names() -> list[str]:
    """The parameters of `/try`."""
    return ["ticket", *OF_A_TRIAL]


def reading_names() -> list[str]:
    """The parameters of `/reading`."""
    return ["ticket", *OF_A_READING]


def parameters_of(names: Sequence[str], fields: Mapping[str, Field] = MappingProxyType({})) -> list[inspect.Parameter]:
    """The parameters of an endpoint as a signature has them, each with what is usual; `fields` are its own."""
    usual = {name: field.default for name, field in {**parameters(), **fields}.items()} | {
        "images": None,
        "videos": None,
        "prompt": None,
    }
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [inspect.Parameter(name, kind, **({} if name == "ticket" else {"default": usual[name]})) for name in names]


def taking(
    work: Callable,
    names: Sequence[str],
    gives: type = dict,
    fields: Mapping[str, Field] = MappingProxyType({}),
    with_login: bool = False,
) -> Callable:
    """A function with a parameter for each of these names, as Gradio looks for them, which hands them on to `work`.

    One that is awaited is told of the caller, of where to say how far it is, and `with_login` of the caller's own login
    to the Hub.
    """
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    told = {"request": gr.Request} | ({"login": gr.OAuthToken | None} if with_login else {})
    extra = [inspect.Parameter(name, kind, default=None, annotation=of) for name, of in told.items()]
    extra.append(inspect.Parameter("progress", kind, default=gr.Progress()))

    async def awaited(*given):
        values, (request, *login, progress) = given[: len(names)], given[len(names) :]
        return await work(dict(zip(names, values, strict=True)), request, progress, *(login or [None]))

    def called(*given):
        return work(dict(zip(names, given, strict=True)))

    endpoint: Any = called
    if inspect.iscoroutinefunction(work):
        endpoint = awaited
    else:
        told, extra = {}, []
    endpoint.__signature__ = inspect.Signature([*parameters_of(names, fields), *extra], return_annotation=gives)
    endpoint.__annotations__ = told | {"return": gives}
    endpoint.__name__, endpoint.__doc__ = work.__name__, work.__doc__
    return endpoint


def component_of(name: str, fields: Mapping[str, Field] = MappingProxyType({})) -> gr.components.Component:
    """The component, never drawn, that takes a parameter of an endpoint; `fields` are its own."""
    field = {**parameters(), **fields}[name]
    if field.kind is tuple:
        return Pictures(label=name)
    if field.kind is bool:
        box = gr.Checkbox(label=name)
        box.value = field.default  # None is neither yes nor no; the constructor would make it a no
        return box
    if field.kind in (int, float):
        return gr.Number(field.default, label=name)
    if field.kind in (list, dict, float | str) or (field.kind == int | str and field.default is None):
        return gr.JSON(label=name)  # of which a number arrives as one
    return gr.Textbox(field.default or None, label=name)


def wanted_of(given: dict) -> dict:
    """The fields of an export from what an endpoint was given; None is not given."""
    fields = {name: _wanted_of(wanted.FIELDS[name], value) for name, value in given.items() if name in wanted.FIELDS}
    return fields | {"look": given["look"]}


def _wanted_of(field: Field, value):
    if field.kind is int:
        return optional_number(field.name, value)
    if field.kind == int | str:
        return None if value is None else number_or_word(field.name, value)
    if field.kind is bool:
        return bool(value)
    return (value or None) if field.kind in (str, list) and field.default is None else value


def values_of(given: dict) -> dict:
    """The fields of a request from what an endpoint was given."""
    return {name: _value_of(FIELDS[name], value) for name, value in given.items()}


def _value_of(field: Field, value):
    if field.name == "videos":
        return one_video(value)
    if field.kind is int:
        return (optional_number if field.default is None else whole_number)(field.name, value)
    if field.kind is bool and field.default is not None:
        return bool(value)
    return value or "" if field.name == "prompt" else value


def build_endpoints(service: Service) -> None:
    """Build what the buttons do for the Python client and curl: fields of a Request by their names, and no page."""

    def models() -> list[dict]:
        """List the models on offer, the default first."""
        service.wait_until_loaded()
        return service.models()

    def layers(model: str | None = None) -> dict:
        """Describe a model's towers, layers, heads, kv_heads and head_dim from its config, without loading it."""
        service.wait_until_loaded()
        from attention.models.config import describe

        with plainly():
            return describe(service.checked_model(model))

    def result(ticket: str) -> dict:
        found = service.found(ticket)
        # Not "path": the Python client takes every dictionary with that key for a file, and would download it.
        folder = None if service.is_hosted else str(found.folder)
        return {
            "id": found.info["id"], "ticket": ticket, "answer": found.info.get("answer"), found.kind: found.info,
            "folder": folder,
            "cautions": read_with_less(found.info if found.kind == "run" else found.base.info),
        }  # fmt: skip

    def one_run(ticket: str, member: str | None) -> Run:
        """The run behind a ticket, or the named one of a comparison's."""
        return service.comparison(ticket).run(member) if member else service.run(ticket)

    def adapters(model: str | None = None) -> dict:
        """List the adapters on offer for a model: {adapters: [{id, label, source, series, step, note}], notes}.

        Any other of the Hub is chosen by its id, owner/name or owner/name@revision.
        """
        service.wait_until_loaded()
        from adapters.catalog import offered_adapters

        with plainly():
            offers, notes = offered_adapters(service.checked_model(model), service.adapters_dir, service.is_hosted)
            return {"adapters": [offer.to_dict() for offer in offers], "notes": notes}

    def inspect_adapter(adapter: str, model: str | None = None, rename: bool = False, alone: bool = False) -> dict:
        """Check an adapter against a model, from its config and its tensors' names and shapes: a health card."""
        return inspect_by_login(adapter, model, rename, alone)

    def inspect_by_login(
        adapter: str, model: str | None = None, rename: bool = False, alone: bool = False,
        login: gr.OAuthToken | None = None,
    ) -> dict:  # fmt: skip
        service.wait_until_loaded()
        from adapters.catalog import find_adapter
        from adapters.choosing import check

        with plainly():
            model, own = service.checked_model(model), login_of(service, login)
            files = find_adapter(adapter, model, service.adapters_dir, service.is_hosted, None, own)
            return check(files, model, rename=rename, alone=alone, is_hosted=service.is_hosted).to_dict()

    inspect_by_login.__doc__ = inspect_adapter.__doc__

    async def analyze(given: dict, request: gr.Request, progress: gr.Progress, login: gr.OAuthToken | None) -> dict:
        """Capture what the model reads from: one forward pass over the prompt (prefill), or over prompt and answer.

        The result's ticket is what /heatmap and /export ask for. Without a picture it is a run on text alone.
        """
        with plainly(rename="adapter_rename=True", alone="adapter_alone=True"):
            with service.job(values_of(given), visitor_of(request), None, login_of(service, login)) as job:
                async for step in job.follow():
                    progress((step["done"], step["total"]) if step["total"] else None, desc=status_line(step))
                ticket = job.result()["ticket"]
            return result(ticket)

    async def compare(given: dict, request: gr.Request, progress: gr.Progress, login: gr.OAuthToken | None) -> dict:
        """Run the base and one to twelve adapters on the same picture and words, and measure what the adapters change.

        The result's ticket is what /export asks for, and with a member /heatmap.
        """
        with plainly():
            chosen = {"adapters": listed(given.pop("adapters")), "words": given.pop("words")}
            chosen |= {name: given.pop(name) for name in BESIDE_A_COMPARISON}
            with service.job(values_of(given), visitor_of(request), chosen, login_of(service, login)) as job:
                async for step in job.follow():
                    progress((step["done"], step["total"]) if step["total"] else None, desc=status_line(step))
                ticket = job.result()["ticket"]
            return result(ticket)

    def compare_runs(tickets: list[str], names: list[str] | None = None, request: gr.Request = None) -> dict:
        """Set finished runs beside the first of them, without running a model: they must have read the same tokens.

        The result is what /compare returns.
        """
        with plainly():
            if not isinstance(tickets, list):
                raise InvalidRequest(f"The tickets are {quoted(tickets)}; they must be a list of two or more.")
            return result(service.compare_runs(tickets, visitor_of(request), names))

    def open_zip(file=None, request: gr.Request = None) -> dict:
        """Open a run or a comparison that comes as a zip, as /export writes it with the format zip.

        What is returned is what /analyze or /compare returned.
        """
        with plainly():
            return result(take_zip(service, file, visitor_of(request)))

    def runs(request: gr.Request) -> list[dict]:
        """List the runs kept on this machine, newest first: ticket, id, created, model, prompt, answer, tokens, bytes.

        `error` says why one cannot be read. On a public server the list is empty: whoever has a run there has its
        ticket. On your own machine the call needs the key of the link that the app printed, as header X-Attention-Key.
        """
        with plainly():
            service.key.check(request)
            return service.runs()

    def heatmap(
        ticket, tower="language", layer="mean", head="mean", query=None, grid=0, member=None, reading=None
    ) -> tuple[str, list]:
        """Draw a map over its picture, in the picture's own width and height; return that and the values [row, col].

        With a reading the values are its effects; without a query then of all rows together.
        """
        with plainly(), service.reading(ticket):
            run = one_run(ticket, member)
            from attention.exports.export import heatmap_png
            from attention.runs.selection import default_query

            row = None if query is None else whole_number("query", query)
            row = default_query(run) if row is None and not reading else row
            with new_file(service, png, "heatmap.png") as path:
                _, values = heatmap_png(
                    run, tower, number_or_word("layer", layer), number_or_word("head", head),
                    row, whole_number("grid", grid), path, reading=reading or None,
                )  # fmt: skip
        return str(path), values.tolist()

    def region(
        ticket: str, box: list | None = None, point: list | None = None, answer: bool = False, image: int = 0,
        query: int | None = None, until: int | None = None, tower: str = "language", member: str | None = None,
        by: str | None = None, top: int = 10, coordinates: str | None = None,
    ) -> dict:  # fmt: skip
        """Say how much of each head's attention lies in a box or at a point, and how much chance would put there.

        One of box, point and answer (the first place that the answer names) says where. What is returned is what the
        command `region` prints as JSON: of a comparison every member, with what changed from the base.
        """
        with plainly(), service.reading(ticket):
            found = one_run(ticket, member) if member else service.found(ticket)
            from attention.exports import regions as of_regions

            if [box or None, point or None, answer or None].count(None) != 2:
                raise InvalidRequest("Give one of box, point and answer: where it is to be measured.")
            if coordinates and not answer:
                raise InvalidRequest("coordinates is how the answer's numbers count: give answer with it.")
            tower, image = tower or "language", optional_number("image", image) or 0
            place = (
                of_regions.place_of_answer(found, coordinates or None) if answer
                else of_regions.read_place(found, box or None, point or None, image)
            )  # fmt: skip
            row = of_regions.row_of_answer(found, tower, optional_number("query", query))
            scores = of_regions.member_scores(found, place, row, tower, optional_number("until", until))
            floors = of_regions.known_floors(found, place, row, tower, optional_number("until", until))
            record = of_regions.region_record(found, scores, tower, whole_number("top", top), by or None, floors)
            return record | {"folder": None if service.is_hosted else record["folder"]}

    async def try_without(given: dict, request: gr.Request, progress: gr.Progress, login: gr.OAuthToken | None) -> dict:
        """Say how the log-probability of a run's answer changes without a region, or without heads.

        One of box, point, answer (the first place that the answer names), heads and top_heads says without what. The
        model runs again: beside the change stand those of others of its kind, and the forecast. It says what happens
        then, not why.
        """
        with plainly():
            with service.trial(given.pop("ticket"), given, visitor_of(request), login_of(service, login)) as job:
                async for step in job.follow():
                    progress((step["done"], step["total"]) if step["total"] else None, desc=status_line(step))
            return job.result()

    async def reading(given: dict, request: gr.Request, progress: gr.Progress, login: gr.OAuthToken | None) -> dict:
        """Ask for a reading of a finished run beyond its attention: a forecast of knock-outs, a lens, ...

        The model runs again, unless the reading is there already. Its name is what /heatmap and /export take as
        `reading`, and the address .../{ticket}/row?reading=... No reading is an explanation.
        """
        with plainly():
            given = {name: value for name, value in given.items() if value not in (None, "")}
            asked = given | {"reading": given.pop("kind", "forecast")}
            ticket, own = given.pop("ticket", None), login_of(service, login)
            asked = await asyncio.to_thread(service.with_id, ticket, asked)
            with service.asked_reading(ticket, asked, visitor_of(request), own) as job:
                async for step in job.follow():
                    progress((step["done"], step["total"]) if step["total"] else None, desc=status_line(step))
            return job.result()

    def export(given: dict) -> str:
        """Write a run, or one map of it, as a file: dense, bin, npz, csv, png, svg, pdf, card, html or zip.

        A folder comes zipped. Of a comparison zip writes all of it, csv the measures of every head, png, svg and pdf
        the same map of two members and their difference, side by side.
        """
        ticket, format, member = given["ticket"], given["format"], given["member"]  # noqa: A001
        with plainly(), service.reading(ticket):
            found = one_run(ticket, member) if member else service.found(ticket)
            from attention.exports.export import export as write
            from attention.exports.folder_zip import packed
            from attention.exports.run import SUFFIXES

            fields = wanted_of(given)
            name = {"dense": "attention.safetensors" if fields["layer"] is not None else "attention"}.get(
                format, f"{found.kind}.{SUFFIXES.get(format, format)}"
            )
            with service.room_for_export(found, format, fields), new_file(service, file, name) as place:
                written = write(found, format, place, **fields)
                return str(packed(written) if written.is_dir() else written)

    def describe(made: gr.events.Dependency, **other: Field) -> Described:
        return Described(made).takes(parameters() | other, EXAMPLES)

    describe(gr.api(models, api_name="models")).gives(("models", list[Model], "the first is the default"))
    describe(gr.api(adapters, api_name="adapters")).gives(("adapters", Adapters, "and notes on what cannot be read"))
    inspected = inspect_by_login if service.offers_login else inspect_adapter
    describe(gr.api(inspected, api_name="inspect")).gives(("card", Card, "its health card, with more fields"))
    describe(gr.api(layers, api_name="layers")).gives(("model", ModelShape, "its towers by name"))
    describe(gr.api(runs, api_name="runs")).gives(("runs", list[KeptRun], "newest first"))
    made = describe(gr.api(compare_runs, api_name="compare_runs"))
    made.gives(("result", Compared, Compared.__doc__ or ""))
    made = gr.api(region, api_name="region")
    describe(made, **OF_A_REGION).gives(("region", Measured, Measured.__doc__ or ""))
    with gr.Row(visible=False):  # an endpoint that takes or gives files needs components; these are never drawn
        call = gr.Button()
        for work, names, kind in ((analyze, analyze_names(), Analyzed), (compare, compare_names(), Compared)):
            inputs = [component_of(name) for name in names]
            asked = taking(work, names, with_login=service.offers_login)
            made = call.click(asked, inputs, gr.JSON(), api_name=work.__name__, **JOB)
            describe(made).gives(("result", kind, kind.__doc__ or ""))
        what = trial_names()
        inputs = [component_of(name, OF_A_TRIAL) for name in what]
        asked = taking(try_without, what, fields=OF_A_TRIAL, with_login=service.offers_login)
        made = call.click(asked, inputs, gr.JSON(), api_name="try", **JOB)
        describe(made, **OF_A_TRIAL).gives(("tried", Tried, Tried.__doc__ or ""))
        what = reading_names()
        inputs = [component_of(name, OF_A_READING) for name in what]
        asked = taking(reading, what, fields=OF_A_READING, with_login=service.offers_login)
        made = call.click(asked, inputs, gr.JSON(), api_name="reading", **JOB)
        describe(made, **OF_A_READING).gives(("reading", MadeReading, MadeReading.__doc__ or ""))
        made = call.click(open_zip, RunUpload(), gr.JSON(), api_name="open")
        describe(made).gives(("result", Analyzed | Compared, "what /analyze or /compare returned"))
        which = [component_of(name) for name in ("ticket", "tower")]
        which += [gr.Textbox("mean"), gr.Textbox("mean"), gr.Number(), gr.Number(0), gr.Textbox(), gr.Textbox()]
        png, cells = gr.File(), gr.JSON()
        made = call.click(heatmap, which, [png, cells], api_name="heatmap")
        describe(made, **ONE_MAP).gives(
            ("png", None, "the picture with the map on it"), ("values", list[list[float]], "of each cell, row by row")
        )
        what = export_names()
        file = gr.File()
        # a large figure takes hundreds of megabytes while it is drawn
        made = call.click(
            taking(export, what, str), [component_of(name) for name in what], file, api_name="export",
            concurrency_limit=EXPORTS_AT_ONCE,
        )  # fmt: skip
        describe(made).gives(("file", None, "what was written; a folder comes zipped"))

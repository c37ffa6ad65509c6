"""The endpoints for scripts, by the Python client or curl: what the page does, with typed values and no page."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from attention.exports import wanted
from attention.fields import Field
from attention.request import FIELDS
from attention.runs.run import Run
from attention.visitors.service import Service

from . import GPU
from .inputs import Pictures, RunUpload, listed, new_file, number_or_word, optional_number, take_zip, whole_number
from .sentences import plainly, status_line

OF_A_COMPARISON = {"adapters": None, "words": "base"}  # what it takes besides, and what is usual
# of an export besides its fields; their places in the list are as they always were: a call may give values by position
OF_AN_EXPORT = {"ticket": None, "format": "npz", "look": None, "member": None}
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
    return [first, second, *OF_A_COMPARISON, *others]


def export_names() -> list[str]:
    """The parameters of `/export`: the fields of an export but the width of a picture, and what it is of."""
    return [*EXPORT_NAMES, *(name for name in wanted.FIELDS if name not in (*EXPORT_NAMES, "width"))]


def parameters_of(names: Sequence[str]) -> list[inspect.Parameter]:
    """The parameters of an endpoint as a signature has them, each with what is usual."""
    usual = {name: field.default for name, field in (FIELDS | wanted.FIELDS).items()}
    usual |= {"images": None, "prompt": None} | OF_A_COMPARISON | OF_AN_EXPORT
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [inspect.Parameter(name, kind, **({} if name == "ticket" else {"default": usual[name]})) for name in names]


def taking(work: Callable, names: Sequence[str], gives: type = dict) -> Callable:
    """A function with a parameter for each of these names, as Gradio looks for them, which hands them on to `work`.

    One that is awaited is told of the caller and of where to say how far it is.
    """
    told = [
        inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=gr.Request),
        inspect.Parameter("progress", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=gr.Progress()),
    ]  # fmt: skip

    async def awaited(*given):
        *values, request, progress = given
        return await work(dict(zip(names, values, strict=True)), request, progress)

    def called(*given):
        return work(dict(zip(names, given, strict=True)))

    endpoint: Any = called
    if inspect.iscoroutinefunction(work):
        endpoint = awaited
    else:
        told = []
    endpoint.__signature__ = inspect.Signature([*parameters_of(names), *told], return_annotation=gives)
    endpoint.__annotations__ = ({"request": gr.Request} if told else {}) | {"return": gives}
    endpoint.__name__, endpoint.__doc__ = work.__name__, work.__doc__
    return endpoint


def component_of(name: str) -> gr.components.Component:
    """The component, never drawn, that takes a parameter of an endpoint."""
    other = OF_A_COMPARISON | OF_AN_EXPORT
    if name in ("adapters", "messages", "look"):
        return gr.JSON(label=name)
    if name in other:
        return gr.Textbox(other[name], label=name)
    field = (FIELDS | wanted.FIELDS)[name]
    if field.kind is tuple:
        return Pictures(label=name)
    if field.kind is bool:
        box = gr.Checkbox(label=name)
        box.value = field.default  # None is neither yes nor no; the constructor would make it a no
        return box
    if field.kind in (int, float):
        return gr.Number(field.default, label=name)
    if field.kind in (list, float | str):
        return gr.JSON(label=name)
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
        """Check an adapter against a model, from its config and its tensors' names and shapes: a health card.

        Args:
            rename: read keys named as in another layout under the names that the model has now.
            alone: use the LoRA weights alone, although other trained weights lie beside them.
        """
        service.wait_until_loaded()
        from adapters.catalog import find_adapter
        from adapters.choosing import check

        with plainly():
            model = service.checked_model(model)
            files = find_adapter(adapter, model, service.adapters_dir, service.is_hosted)
            return check(files, model, rename=rename, alone=alone, is_hosted=service.is_hosted).to_dict()

    async def analyze(given: dict, request: gr.Request, progress: gr.Progress) -> dict:
        """Capture what the model reads from: one forward pass over the prompt (prefill), or over prompt and answer.

        Args:
            images: one picture or a list of them; none is a run on text alone.
            prompt: the question; or give messages.
            model: the default is the first of /models.
            mode: prefill, or generate: answer first.
            answer: read this answer instead of generating one.
            messages: a chat of several turns instead of prompt and system; {"type": "image"} takes the next picture,
                or holds one as a data: URL ("url") or in "base64".
            vision: keep the vision tower too.
            adapter: switch this LoRA adapter on, at the strength adapter_scale; /adapters lists some.
            adapter_rename: read an adapter's keys, named as in another layout, under the names that the model has now.
            adapter_alone: use the LoRA weights alone, although other trained weights lie beside them.
            pan_and_scan: read crops of long pictures too (Gemma 3).

        Returns:
            id, ticket (for the other endpoints), answer, run (the content of run.json), folder (on a local server).
        """
        with plainly(rename="adapter_rename=True", alone="adapter_alone=True"):
            with service.job(values_of(given), request.session_hash) as job:
                async for step in job.follow():
                    progress((step["done"], step["total"]) if step["total"] else None, desc=status_line(step))
                ticket = job.result()["ticket"]
            return result(ticket)

    async def compare(given: dict, request: gr.Request, progress: gr.Progress) -> dict:
        """Run the base and one to twelve adapters on the same picture and words, and measure what the adapters change.

        Args:
            adapters: a list of names, of names with "=strength", or of {id, scale, rename, alone}.
            words: whose answer all read: base, the number of an adapter (from 1), or own.
            pan_and_scan: read crops of long pictures too (Gemma 3).

        Returns:
            id, ticket, answer (the base's), comparison (the content of comparison.json), folder (on a local server).
        """
        with plainly():
            chosen = {"adapters": listed(given.pop("adapters")), "words": given.pop("words")}
            with service.job(values_of(given), request.session_hash, chosen) as job:
                async for step in job.follow():
                    progress((step["done"], step["total"]) if step["total"] else None, desc=status_line(step))
                ticket = job.result()["ticket"]
            return result(ticket)

    def open_zip(file=None, request: gr.Request = None) -> dict:
        """Open a run or a comparison that comes as a zip, as /export writes it with the format zip.

        Args:
            file: the zip.

        Returns:
            what /analyze or /compare returns.
        """
        with plainly():
            return result(take_zip(service, file, request.session_hash))

    def runs() -> list[dict]:
        """List the runs kept on this machine, newest first: ticket, id, created, model, prompt, answer, tokens, bytes.

        `error` says why one cannot be read. On a public server the list is empty: whoever has a run there has its
        ticket.
        """
        return service.runs()

    def heatmap(
        ticket, tower="language", layer="mean", head="mean", query=None, grid=0, member=None
    ) -> tuple[str, list]:
        """Draw a map over its picture, in the picture's own width and height; return that and the values [row, col].

        Args:
            ticket: from /analyze.
            layer: the layer's index in the model, mean or max.
            head: a number, mean or max.
            query: the position of the row; the default is the one that predicts the answer's first token.
            member: of a comparison whose run: base, adapter_1, ...
        """
        with plainly():
            run = one_run(ticket, member)
            from attention.exports.export import heatmap_png
            from attention.runs.selection import default_query

            path, values = heatmap_png(
                run, tower, number_or_word("layer", layer), number_or_word("head", head),
                default_query(run) if query is None else whole_number("query", query), whole_number("grid", grid),
                new_file(png, "heatmap.png"),
            )  # fmt: skip
        return str(path), values.tolist()

    def export(given: dict) -> str:
        """Write a run, or one map of it, as a file: dense, bin, npz, csv, png, svg, pdf or zip; a folder comes zipped.

        Of a comparison zip writes all of it, csv the measures of every head, png, svg and pdf the same map of two
        members and their difference, side by side.

        Args:
            ticket: from /analyze or /compare.
            layer: the layer's index in the model; for one map also mean or max.
            head: of one map: a number, mean or max.
            query: of one map: the position of the row; the default predicts the answer's first token.
            key: the position of a column, instead of query.
            grid: which picture, tile or frame; the default is the tower's first.
            until: the last position of a mean over several, which begins at query or key.
            received: what every key receives, instead of query and key.
            look: how png, svg and pdf are drawn: palette, opacity, low, high, unit, curve, sinks, smooth, places,
                places_on (a picture for places that name none, from 1), plain.
            scale: of a png: 0.25 to 4 times the picture's size.
            tokens, layers, heads: of an html file what it holds, as answer, all or 3,8-12; the default is what fits.
            megabytes: how large an html file may be, by default 10.
            caption: of a png: with a colour bar and words, as svg and pdf always have them.
            member: of a comparison one run, as if it were alone: base, adapter_1, ...
            left: of a comparison's maps the first member, by default base.
            right: the member that is set against it, by default adapter_1.
            show: which of left, right, difference and wipe, as a list; the default is the first three.
            split: where the wipe's line stands, 0 to 1.
            difference_high: where the difference's colours end, a number or largest; the default is the maps' scale.
        """
        with plainly():
            ticket, format, member = given["ticket"], given["format"], given["member"]  # noqa: A001
            found = one_run(ticket, member) if member else service.found(ticket)
            from attention.exports.export import export as write

            fields = wanted_of(given)
            name = {"dense": "attention.safetensors" if fields["layer"] is not None else "attention"}.get(
                format, f"{found.kind}.{format}"
            )
            written = write(found, format, new_file(file, name), **fields)
            if written.is_dir():
                archive = shutil.make_archive(str(written), "zip", written)
                shutil.rmtree(written)
                return archive
        return str(written)

    def word(name: str, value: str | None = None) -> gr.Textbox:
        return gr.Textbox(value, label=name)

    def number(name: str, value: float | None = None) -> gr.Number:
        return gr.Number(value, label=name)

    gr.api(models, api_name="models")
    gr.api(adapters, api_name="adapters")
    gr.api(inspect_adapter, api_name="inspect")
    gr.api(layers, api_name="layers")
    gr.api(runs, api_name="runs")
    with gr.Row(visible=False):  # an endpoint that takes or gives files needs components; these are never drawn
        call = gr.Button()
        for work, names in ((analyze, analyze_names()), (compare, compare_names())):
            inputs = [component_of(name) for name in names]
            call.click(taking(work, names), inputs, gr.JSON(label="result"), api_name=work.__name__, **GPU)
        call.click(open_zip, RunUpload(label="file"), gr.JSON(label="result"), api_name="open")
        which = [
            word("ticket"), word("tower", "language"), word("layer", "mean"), word("head", "mean"), number("query"),
            number("grid", 0), word("member"),
        ]  # fmt: skip
        png, cells = gr.File(label="png"), gr.JSON(label="values")
        call.click(heatmap, which, [png, cells], api_name="heatmap")
        what = export_names()
        file = gr.File(label="file")
        inputs = [component_of(name) for name in what]
        call.click(taking(export, what, str), inputs, file, api_name="export")

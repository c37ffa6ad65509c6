"""The endpoints for scripts, by the Python client or curl: what the page does, with typed values and no page."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Sequence

import gradio as gr

from attention.errors import InvalidRequest, quoted
from attention.request import FIELDS, Field
from attention.runs.run import Run
from attention.visitors.service import Service

from . import GPU
from .inputs import Pictures, RunUpload, listed, new_file, number_or_word, take_zip, whole_number
from .sentences import plainly, status_line

OF_A_COMPARISON = {"adapters": None, "words": "base"}  # what it takes besides, and what is usual


def analyze_names() -> list[str]:
    """The parameters of `/analyze`: every field of a request but the device."""
    return [name for name in FIELDS if name != "device"]


def compare_names() -> list[str]:
    """The parameters of `/compare`: the same without an adapter of its own, with those that are compared."""
    first, second, *others = (name for name in analyze_names() if not name.startswith("adapter"))
    return [first, second, *OF_A_COMPARISON, *others]


def parameters_of(names: Sequence[str]) -> list[inspect.Parameter]:
    """The parameters of an endpoint as a signature has them, each with what is usual."""
    usual = {name: field.default for name, field in FIELDS.items()} | {"images": None, "prompt": None} | OF_A_COMPARISON
    return [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=usual[name]) for name in names]


def taking(work: Callable, names: Sequence[str]) -> Callable:
    """A function with a parameter for each of these names, as Gradio looks for them, which hands them on to `work`."""

    async def endpoint(*given):
        *values, request, progress = given
        return await work(dict(zip(names, values, strict=True)), request, progress)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    told = [
        inspect.Parameter("request", kind, default=None, annotation=gr.Request),
        inspect.Parameter("progress", kind, default=gr.Progress()),
    ]
    endpoint.__signature__ = inspect.Signature([*parameters_of(names), *told], return_annotation=dict)
    endpoint.__annotations__ = {"request": gr.Request, "return": dict}
    endpoint.__name__, endpoint.__doc__ = work.__name__, work.__doc__
    return endpoint


def component_of(name: str) -> gr.components.Component:
    """The component, never drawn, that takes a parameter of an endpoint."""
    if name in ("adapters", "messages"):
        return gr.JSON(label=name)
    if name == "words":
        return gr.Textbox(OF_A_COMPARISON[name], label=name)
    field = FIELDS[name]
    if field.kind is tuple:
        return Pictures(label=name)
    if field.kind is bool:
        box = gr.Checkbox(label=name)
        box.value = field.default  # None is neither yes nor no; the constructor would make it a no
        return box
    if field.kind in (int, float):
        return gr.Number(field.default, label=name)
    return gr.Textbox(field.default or None, label=name)


def values_of(given: dict) -> dict:
    """The fields of a request from what an endpoint was given."""
    return {name: _value_of(FIELDS[name], value) for name, value in given.items()}


def _value_of(field: Field, value):
    if field.kind is int:
        return whole_number(field.name, value, optional=field.default is None)
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

    def export(
        ticket, format="npz", tower="language", layer=None, head=None, query=None, key=None, grid=None, until=None,  # noqa: A002
        received=False, look=None, scale=None, caption=False, member=None, left=None, right=None, show=None, split=None,
        difference_high=None,
    ) -> str:  # fmt: skip
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
            caption: of a png: with a colour bar and words, as svg and pdf always have them.
            member: of a comparison one run, as if it were alone: base, adapter_1, ...
            left: of a comparison's maps the first member, by default base.
            right: the member that is set against it, by default adapter_1.
            show: which of left, right, difference and wipe, as a list; the default is the first three.
            split: where the wipe's line stands, 0 to 1.
            difference_high: where the difference's colours end, a number or largest; the default is the maps' scale.
        """
        with plainly():
            found = one_run(ticket, member) if member else service.found(ticket)
            from attention.exports.comparison import export_found

            if look is not None and not isinstance(look, dict):
                raise InvalidRequest(
                    f'look is {quoted(look)}; it must be settings by their names, as {{"palette": "magma"}}.'
                )
            name = {"dense": "attention.safetensors" if layer is not None else "attention"}.get(
                format, f"{found.kind}.{format}"
            )
            written = export_found(
                found, format, new_file(file, name), tower=tower,
                layer=None if layer is None else number_or_word("layer", layer),
                head=None if head is None else number_or_word("head", head),
                query=whole_number("query", query, optional=True), key=whole_number("key", key, optional=True),
                grid=whole_number("grid", grid, optional=True), until=whole_number("until", until, optional=True),
                received=bool(received), look=look, scale=scale, caption=bool(caption), left=left or None,
                right=right or None, show=show or None, split=split, difference_high=difference_high,
            )  # fmt: skip
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
        what = [
            word("ticket"), word("format", "npz"), word("tower", "language"), word("layer"), word("head"),
            number("query"), number("key"), number("grid"), number("until"), gr.Checkbox(label="received"),
            gr.JSON(label="look"), number("scale"), gr.Checkbox(label="caption"), word("member"), word("left"),
            word("right"), gr.JSON(label="show"), number("split"), gr.JSON(label="difference_high"),
        ]  # fmt: skip
        file = gr.File(label="file")
        call.click(export, what, file, api_name="export")

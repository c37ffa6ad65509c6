"""From an image and a prompt to a run, and from a run to numbers.

The public names are loaded when they are first used, so that `from attention import open_run` costs NumPy and no more.
That is also how a run shows itself as the last line of a notebook's cell: `Run._repr_html_` asks here for
`notebook_html`, which stands above the rooms that read runs, and is loaded only then.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "extract": "capture.extraction",
    "compare_runs": "comparisons.finished",
    "forecast": "capture.forecast",
    "forecast_knock_outs": "capture.knock_out_forecast",
    "attribute_directly": "capture.direct_attribution",
    "read_lens": "capture.lens",
    "read_relative": "capture.general_rows",
    "relative_map": "readings.relative",
    "Target": "readings.target",
    "ask_reading": "kinds.making",
    "run_as_read": "kinds.kept",
    "try_region": "effects.beside_controls",
    "try_heads": "effects.beside_controls",
    "agree": "effects.agreeing",
    "Request": "request",
    "Limits": "limits",
    "open_run": "runs.run",
    "Run": "runs.run",
    "read_region": "runs.regions",
    "answer_regions": "runs.regions",
    "region_scores": "runs.regions",
    "run_places": "places.of_run",
    "score_items": "scoring.scoring",
    "read_items": "scoring.reading",
    "open_scores": "scoring.scores",
    "run_batch": "batches.running",
    "open_batch": "batches.batch",
    "AttentionCallback": "scoring.callback",
    "Item": "scoring.items",
    "AttentionError": "errors",
    "notebook_html": "exports.html.notebook",
}

__all__ = [
    "AttentionCallback", "AttentionError", "Item", "Limits", "Request", "Run", "Target", "agree", "answer_regions",
    "ask_reading", "attribute_directly", "compare_runs", "extract", "forecast", "forecast_knock_outs", "open_batch",
    "open_run", "open_scores", "read_items", "read_lens", "read_region", "read_relative", "region_scores",
    "relative_map", "run_as_read", "run_batch", "run_places", "score_items", "try_heads", "try_region",
]  # fmt: skip


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_HOME])

"""The card of a data set: what the Hub reads of it, and what a person should know before using it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention.batches.batch import Batch
from attention.request import FIELDS

from .columns import Column

# as the Hub names them
SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"),
)  # fmt: skip
CARD = """---
pretty_name: {title}
tags: [attention, vision-language, vlm-attention-viz]
size_categories: [{size}]
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
---

# {heading}

{holds}

```python
from datasets import load_dataset

items = load_dataset("{place}", split="train", streaming=True)
first = next(iter(items))
print(first["prompt"], first["answer"], first["logprob"])
```
{kept}
## How it was made

{made}

{lacks}The numbers are of the model's own attention, not an estimate of it. That a head reads a place does not say
that the answer depends on it.

## Columns

| column | |
| --- | --- |
{columns}

## Licence

Not stated: pictures, questions and the model's answers may each have one of their own. Write it into the head of this
file (`license:`) before you make the data set public, and look through the pictures for persons who did not agree.
"""
NO_EXPLANATION = "a forecast is a first order, what hiding and painting does was measured, and none is an explanation"
RUNS = """
`runs/ID` has the run of an item, or the comparison of its models, by the name in the column `kept`. To look at them in
the viewer: `python app.py --runs FOLDER`; or at one from the Hub: `python -m attention view dataset:OWNER/NAME/ID`.
"""
ROWS = """
`rows/ID.safetensors` has the measured rows of attention of an item with the `id`: [rows, layers, heads, keys].
"""


def card(
    batch: Batch, columns: Sequence[Column], holds: str, lacks: Sequence[str], items: int, kept: str | None
) -> str:
    """The README.md of a data set; `kept` is `all` or `rows` where such lie beside it."""
    models = [_model(member) for member in published(batch.info)["members"]]
    title = (
        f"Attention of {', '.join(dict.fromkeys(member['model']['id'] for member in published(batch.info)['members']))}"
    )
    usual = {name: field.default for name, field in FIELDS.items()}
    settings = {name: value for name, value in batch.info["settings"].items() if value != usual.get(name)}
    made = [f"- `{member}`: {words}" for member, words in zip(batch.members, models, strict=True)]
    others = ", ".join(f"`{name}={json.dumps(value)}`" for name, value in settings.items()) or "none"
    made.append(f"- measured row: `{batch.info['rows']}`; settings that are not the usual ones: {others}")
    if batch.readings:
        beside = "; those of a kept run lie beside it, in `runs/ID.readings`" if kept == "all" else ""
        made.append(f"- readings of each item: {', '.join(batch.readings)}{beside}; {NO_EXPLANATION}")
    made.append("- by VLM Attention Viz, `python -m attention batch` and `publish`; `attention.json` has all settings")
    return CARD.format(
        title=json.dumps(title, ensure_ascii=False), heading=" ".join(title.split()),
        size=next((name for most, name in SIZES if items < most), "n>100M"), holds=holds, place="OWNER/NAME",
        kept={"all": RUNS, "rows": ROWS, None: ""}[kept],
        made="\n".join(made), lacks="".join(f"{each}\n" for each in lacks) + ("\n" if lacks else ""),
        columns="\n".join(f"| `{column.name}` | {column.words} |" for column in columns),
    )  # fmt: skip


def published(info: dict[str, Any]) -> dict[str, Any]:
    """Settings of a batch as others may read them: a model in a folder by the folder's name alone."""
    members = []
    for member in info["members"]:
        model = member["model"]
        is_folder = model["revision"] is None and (Path(model["id"]).is_absolute() or Path(model["id"]).exists())
        members.append(member | {"model": model | {"id": Path(model["id"]).name if is_folder else model["id"]}})
    return info | {"members": members}


def _model(member: dict[str, Any]) -> str:
    model = member["model"]
    revision = f", revision `{model['revision']}`" if model["revision"] else ""
    adapter = f", with the adapter {member['name']}" if member["adapter"] else ""
    return f"`{model['id']}`{revision}, {model['dtype']}{adapter}"

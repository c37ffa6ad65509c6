"""`publish`: a run or a comparison as a site, which any server of files can show and which computes its maps itself."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attention.errors import AttentionError, InvalidRequest, shortened

from .help import add_command
from .output import add_output, print_json
from .progress import Progress

SPACE = "space:"
EXAMPLES = (
    "python -m attention publish star --to star-site",
    "python -m attention publish star --to star-site --layer 3 --head 1",
    "python -m attention publish star --to space:OWNER/NAME",
)
ABOUT = (
    "The page shows any row, column and head: it fetches queries and keys by their place in the files and computes "
    "there. To look at a folder: python -m http.server --directory FOLDER. space:OWNER/NAME sends it to a static Space "
    "of the Hub, with your login (hf auth login), private until you make it public."
)
CARD = """---
title: {title}
sdk: static
tags: [attention, vision-language, vlm-attention-viz]
---

{holds} Pictures, question and answer are part of it.
"""


def add_publish(commands) -> None:
    parser = add_command(
        commands, "publish", "write a run or a comparison as a site that computes every map in the browser", EXAMPLES,
        "RUN --to FOLDER", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_publish)
    group = parser.add_argument_group("site", "What is published, and where to.")
    group.add_argument("run", metavar="RUN", help="folder of a finished run, or of a comparison")
    group.add_argument(
        "--to", required=True, metavar="FOLDER|space:ID", help="new folder, or a static Space of the Hub"
    )
    group = parser.add_argument_group("view", "Where it opens.")
    group.add_argument("--layer", type=int, metavar="N", help="at which layer (default: mean)")
    group.add_argument("--head", type=int, metavar="N", help="at which head (default: mean)")
    group.add_argument("--query", type=int, metavar="N", help="at which row (default: that which predicts the answer)")
    add_output(parser)


def _publish(options) -> int:
    from attention.exports.site import write_site
    from attention.folders import check, open_folder
    from attention.runs.selection import select

    view = {"layer": options.layer, "head": options.head, "query": options.query}
    progress = Progress(options.quiet or options.json)
    with open_folder(options.run) as found, _folder(options.to) as folder:
        check(found)  # it may be anybody's, and its names become files
        base = found.run("base") if found.kind == "comparison" else found
        select(base, layer=options.layer, head=options.head, query=options.query).values()  # refuses what is not there
        written = write_site(found, folder, view, lambda done, total: progress.count("Writing layers", done - 1, total))
        progress.end()
        place = options.to
        if options.to.startswith(SPACE):
            title = shortened(base.info.get("prompt") or found.info["id"], 60)
            place = _send(
                folder, options.to.removeprefix(SPACE), CARD.format(title=_quoted(title), holds=written.holds)
            )
    if options.json:
        print_json({"kind": "site", "folder": place, "bytes": written.n_bytes, "holds": written.holds})
        return 0
    progress.say(written.holds)
    print(place)
    return 0


@contextlib.contextmanager
def _folder(to: str) -> Iterator[Path]:
    """The folder to write: the one that is named, or one that goes once it was sent."""
    if not to.startswith(SPACE):
        yield Path(to)
        return
    if to.count("/") != 1 or not all(to.removeprefix(SPACE).split("/")):
        raise InvalidRequest(f"{shortened(to)} is no Space. Name it space:OWNER/NAME.")
    with tempfile.TemporaryDirectory() as place:
        yield Path(place) / "site"


def _send(folder: Path, repo_id: str, card: str) -> str:
    """Send a folder to a static Space, which is made where there is none; return its address."""
    from huggingface_hub import HfApi

    from attention.exports.site import INDEX, RUN
    from attention.models.download import cause_of

    (folder / "README.md").write_text(card, encoding="utf-8")
    api: Any = HfApi()
    try:
        is_new = not api.repo_exists(repo_id, repo_type="space")
        if is_new:
            api.create_repo(repo_id, repo_type="space", space_sdk="static", private=True)
        elif not api.file_exists(repo_id, INDEX, repo_type="space"):
            raise InvalidRequest(f"The Space {shortened(repo_id)} holds something else. Name a new one.")
        api.upload_folder(
            repo_id=repo_id, repo_type="space", folder_path=folder, commit_message="A run with its attention",
            delete_patterns=[f"{RUN}/*", "viewer/*"],
        )  # fmt: skip
    except AttentionError:
        raise
    except Exception as error:  # noqa: BLE001 - the Hub's libraries fail in many ways
        raise AttentionError(
            f"The site could not be sent to {shortened(repo_id)} ({cause_of(error)}). Log in with hf auth login, and "
            "check that you may write there."
        ) from None
    return f"https://huggingface.co/spaces/{repo_id}"


def _quoted(text: str) -> str:
    """A text as YAML takes it in one line."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)

"""Adapters that can be chosen for a base model, and the one that a person chose.

Owns the four places where adapters are (bundled, below a folder, listed by the Hub, typed) and which of them a choice
means: a path is only what is written as one, so that nothing in the working directory is taken for an id of the Hub.
Reads configs and headers; never a weight.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from attention.environment import POCKET, POCKET_ID
from attention.errors import AdapterRefused, AdapterUnavailable, AttentionError, InvalidRequest, quoted, shortened
from attention.limits import MAX_ADAPTER_CONFIG_BYTES, MAX_ADAPTER_SCALE, MAX_FOLDER_DEPTH, MAX_FOLDERS
from attention.models.download import HUB_ID, Watch
from attention.models.hub_login import HubLogin

from . import hub
from .base_names import is_base
from .files import AdapterFiles, parse_config, read_folder
from .no_adapter import CONFIG, WEIGHTS, has_no_weights
from .weights_beside import SUFFIXES

BUNDLED = POCKET / "adapters"
MAX_BROKEN = 3  # folders that are named one by one
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
SCALED = re.compile(r"(.*)=\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf|infinity))\s*", re.I | re.S)


@dataclass(frozen=True)
class Offer:
    """An adapter that can be chosen, by its `id`.

    `source` is `bundled`, `folder` or `hub`. Checkpoints of one training share a `series` and have a `step`. `note`
    says in a few words what should be known before it is chosen.
    """

    id: str
    label: str
    source: str
    series: str | None = None
    step: int | None = None
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields, as JSON has them."""
        return asdict(self)


def offered_adapters(
    model_id: str, adapters_dir: Path | None = None, is_hosted: bool = False, ask_hub: bool = True
) -> tuple[list[Offer], list[str]]:
    """List what can be chosen for a base: bundled, then below `adapters_dir`, then the Hub's; and notes for the person.

    Never raises for what is broken or cannot be reached: that is what the sentences are for. Waits for the Hub a few
    seconds at most.
    """
    notes: list[str] = []
    offers = [Offer(name, f"{name} (bundled)", "bundled") for name in bundled_names(model_id)]
    if adapters_dir is not None:
        found, said = _below(Path(adapters_dir), model_id, is_hosted)
        offers += found
        notes += said
    if ask_hub and _is_on_hub(model_id):
        listed, sentence = hub.listed_adapters(model_id, is_hosted)
        offers += [Offer(each.id, each.id, "hub", note=_hub_note(each, model_id)) for each in listed]
        notes += [sentence] if sentence else []
    return offers, notes


def bundled_names(model_id: str) -> list[str]:
    """The adapters that come with the bundled model; none for another."""
    if model_id != POCKET_ID or not BUNDLED.is_dir():
        return []
    return sorted(folder.name for folder in BUNDLED.iterdir() if (folder / CONFIG).is_file())


def split_scale(text: str) -> tuple[str, float | None]:
    """`ADAPTER[=SCALE]` as the adapter and the scale, None where there is none.

    A number after the last `=` is the scale, also behind a path that has such a name: add `=1` there. Raises
    InvalidRequest for a scale that is not from 0 to 1.5, or without an adapter.
    """
    match = SCALED.fullmatch(text)
    if match is None:
        return text, None
    name, scale = match[1], float(match[2])
    if not name.strip():
        raise InvalidRequest(f"{quoted(text)} names no adapter. Write ADAPTER={match[2]}.")
    if not 0 <= scale <= MAX_ADAPTER_SCALE:
        raise InvalidRequest(
            f"The scale of an adapter is from 0 to {MAX_ADAPTER_SCALE}, not {match[2]} (in {quoted(text)}). "
            f"If that belongs to its name, write {shortened(text)}=1."
        )
    return name, scale


def short_name(text: str) -> str:
    """A choice as a list names it: of a path, the last folder and the one that it is in."""
    if not _is_path(text):
        return text
    return "/".join([part for part in re.split(r"[/\\]", text) if part not in ("", ".")][-2:]) or text


def find_adapter(
    adapter_id: str,
    model_id: str,
    adapters_dir: Path | None = None,
    is_hosted: bool = False,
    watch: Watch | None = None,
    login: HubLogin | None = None,
) -> AdapterFiles:
    """Read the config and the header of the adapter that `adapter_id` means; no weights of the Hub are downloaded.

    `owner/name[@revision]` is always an id of the Hub, a bare name a bundled adapter, and whatever else has a slash a
    folder. `is_hosted`: folders only below `adapters_dir`. `watch` and `login` as for `hub.find`.

    Raises InvalidRequest, AdapterUnavailable, AdapterRefused, and what `watch` raises.
    """
    if not isinstance(adapter_id, str) or not adapter_id.strip() or "\0" in adapter_id:
        raise InvalidRequest(f"{quoted(adapter_id)} names no adapter. {_choices(model_id, is_hosted)}")
    if _is_path(adapter_id):
        return _read_path(adapter_id, model_id, adapters_dir, is_hosted)
    if "/" in adapter_id:
        try:
            return hub.find(adapter_id, is_hosted, watch, login)
        except (AdapterUnavailable, InvalidRequest) as error:
            if not is_hosted and Path(adapter_id).is_dir():
                raise AdapterUnavailable(f"{error} The folder of that name here is ./{adapter_id}.") from None
            raise
    if adapter_id in bundled_names(model_id):
        return read_folder(BUNDLED / adapter_id, adapter_id)
    if adapter_id in bundled_names(POCKET_ID):
        raise InvalidRequest(
            f"The adapter {adapter_id} is for {POCKET_ID}, not for {model_id}. {_choices(model_id, is_hosted)}"
        )
    raise InvalidRequest(f"There is no adapter {quoted(adapter_id)}. {_choices(model_id, is_hosted)}")


def fetch_adapter(
    files: AdapterFiles, watch: Watch | None = None, is_hosted: bool = False, login: HubLogin | None = None
) -> AdapterFiles:
    """The adapter with its weights on this machine; one that is here is returned as it is. Raises as `hub.fetch`."""
    return files if files.folder is not None else hub.fetch(files, watch, is_hosted, login)


def _is_on_hub(model_id: str) -> bool:
    """As `attention.models.download.locate` takes it: a folder of that name comes first."""
    return bool(HUB_ID.fullmatch(model_id)) and not Path(model_id).is_dir()


def _hub_note(adapter: hub.Listed, model_id: str) -> str | None:
    notes = [f"made on {adapter.base}"] if adapter.base != model_id else []
    notes += ["gated"] if adapter.is_gated else []
    return ", ".join(notes) or None


# A folder that was named


def _is_path(text: str) -> bool:
    if text in (".", "..") or text.startswith(("./", "../", "/", "~")):
        return True
    return ("/" in text or "\\" in text) and not HUB_ID.fullmatch(text.partition("@")[0])


def _read_path(text: str, model_id: str, adapters_dir: Path | None, is_hosted: bool) -> AdapterFiles:
    """Read the folder; on a server only one below `adapters_dir`, saying the same of all others, there or not.

    There a path is from that folder on, as the list has it, so that nobody is shown where it lies.
    """
    try:
        if not is_hosted:
            return read_folder(Path(text).expanduser(), text)
        if adapters_dir is not None:
            root = Path(adapters_dir).resolve()
            folder = root / text
            folder = folder.parent if folder.is_file() else folder
            if (
                (folder / CONFIG).is_file()
                and _is_inside(root, folder)
                and all(_is_inside(root, file) for file in _read(folder))
            ):
                return read_folder(folder, _id_on_server(folder.resolve(), root))
    except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself, or the home of nobody
        reason = getattr(error, "strerror", None) or error
        raise AdapterUnavailable(f"The folder {quoted(text)} cannot be read: {reason}.") from None
    raise InvalidRequest(f"Folders of this server cannot be read ({quoted(text)}). {_choices(model_id, is_hosted)}")


def _read(folder: Path) -> list[Path]:
    """The files of an adapter's folder that are opened."""
    return [file for file in folder.glob("*") if file.name == CONFIG or file.suffix in SUFFIXES]


def _is_inside(root: Path, path: Path) -> bool:
    """True if a path, after all links, lies below a resolved folder."""
    return path.resolve().is_relative_to(root)


def _choices(model_id: str, is_hosted: bool) -> str:
    names = bundled_names(model_id)
    ways = [f"a bundled one ({', '.join(names)})"] if names else []
    ways += ["the id of one on the Hub (owner/name)", "one of the list" if is_hosted else "a folder (./folder)"]
    return f"Give {', '.join(ways[:-1])} or {ways[-1]}."


# What lies below a folder


def _below(folder: Path, model_id: str, is_hosted: bool) -> tuple[list[Offer], list[str]]:
    """The adapters below a folder, those for this base first, checkpoints of a series by their step."""
    root = folder.resolve()
    if not root.is_dir():
        return [], [f"There is no folder {folder.name if is_hosted else folder} to look for adapters in."]
    found: list[tuple[tuple[Any, ...], Offer]] = []
    broken: list[str] = []
    searched = 0
    for each in _folders(root):
        searched += 1
        if searched > MAX_FOLDERS:
            break
        try:
            if (each / CONFIG).is_file():
                found.append(_offer(each, root, model_id, is_hosted))
        except AttentionError as error:
            broken.append(str(error))
        except OSError as error:
            broken.append(f"{_label(each, root)} cannot be read: {error.strerror or error}.")
    called = folder.name if is_hosted else folder
    notes = broken[:MAX_BROKEN]
    if len(broken) > MAX_BROKEN:
        notes.append(f"{len(broken) - MAX_BROKEN} more folders of {called} hold no adapter that can be used.")
    if searched > MAX_FOLDERS:
        notes.append(f"Only the first {MAX_FOLDERS:,} folders of {called} were searched. Name one with fewer below it.")
    return [offer for _, offer in sorted(found, key=lambda pair: pair[0])], notes


def _folders(root: Path) -> Iterator[Path]:
    """A folder and those below it, the nearest first. Hidden ones are left out, and links: what they lead to inside is
    met on its own."""
    waiting = deque([(root, 0)])
    while waiting:
        folder, depth = waiting.popleft()
        yield folder
        if depth == MAX_FOLDER_DEPTH:
            continue
        try:
            children = sorted(folder.iterdir())
            waiting += [
                (child, depth + 1)
                for child in children
                if not child.name.startswith(".") and child.is_dir() and child.resolve() == child
            ]
        except (OSError, RuntimeError):
            continue  # a folder of somebody else, or one that is just being removed


def _offer(folder: Path, root: Path, model_id: str, is_hosted: bool) -> tuple[tuple[Any, ...], Offer]:
    """Offer of an adapter's folder, and its place in the list. Raises AttentionError or OSError."""
    label = _label(folder, root)
    config = _read_config(folder, root, label)
    match = CHECKPOINT.fullmatch(folder.name) if folder != root else None
    series, step = (_label(folder.parent, root), int(match[1])) if match is not None else (None, None)
    named = config.get("base_model_name_or_path")
    fits = is_base(named, model_id)
    note = f"for {str(named)[:100]}" if fits is False else "its base is not known" if fits is None else None
    last = float("inf")  # what a training leaves beside its checkpoints comes after them
    adapter_id = _id_on_server(folder, root) if is_hosted else str(folder)
    place = (fits is False, series or label, last if step is None else step)
    return place, Offer(adapter_id, label, "folder", series, step, note)


def _read_config(folder: Path, root: Path, label: str) -> dict[str, Any]:
    config, weights = folder / CONFIG, folder / WEIGHTS
    if not (_is_inside(root, config) and _is_inside(root, weights)):
        raise AdapterRefused(f"The files of {label} are links that lead out of {root.name}.")
    if not weights.is_file():
        raise has_no_weights(label, [file.name for file in folder.iterdir()])
    if config.stat().st_size > MAX_ADAPTER_CONFIG_BYTES:
        raise AdapterRefused(f"{CONFIG} of {label} is too large for an adapter's config.")
    return parse_config(config.read_bytes(), f"{CONFIG} of {label}")


def _label(folder: Path, root: Path) -> str:
    return root.name if folder == root else folder.relative_to(root).as_posix()


def _id_on_server(folder: Path, root: Path) -> str:
    """A path that tells nobody where the folder lies."""
    return "." if folder == root else f"./{folder.relative_to(root).as_posix()}"

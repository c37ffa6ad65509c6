"""Adapters on the Hugging Face Hub: which are listed for a base, what is in one, and then its weights.

Owns what is asked of the Hub and within which bounds, and by whose login. Everything is read at one commit, so that
what is loaded is what was looked at; which other weights a commit has beside the adapter is noted in the cache, where
these are not. Knows neither PEFT nor what makes an adapter fit.
"""

from __future__ import annotations

import json
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attention.errors import AdapterRefused, AdapterUnavailable, AttentionError, InvalidRequest
from attention.limits import HOSTED_ADAPTER_BYTES, MAX_ADAPTER_CONFIG_BYTES, MAX_ADAPTER_HEADER_BYTES
from attention.models.download import Download, Watch
from attention.models.hub_login import HubLogin

from .files import AdapterFiles, parse_config, read_folder, with_folder
from .hub_refusals import in_words, is_offline, is_unreachable, parse_id, parts, reason, status
from .hub_repository import COMMIT, Repository
from .no_adapter import CONFIG, WEIGHTS, has_no_weights, unavailable
from .safetensors_header import TensorRecord, parse_header
from .weights_beside import FileBeside, files_beside

LISTING_TIMEOUT_S = 5  # a page waits for the list; without it, it is still of use
KEPT_S = 600  # a list is not asked for again before; the Hub counts requests per address
FAILURE_KEPT_S = 60
MAX_LISTED = 50
MAX_LISTINGS = 64
HEADER_GUESS_BYTES = 128 << 10  # holds the header of most adapters, so that one request does


@dataclass(frozen=True)
class Listed:
    """An adapter as the Hub lists it; `base` is the name of the base that it says it was made for."""

    id: str
    base: str
    downloads: int
    is_gated: bool


def copies(model_id: str) -> list[str]:
    """The names under which adapters of a Hub model are filed: its own, and those of copies with the same shapes."""
    name = model_id.split("/")[1]
    unsloth = [f"unsloth/{name}{suffix}" for suffix in ("", "-bnb-4bit", "-unsloth-bnb-4bit")]
    return list(dict.fromkeys([model_id, *unsloth]))


# Which there are

_listings: dict[tuple[str, bool], tuple[float, list[Listed], str | None]] = {}  # when to ask again, and what was said
_asking = threading.Lock()  # whoever comes meanwhile wants the same answer
_now = time.monotonic


def listed_adapters(model_id: str, is_hosted: bool = False) -> tuple[list[Listed], str | None]:
    """The Hub's adapters for a base, most downloaded first, and a sentence where the Hub did not say all.

    Kept in memory for ten minutes. Only those with safetensors weights; `is_hosted`: only what everybody may read.
    """
    with _asking:
        due, adapters, sentence = _listings.get((model_id, is_hosted), (0.0, [], None))
        if _now() < due:
            return adapters, sentence
        fresh, error = _ask_for_adapters(model_id, is_hosted)
        sentence = _not_listed(model_id, error) if error else None
        adapters = fresh if fresh or error is None else adapters  # an old list is better than none
        if len(_listings) >= MAX_LISTINGS:
            _listings.clear()
        _listings[model_id, is_hosted] = (_now() + (FAILURE_KEPT_S if error else KEPT_S), adapters, sentence)
        return adapters, sentence


def _ask_for_adapters(model_id: str, is_hosted: bool) -> tuple[list[Listed], BaseException | None]:
    token = False if is_hosted else None  # strangers do not see what the server's login opens
    bases = copies(model_id)
    pool = ThreadPoolExecutor(len(bases), "adapters of the Hub")
    answers = [pool.submit(_list, base, token) for base in bases]
    wait(answers, LISTING_TIMEOUT_S)  # also a name server can be silent, which no request's own timeout ends
    pool.shutdown(wait=False)
    found: dict[str, Listed] = {}
    failed: BaseException | None = None
    for answer in answers:
        error = answer.exception() if answer.done() else TimeoutError("no answer")
        failed = failed or error
        for adapter in answer.result() if error is None else []:
            if not (is_hosted and adapter.is_gated):
                found.setdefault(adapter.id, adapter)
    return sorted(found.values(), key=lambda adapter: -adapter.downloads)[:MAX_LISTED], failed


def _list(base: str, token: bool | None) -> list[Listed]:
    """One page of the Hub's list. Not by `HfApi.list_models`: it has no timeout, and after a refusal waits minutes."""
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    response = get_session().get(
        f"{constants.ENDPOINT}/api/models",
        params={
            "filter": [f"base_model:adapter:{base}"],
            "sort": "downloads",
            "limit": MAX_LISTED,
            "expand": ["downloads", "gated", "siblings"],
        },
        headers=build_hf_headers(token=token),
        timeout=LISTING_TIMEOUT_S,
    )
    hf_raise_for_status(response)
    return [
        Listed(item["id"], base, int(item.get("downloads") or 0), bool(item.get("gated")))
        for item in response.json()
        if _is_usable(item)
    ]


def _is_usable(item: dict[str, Any]) -> bool:
    try:
        is_id = parse_id(item["id"]) is not None
    except InvalidRequest:
        return False
    if item.get("siblings") is None:  # a mirror may not say it; then choosing it will
        return is_id
    return is_id and {CONFIG, WEIGHTS} <= {sibling["rfilename"] for sibling in item["siblings"]}


def _not_listed(model_id: str, error: BaseException) -> str:
    if is_offline(error):
        return f"The Hub was not asked for adapters of {model_id}: this machine is set to work offline."
    if status(error) == 429:
        return (
            f"The Hub does not list all adapters of {model_id} now: it was asked too often. "
            "The id of one can still be typed."
        )
    return f"The Hub did not list all adapters of {model_id} ({reason(error)}). The id of one can still be typed."


# What is in one


def find(
    adapter_id: str, is_hosted: bool = False, watch: Watch | None = None, login: HubLogin | None = None
) -> AdapterFiles:
    """Read the config and the header of `owner/name[@revision]` at the commit that it stands for now.

    Nothing of the weights' values is downloaded. What is on this machine already is read from here, also where the Hub
    cannot be reached. `is_hosted`: only what everybody may read, asked of the Hub each time without any login, and no
    more than a server can keep. What the Hub refuses then is asked for by the visitor's own `login`; of that nothing
    is looked up here, nor noted. `watch` is called with zeros while it goes on; it may raise, to stop it.

    Raises InvalidRequest, AdapterUnavailable, AdapterRefused, and what `watch` raises.
    """
    repository, revision = parts(adapter_id)
    here = None
    if revision and COMMIT.fullmatch(revision) and not is_hosted:
        here = _cached(adapter_id, repository, revision)
    if here is not None and here.knows_all:
        return here
    hub = Repository(repository, token=False if is_hosted else None, watch=watch or (lambda *_: None))
    try:
        hub, commit, sizes = _reached(hub, revision, login)
    except AttentionError:
        raise
    except Exception as error:  # noqa: BLE001 - the Hub's library fails with errors of many others
        here = _cached(adapter_id, repository, revision) if is_unreachable(error) and not is_hosted else None
        if here is None:
            raise in_words(error, adapter_id, is_hosted, login) from None
        return here
    is_private = isinstance(hub.token, str)
    here = _cached(adapter_id, repository, commit) if not is_private else None
    if here is not None and here.knows_all:
        _keep_reference(repository, revision, commit)
        return here
    _check_files(adapter_id, list(sizes))
    try:
        if here is not None:
            beside = _beside(adapter_id, hub, commit, sizes, here.header)
            is_whole = _loadable(beside) == _loadable(here.beside)
            here = replace(here, beside=beside, knows_all=True)
            _keep_beside(repository, here)
            _keep_reference(repository, revision, commit)
            return here if is_whole else replace(here, folder=None, sha256=None)
        config, _ = hub.first_bytes(CONFIG, commit, MAX_ADAPTER_CONFIG_BYTES + 1)
        header, size = _header(adapter_id, hub, commit, WEIGHTS)
        beside = _beside(adapter_id, hub, commit, sizes, header)
    except AttentionError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        raise in_words(error, adapter_id, is_hosted, login) from None
    if len(config) > MAX_ADAPTER_CONFIG_BYTES:
        raise AdapterRefused(
            f"{CONFIG} of {adapter_id} is too large for an adapter's config: over {MAX_ADAPTER_CONFIG_BYTES:,} bytes."
        )
    whole = size + sum(file.size_bytes for file in beside if file.is_loadable)
    if is_hosted and whole > HOSTED_ADAPTER_BYTES:
        raise AdapterRefused(
            f"The weights of {adapter_id} are {whole / 1e9:.1f} GB, and this server takes "
            f"{HOSTED_ADAPTER_BYTES / 1e9:.1f} GB. Run the app on a machine of your own for it."
        )
    return AdapterFiles(
        adapter_id,
        parse_config(config, f"{CONFIG} of {adapter_id}"),
        header,
        size,
        commit,
        beside=beside,
        is_private=is_private,
    )


def _reached(hub: Repository, revision: str | None, login: HubLogin | None) -> tuple[Repository, str, dict[str, int]]:
    """The repository, by a visitor's own login where nobody's does not do; the commit; its files."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return (hub, *hub.readable(revision))
    except RepositoryNotFoundError:  # or gated, which is a kind of it
        if login is None or login.token is None:
            raise
    hub = replace(hub, token=login.token)
    return (hub, *hub.readable(revision))


def fetch(
    files: AdapterFiles, watch: Watch | None = None, is_hosted: bool = False, login: HubLogin | None = None
) -> AdapterFiles:
    """Download the files of an adapter that `find` has read, at the same commit: no pickle that lies beside it.

    `watch` is told of its bytes; `is_hosted`: without any login, or by the visitor's own into a folder of theirs.
    Raises AdapterUnavailable, AdapterRefused when they are not what was read before, and what `watch` raises.
    """
    repository, revision = parts(files.id)
    names = [CONFIG, WEIGHTS, *(file.name for file in files.parts if file.is_loadable)]
    if files.is_private:
        return _fetch_by_login(files, repository, names, watch, login)
    try:
        folder = Path(Download(repository, names, watch, files.revision, False if is_hosted else None).folder())
    except AttentionError:
        raise  # from `watch`
    except Exception as error:  # noqa: BLE001 - as in `find`
        raise AdapterUnavailable(
            f"The download of {files.id} did not come to its end ({reason(error)}). Try again."
        ) from None
    here = with_folder(files, folder)
    _keep_beside(repository, here)
    _keep_reference(repository, revision, files.revision)
    return here


def _fetch_by_login(
    files: AdapterFiles, repository: str, names: list[str], watch: Watch | None, login: HubLogin | None
) -> AdapterFiles:
    """The same by a visitor's own login, into a folder of theirs. The Hub's cache on this machine knows nothing of it.

    Not by the Hub's own downloads, which keep what they fetch, and notes of it, where others look.
    """
    assert login is not None and login.token is not None and login.folder is not None and files.revision is not None
    hub = Repository(repository, login.token, watch or (lambda *_: None))
    sizes = [MAX_ADAPTER_CONFIG_BYTES, files.size_bytes, *(file.size_bytes for file in files.parts if file.is_loadable)]
    try:
        with login.folder(repository, files.revision, sum(sizes)) as folder:
            done = 0
            for name, most in zip(names, sizes, strict=True):
                if not (folder / name).is_file():
                    hub.save(name, files.revision, folder / name, most, (done, sum(sizes)))
                done += (folder / name).stat().st_size
            return replace(with_folder(files, folder), is_private=True)
    except AttentionError:
        raise
    except Exception as error:  # noqa: BLE001 - as in `find`
        if status(error) in (401, 403, 404):  # what could be read a moment ago
            raise in_words(error, files.id, is_hosted=True, login=login) from None
        raise AdapterUnavailable(
            f"The download of {files.id} did not come to its end ({reason(error)}). Try again."
        ) from None


def _check_files(adapter_id: str, names: list[str]) -> None:
    if CONFIG not in names:
        raise unavailable(adapter_id, names)
    if WEIGHTS not in names:
        raise has_no_weights(adapter_id, names)


def _header(adapter_id: str, hub: Repository, commit: str, name: str) -> tuple[dict[str, TensorRecord], int]:
    """The tensors that a safetensors file has, and its bytes. Raises AdapterRefused."""
    start, size = hub.first_bytes(name, commit, HEADER_GUESS_BYTES)
    length = struct.unpack("<Q", start[:8])[0] if len(start) >= 8 else 0
    if not 0 < length <= min(MAX_ADAPTER_HEADER_BYTES, size - 8):
        raise AdapterRefused(f"{name} of {adapter_id} is not a safetensors file: its header does not fit into it.")
    if len(start) < 8 + length:
        start, _ = hub.first_bytes(name, commit, 8 + length)
    return parse_header(start[8 : 8 + length], f"{name} of {adapter_id}", size - 8 - length), size


def _beside(
    adapter_id: str, hub: Repository, commit: str, sizes: dict[str, int], own: dict[str, TensorRecord]
) -> tuple[FileBeside, ...]:
    """The files with other trained weights that a commit has."""
    return files_beside(
        sizes.items(),
        lambda name: _header(adapter_id, hub, commit, name)[0],
        lambda name: hub.first_bytes(name, commit, HEADER_GUESS_BYTES)[0],
        own,
    )


# On this machine


def _cached(adapter_id: str, repository: str, revision: str | None) -> AdapterFiles | None:
    """The adapter from the Hub's own cache on this machine, if both of its files are there.

    Which other weights the commit has is known if it was noted.
    """
    from huggingface_hub import try_to_load_from_cache

    files = [try_to_load_from_cache(repository, name, revision=revision) for name in (CONFIG, WEIGHTS)]
    if not all(isinstance(file, str) for file in files):
        return None
    folder = Path(files[0]).parent
    here = read_folder(folder, adapter_id, folder.name)
    try:
        noted = json.loads(_note_of_beside(repository, folder.name).read_text(encoding="utf-8"))
        beside = tuple(FileBeside.from_dict(record) for record in noted)
    except (OSError, ValueError, KeyError, TypeError):
        return replace(here, knows_all=False)
    return replace(here, beside=beside) if _loadable(beside) == _loadable(here.beside) else None


def _loadable(beside: tuple[FileBeside, ...]) -> list[FileBeside]:
    return [file for file in beside if file.is_loadable]


def _note_of_beside(repository: str, commit: str | None) -> Path:
    return _storage(repository) / "weights_beside" / f"{commit}.json"


def _keep_beside(repository: str, files: AdapterFiles) -> None:
    """Note in the cache which other weights a commit has: those that are not downloaded could not be known later."""
    _write(_note_of_beside(repository, files.revision), json.dumps([file.to_dict() for file in files.beside]))


def _storage(repository: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE).expanduser() / repo_folder_name(repo_id=repository, repo_type="model")


def _write(file: Path, content: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_name(f"{file.name}.{threading.get_ident()}.tmp")
        written.write_text(content, encoding="utf-8")
        written.replace(file)
    except OSError:
        pass  # a cache that cannot be written; the Hub can be asked again


def _keep_reference(repository: str, revision: str | None, commit: str | None) -> None:
    """Note in the cache which commit a name stood for, as a download by that name does: offline, it is looked up."""
    from huggingface_hub import constants

    if commit is not None and revision != commit:
        _write(_storage(repository) / "refs" / (revision or constants.DEFAULT_REVISION), commit)

"""Adapters on the Hugging Face Hub: which are listed for a base, what is in one, and then its weights.

Owns ids and revisions, what is asked of the Hub and within which bounds, and the Hub's refusals in words. Everything is
read at one commit, so that what is loaded is what was looked at; which other weights a commit has beside the adapter is
noted in the cache, where these are not. Knows neither PEFT nor what makes an adapter fit.
"""

from __future__ import annotations

import json
import re
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attention.errors import AdapterRefused, AdapterUnavailable, AttentionError, InvalidRequest, quoted
from attention.limits import HOSTED_ADAPTER_BYTES, MAX_ADAPTER_CONFIG_BYTES, MAX_ADAPTER_HEADER_BYTES
from attention.models.download import HUB_ID, Download, Watch, cause_of

from .files import AdapterFiles, parse_config, read_folder, with_folder
from .no_adapter import CONFIG, WEIGHTS, has_no_weights, unavailable
from .safetensors_header import TensorRecord, parse_header
from .weights_beside import FileBeside, files_beside

TIMEOUT_S = 10  # to connect, and between two pieces of an answer
LISTING_TIMEOUT_S = 5  # a page waits for the list; without it, it is still of use
KEPT_S = 600  # a list is not asked for again before; the Hub counts requests per address
FAILURE_KEPT_S = 60
MAX_LISTED = 50
MAX_LISTINGS = 64
HEADER_GUESS_BYTES = 128 << 10  # holds the header of most adapters, so that one request does
COMMIT = re.compile(r"[0-9a-f]{40}")
REVISION = re.compile(r"(?!.*\.\.)\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)


@dataclass(frozen=True)
class Listed:
    """An adapter as the Hub lists it; `base` is the name of the base that it says it was made for."""

    id: str
    base: str
    downloads: int
    is_gated: bool


def parse_id(text: str) -> tuple[str, str | None] | None:
    """The repository and the revision of `owner/name[@revision]`; None for what does not look like that.

    Raises InvalidRequest for what does, and is no id that the Hub can have.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    repository, at, revision = text.partition("@")
    if not HUB_ID.fullmatch(repository):
        return None
    try:
        validate_repo_id(repository)
    except HFValidationError:
        raise InvalidRequest(
            f"{quoted(repository)} is not an id of the Hub. Write it as owner/name, in letters, digits, '-', "
            "'_' and '.'."
        ) from None
    if at and not (len(revision) <= 255 and REVISION.fullmatch(revision)):
        raise InvalidRequest(
            f"{quoted(revision)} is not a revision of {repository}. Write a branch, a tag or a commit after the @."
        )
    return repository, revision or None


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
    if _is_offline(error):
        return f"The Hub was not asked for adapters of {model_id}: this machine is set to work offline."
    if _status(error) == 429:
        return (
            f"The Hub does not list all adapters of {model_id} now: it was asked too often. "
            "The id of one can still be typed."
        )
    return f"The Hub did not list all adapters of {model_id} ({_reason(error)}). The id of one can still be typed."


# What is in one


def find(adapter_id: str, is_hosted: bool = False, watch: Watch | None = None) -> AdapterFiles:
    """Read the config and the header of `owner/name[@revision]` at the commit that it stands for now.

    Nothing of the weights' values is downloaded. What is on this machine already is read from here, also where the Hub
    cannot be reached. `is_hosted`: only what everybody may read, asked of the Hub each time without any login, and no
    more than a server can keep. `watch` is called with zeros while it goes on; it may raise, to stop it.

    Raises InvalidRequest, AdapterUnavailable, AdapterRefused, and what `watch` raises.
    """
    repository, revision = _parts(adapter_id)
    here = None
    if revision and COMMIT.fullmatch(revision) and not is_hosted:
        here = _cached(adapter_id, repository, revision)
    if here is not None and here.knows_all:
        return here
    hub = _Repository(repository, token=False if is_hosted else None, watch=watch or (lambda *_: None))
    try:
        commit, sizes = hub.commit_and_files(revision)
        if is_hosted and CONFIG in sizes:  # of a gated repository everybody may see which files it has
            hub.first_bytes(CONFIG, commit, 1)
    except AttentionError:
        raise
    except Exception as error:  # noqa: BLE001 - the Hub's library fails with errors of many others
        here = _cached(adapter_id, repository, revision) if _is_unreachable(error) and not is_hosted else None
        if here is None:
            raise _in_words(error, adapter_id, is_hosted) from None
        return here
    here = _cached(adapter_id, repository, commit)
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
        raise _in_words(error, adapter_id, is_hosted) from None
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
    )


def fetch(files: AdapterFiles, watch: Watch | None = None, is_hosted: bool = False) -> AdapterFiles:
    """Download the files of an adapter that `find` has read, at the same commit: no pickle that lies beside it.

    `watch` is told of its bytes; `is_hosted`: without any login. Raises AdapterUnavailable, AdapterRefused when they
    are not what was read before, and what `watch` raises.
    """
    repository, revision = _parts(files.id)
    try:
        names = [CONFIG, WEIGHTS, *(file.name for file in files.parts if file.is_loadable)]
        folder = Path(Download(repository, names, watch, files.revision, False if is_hosted else None).folder())
    except AttentionError:
        raise  # from `watch`
    except Exception as error:  # noqa: BLE001 - as in `find`
        raise AdapterUnavailable(
            f"The download of {files.id} did not come to its end ({_reason(error)}). Try again."
        ) from None
    here = with_folder(files, folder)
    _keep_beside(repository, here)
    _keep_reference(repository, revision, files.revision)
    return here


def _parts(adapter_id: str) -> tuple[str, str | None]:
    parts = parse_id(adapter_id)
    if parts is None:
        raise InvalidRequest(
            f"{quoted(adapter_id)} is not an id of the Hub. Write it as owner/name or owner/name@revision."
        )
    return parts


@dataclass(frozen=True)
class _Repository:
    """Access to a repository: with which login (None: this machine's, False: none), and who may stop it."""

    name: str
    token: bool | None
    watch: Watch

    def commit_and_files(self, revision: str | None) -> tuple[str, dict[str, int]]:
        """The commit that a revision stands for now, and its files: {name: bytes}."""
        from huggingface_hub import HfApi

        self.watch(0, 0)
        info = HfApi(token=self.token).model_info(self.name, revision=revision, timeout=TIMEOUT_S, files_metadata=True)
        if not COMMIT.fullmatch(info.sha or ""):
            raise AdapterUnavailable(f"The Hub does not say which commit of {self.name} it has. Try again later.")
        return info.sha, {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}

    def first_bytes(self, file: str, commit: str, count: int) -> tuple[bytes, int]:
        """The first `count` bytes of a file, and its size. A server that sends more is not listened to any longer."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        self.watch(0, 0)
        headers = {"Range": f"bytes=0-{count - 1}", "Accept-Encoding": "identity"}
        content = bytearray()
        with get_session().stream(
            "GET",
            hf_hub_url(self.name, file, revision=commit),
            headers=build_hf_headers(token=self.token) | headers,
            timeout=TIMEOUT_S,
        ) as response:
            hf_raise_for_status(response)
            part_of = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
            size = int(part_of[1] if part_of else response.headers.get("Content-Length", 0))
            for chunk in response.iter_bytes():
                self.watch(0, 0)
                content += chunk
                if len(content) >= count:
                    break
        return bytes(content[:count]), size


def _check_files(adapter_id: str, names: list[str]) -> None:
    if CONFIG not in names:
        raise unavailable(adapter_id, names)
    if WEIGHTS not in names:
        raise has_no_weights(adapter_id, names)


def _header(adapter_id: str, hub: _Repository, commit: str, name: str) -> tuple[dict[str, TensorRecord], int]:
    """The tensors that a safetensors file has, and its bytes. Raises AdapterRefused."""
    start, size = hub.first_bytes(name, commit, HEADER_GUESS_BYTES)
    length = struct.unpack("<Q", start[:8])[0] if len(start) >= 8 else 0
    if not 0 < length <= min(MAX_ADAPTER_HEADER_BYTES, size - 8):
        raise AdapterRefused(f"{name} of {adapter_id} is not a safetensors file: its header does not fit into it.")
    if len(start) < 8 + length:
        start, _ = hub.first_bytes(name, commit, 8 + length)
    return parse_header(start[8 : 8 + length], f"{name} of {adapter_id}", size - 8 - length), size


def _beside(
    adapter_id: str, hub: _Repository, commit: str, sizes: dict[str, int], own: dict[str, TensorRecord]
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


# In words


def _in_words(error: Exception, adapter_id: str, is_hosted: bool) -> AdapterUnavailable:
    from huggingface_hub import errors

    repository, revision = _parts(adapter_id)
    if isinstance(error, errors.GatedRepoError):
        way = (
            "Choose one that is open"
            if is_hosted
            else "Accept its terms on huggingface.co and log in with `hf auth login`"
        )
        return AdapterUnavailable(f"{repository} is gated. {way}.")
    if isinstance(error, errors.RepositoryNotFoundError):
        way = "Check the spelling" if is_hosted else "Check the spelling, or log in"
        return AdapterUnavailable(f"There is no adapter {repository} on the Hub, or it is private. {way}.")
    if isinstance(error, errors.RevisionNotFoundError):
        return AdapterUnavailable(
            f"{repository} has no revision {quoted(revision)} on the Hub. Give a branch, a tag or a commit of it."
        )
    if isinstance(error, errors.DisabledRepoError):
        return AdapterUnavailable(f"{repository} was disabled on the Hub. Choose another adapter.")
    if isinstance(error, errors.EntryNotFoundError):
        return AdapterUnavailable(f"{repository} does not have the files that the Hub lists. Try again later.")
    if _status(error) == 429:
        return AdapterUnavailable(
            f"{adapter_id} is not on this machine, and the Hub was asked too often. Try again in some minutes."
        )
    way = "Try again later" if is_hosted else "Check the connection, or give a local folder"
    return AdapterUnavailable(
        f"{adapter_id} is not on this machine and the Hub cannot be reached ({_reason(error)}). {way}."
    )


def _is_offline(error: BaseException) -> bool:
    from huggingface_hub.errors import OfflineModeIsEnabled

    return isinstance(error, OfflineModeIsEnabled)


def _is_unreachable(error: BaseException) -> bool:
    """True if the Hub did not answer, or not now; what it refuses stays refused."""
    status = _status(error)
    return status is None or status == 429 or status >= 500


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _reason(error: BaseException) -> str:
    status = _status(error)
    return cause_of(error) if status is None else f"it answered {status}"

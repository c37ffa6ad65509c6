"""Ids of the Hub, and its refusals in words: of a person's own login, of a visitor's, and of nobody's."""

from __future__ import annotations

import re

from attention.errors import AdapterUnavailable, InvalidRequest, quoted
from attention.models.download import HUB_ID, cause_of
from attention.models.hub_login import WAYS, HubLogin

REVISION = re.compile(r"(?!.*\.\.)\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)


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


def parts(adapter_id: str) -> tuple[str, str | None]:
    """The same, where nothing but an id of the Hub will do. Raises InvalidRequest."""
    found = parse_id(adapter_id)
    if found is None:
        raise InvalidRequest(
            f"{quoted(adapter_id)} is not an id of the Hub. Write it as owner/name or owner/name@revision."
        )
    return found


def in_words(error: Exception, adapter_id: str, is_hosted: bool, login: HubLogin | None = None) -> AdapterUnavailable:
    """The refusal of a failed request for an adapter: what it was, and what to do. `login` where one is offered."""
    from huggingface_hub import errors

    repository, revision = parts(adapter_id)
    if login is not None and (said := _of_login(error, repository, login)):
        return AdapterUnavailable(said)
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
    if status(error) == 429:
        return AdapterUnavailable(
            f"{adapter_id} is not on this machine, and the Hub was asked too often. Try again in some minutes."
        )
    way = "Try again later" if is_hosted else "Check the connection, or give a local folder"
    return AdapterUnavailable(
        f"{adapter_id} is not on this machine and the Hub cannot be reached ({reason(error)}). {way}."
    )


def _of_login(error: Exception, repository: str, login: HubLogin) -> str | None:
    """A sentence on what a visitor's own login may not read, or could; None where it is not about that."""
    from huggingface_hub import errors

    if isinstance(error, errors.DisabledRepoError):
        return None
    is_gated, is_away = (isinstance(error, kind) for kind in (errors.GatedRepoError, errors.RepositoryNotFoundError))
    if login.token is None:
        if is_gated:
            return f"{repository} is gated. Log in with an account that may read it, {WAYS}."
        if is_away:
            return (
                f"There is no adapter {repository} on the Hub that everybody may read. Check the spelling; if it is "
                f"private or gated, log in with an account that may read it, {WAYS}."
            )
        return None
    if status(error) == 401:
        return f"The Hub does not take your login any more. Log in again, {WAYS}."
    if is_gated:
        return (
            f"{repository} is gated, and your account has no access to it. Ask for it on its page, "
            f"https://huggingface.co/{repository}; if you have it, log in again and allow this app to read gated "
            "repositories."
        )
    if is_away:
        return (
            f"There is no adapter {repository} on the Hub that your account may read. Check the spelling, or ask its "
            "owner; one of an organization can be read where you allow that as you log in."
        )
    if status(error) == 403:
        return f"Your login does not let this app read {repository}. Log in again and allow it, {WAYS}."
    return None


def is_offline(error: BaseException) -> bool:
    """True if this machine is set to ask nobody."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    return isinstance(error, OfflineModeIsEnabled)


def is_unreachable(error: BaseException) -> bool:
    """True if the Hub did not answer, or not now; what it refuses stays refused."""
    code = status(error)
    return code is None or code == 429 or code >= 500


def status(error: BaseException) -> int | None:
    """The status of the Hub's answer; None where none came."""
    return getattr(getattr(error, "response", None), "status_code", None)


def reason(error: BaseException) -> str:
    """A few words on why there is no answer."""
    code = status(error)
    return cause_of(error) if code is None else f"it answered {code}"

"""Accounts of a file, and addresses below which a proxy has the app: taken, or refused with the reason."""

import os

import pytest

from attention.errors import InvalidRequest
from attention.serving.access import checked_root_path
from attention.serving.login import read_accounts


def accounts(tmp_path, text, mode=0o600):
    file = tmp_path / "team.txt"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return read_accounts(file)


def test_accounts_are_lines_of_name_and_password(tmp_path):
    text = "# the team\nada: love:lace\n\n zoë:ö #1\n"
    assert accounts(tmp_path, text) == [("ada", " love:lace"), ("zoë", "ö #1")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no account"), ("ada", "Line 1"), ("a:b\n:c", "Line 2"), ("a:", "Line 1"), ("a:b\na:c", "each name once")],
)
def test_what_is_no_account_is_refused(tmp_path, text, reason):
    with pytest.raises(InvalidRequest, match=reason):
        accounts(tmp_path, text)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a file's mode does not say who may read it")
def test_passwords_that_others_may_read_are_refused(tmp_path):
    with pytest.raises(InvalidRequest, match="chmod 600"):
        accounts(tmp_path, "a:b", mode=0o640)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_accounts(tmp_path / "none")


@pytest.mark.parametrize(
    ("said", "root", "names"),
    [
        ("", "", []),
        ("/", "", []),
        ("/lens/", "/lens", []),
        ("https://Lab.Example:8443/lens/", "https://Lab.Example:8443/lens", ["lab.example"]),
    ],
)
def test_a_root_path_is_a_path_or_an_address(said, root, names):
    assert checked_root_path(said) == (root, names)


@pytest.mark.parametrize(
    "said", ["lens", "//evil.example/lens", "ftp://lab.example", "https://", "/a?b", "http://[x", "/a b"]
)
def test_another_root_path_is_refused(said):
    with pytest.raises(InvalidRequest, match="root path"):
        checked_root_path(said)

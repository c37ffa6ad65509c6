"""An address is the one that was seen from outside, whatever a sender has written before it."""

import pytest
from starlette.datastructures import Headers

from attention.client_address import address_of


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("1.1.1.1, 8.8.8.8", "8.8.8.8"),
        ("8.8.8.8, 10.0.3.4, 172.16.0.1", "8.8.8.8"),
        ("10.0.0.7", "10.0.0.7"),
        ("nonsense, 192.168.1.5", "192.168.1.5"),
        ("8.8.8.8:5150", "8.8.8.8"),
        ("2600:1f18:1:2:3:4:5:6", "2600:1f18:1:2::/64"),
        ("2600:1f18:1:2:ffff::1", "2600:1f18:1:2::/64"),
        ("[2600:1f18:1:2::9]:443", "2600:1f18:1:2::/64"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("9.9.9.9, " * 500 + "8.8.8.8", "8.8.8.8"),
        ("", "127.0.0.1"),
        ("<script>", "127.0.0.1"),
    ],
)
def test_the_last_address_that_was_seen_from_outside_counts(header, expected):
    assert address_of({"x-forwarded-for": header}, ("127.0.0.1", 5)) == expected


def test_a_line_that_a_proxy_writes_below_the_senders_counts():
    lines = [(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"8.8.8.8")]
    assert address_of(Headers(raw=lines), ("127.0.0.1", 5)) == "8.8.8.8"


def test_without_any_there_is_a_common_one():
    assert address_of({}) == address_of({"x-forwarded-for": "?"}, ("testclient", 1)) == "?"

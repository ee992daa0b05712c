from __future__ import annotations

import pytest

from natcore.errors import MisuseError
from natcore.stun import PasswordAlgorithmId, long_term_key, short_term_key, user_hash
from natcore.stun.integrity import opaque_string


def test_a_short_term_key_is_the_password() -> None:
    assert short_term_key("VOkJxbRl1RmTxUk/WvJxBt") == b"VOkJxbRl1RmTxUk/WvJxBt"


def test_a_long_term_key_is_the_md5_of_user_realm_and_password() -> None:
    # RFC 8489 section 9.2.2's own example
    key = long_term_key("user", "realm", "pass")
    assert key.hex() == "8493fbc53ba582fb4c044c456bdc40eb"


def test_a_long_term_key_by_sha256_has_32_bytes() -> None:
    assert len(long_term_key("user", "realm", "pass", PasswordAlgorithmId.SHA256)) == 32


def test_a_user_hash_is_the_sha256_of_user_and_realm() -> None:
    expected = "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
    assert user_hash("\u30de\u30c8\u30ea\u30c3\u30af\u30b9", "example.org").hex() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ASCII, ~ included", "plain ASCII, ~ included"),
        ("no\u00a0break\u3000space", "no break space"),
        ("e\u0301", "\u00e9"),
        ("\u2168", "\u2168"),  # compatibility characters stay: NFC, not NFKC as in SASLprep
    ],
)
def test_credentials_are_mapped_as_opaque_strings(text: str, expected: str) -> None:
    assert opaque_string(text) == expected.encode()


@pytest.mark.parametrize("text", ["", "\ud800"])
def test_an_empty_or_unencodable_credential_is_misuse(text: str) -> None:
    with pytest.raises(MisuseError, match="credential"):
        short_term_key(text)

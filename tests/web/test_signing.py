"""Signed values hold for one key, one purpose and one value."""

from hypothesis import given
from hypothesis import strategies as st

from replicate.web.signing import form_token, form_token_holds, signed, unsigned

VALUES = st.text(alphabet="ABCDEFXYZabcxyz0189-_", min_size=1, max_size=40)


@given(VALUES, VALUES)
def test_only_what_was_signed_is_read(value: str, other: str) -> None:
    text = signed(b"key", "worker", value)
    assert unsigned(b"key", "worker", text) == value
    assert unsigned(b"other", "worker", text) is None
    assert unsigned(b"key", "page", text) is None
    forged = other + text[len(value) :]
    assert (unsigned(b"key", "worker", forged) is None) == (other != value)


@given(st.text(max_size=60))
def test_any_text_can_be_offered(text: str) -> None:
    assert unsigned(b"key", "worker", text) is None
    assert not form_token_holds(b"key", "A1", text)


def test_form_tokens_belong_to_their_session() -> None:
    assert form_token_holds(b"key", "A1", form_token(b"key", "A1"))
    assert not form_token_holds(b"key", "A2", form_token(b"key", "A1"))

"""Sessions: only what was begun with a key's own secret is resumed, and only for some hours."""

from hypothesis import given
from hypothesis import strategies as st

from replicate.web.sessions import HOURS, begin, named_in, resume

NOW = 1.8e9


def test_a_session_holds_from_its_beginning_for_some_hours() -> None:
    session = begin(b"k", "KEY1", "secret", NOW)
    for later in (0.0, 1.0, HOURS * 3600 - 1):
        assert resume(b"k", "secret", session.cookie, NOW + later) == session
    for later in (-1.0, HOURS * 3600, 10 * HOURS * 3600):
        assert resume(b"k", "secret", session.cookie, NOW + later) is None
    assert named_in(session.cookie) == "KEY1"


def test_a_session_is_of_one_server_one_key_and_one_sign_in() -> None:
    session = begin(b"k", "KEY1", "secret", NOW)
    assert resume(b"other", "secret", session.cookie, NOW) is None
    assert resume(b"k", "other", session.cookie, NOW) is None
    again = begin(b"k", "KEY1", "secret", NOW)
    assert again.cookie != session.cookie
    assert session.holds(session.form_token)
    assert not session.holds(again.form_token)
    assert not session.holds("")


def test_signing_out_ends_what_began_before() -> None:
    before, after = begin(b"k", "A", "s", NOW), begin(b"k", "A", "s", NOW + 1)
    ended = int(NOW * 1000)
    assert resume(b"k", "s", before.cookie, NOW + 2, ended) is None
    assert resume(b"k", "s", after.cookie, NOW + 2, ended) == after


@given(st.text(max_size=80))
def test_any_cookie_can_be_offered(cookie: str) -> None:
    assert resume(b"k", "secret", cookie, NOW) is None

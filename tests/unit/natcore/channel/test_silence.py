from __future__ import annotations

from natcore.channel.silence import QUIET, SILENCE, Silence


def test_who_listens_checks_once_after_the_last_data() -> None:
    silence = Silence()
    silence.broken(1.0)
    silence.broken(1.5)
    assert silence.get_timer() == 1.5 + SILENCE
    assert not silence.take_due(1.49 + SILENCE)
    assert silence.take_due(1.5 + SILENCE)
    assert not silence.take_due(1.5 + SILENCE)
    assert silence.get_timer() is None


def test_who_has_heard_no_data_has_nothing_to_check_for() -> None:
    silence = Silence()
    silence.path_found(1.0)
    assert silence.get_timer() is None
    assert not silence.take_due(1e9)


def test_a_new_path_leaves_the_check_that_is_due_as_it_is() -> None:
    silence = Silence()
    silence.broken(1.0)
    silence.path_found(1.5)
    assert silence.get_timer() == 1.0 + SILENCE


def test_who_sends_checks_where_nothing_was_heard_for_a_while() -> None:
    silence = Silence()
    silence.path_found(1.0)
    assert not silence.is_long_for_sender(1.0 + 0.9 * QUIET)
    assert silence.is_long_for_sender(1.0 + 1.1 * QUIET)
    silence.broken(2.0)
    assert not silence.is_long_for_sender(2.0 + 0.9 * QUIET)
    assert silence.is_long_for_sender(2.0 + 1.1 * QUIET)

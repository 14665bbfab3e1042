import time

import pytest

from volplugin.backends.kind import BackendError
from volplugin.backends.programs import run


def test_a_program_is_told_how_it_ended_and_what_it_said() -> None:
    ended = run(["sh", "-c", "cat; echo; echo one >&2; echo two >&2; exit 3"], 5, stdin="in")

    assert (3, "in\n", "one; two") == (ended.code, ended.output, ended.words)


def test_what_it_printed_is_what_it_said_where_it_had_no_errors() -> None:
    assert "fine" == run(["echo", "fine"], 5).words


def test_words_are_no_shell() -> None:
    assert "$(reboot) ; x\n" == run(["echo", "$(reboot) ; x"], 5).output


def test_one_that_does_not_end_is_killed_with_those_it_started() -> None:
    began = time.monotonic()

    with pytest.raises(BackendError, match=r"sh did not end within 0\.2 s"):
        run(["sh", "-c", "sleep 60 & sleep 60"], 0.2)

    assert time.monotonic() - began < 20


def test_one_that_is_not_there_is_named() -> None:
    with pytest.raises(BackendError, match="no-such-program is not installed on this host"):
        run(["no-such-program"], 5)

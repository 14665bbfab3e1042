import json
import logging
import subprocess
import sys
import warnings

import pytest
import structlog

from daemonkit import log

pytestmark = pytest.mark.usefixtures("logs_as_they_were")


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    captured = capsys.readouterr()
    assert not captured.out
    return [json.loads(line) for line in captured.err.splitlines()]


def test_an_event_is_a_json_line_with_time_level_daemon_and_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json", "netplugin")
    structlog.get_logger().info("port added", port="mv1")

    (event,) = events(capsys)
    assert {"event": "port added", "port": "mv1", "level": "info", "daemon": "netplugin"} == {
        k: v for k, v in event.items() if k != "time"
    }
    assert str(event["time"]).endswith("Z")


def test_the_logs_of_libraries_come_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json", "netplugin")
    logging.getLogger("os_ken.base").warning("lost %s", "br0")
    logging.getLogger("ovs").debug("chatter")
    logging.getLogger("x").warning("bad %d format", "x")

    first, second = events(capsys)
    assert ("lost br0", "warning", "os_ken.base", "netplugin") == tuple(
        first[k] for k in ("event", "level", "logger", "daemon")
    )
    assert "bad %d format" in str(second["event"])


def test_warnings_of_python_are_events(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json", "netplugin")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    (event,) = events(capsys)
    assert event["logger"] == "py.warnings"


def test_less_important_events_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning", "json", "netplugin")
    structlog.get_logger().info("quiet")
    logging.getLogger("gunicorn").info("quiet")

    assert not events(capsys)


def test_secrets_are_never_written_at_any_depth(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json", "netplugin")
    structlog.get_logger().info("x", api_token="hunter2", options={"Password": "hunter2", "mtu": {"secret": "hunter2"}})

    captured = capsys.readouterr().err
    assert "hunter2" not in captured
    assert '"api_token": "***"' in captured


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_trace_shows_no_values_of_variables(capsys: pytest.CaptureFixture[str], form: str) -> None:
    log.configure("info", form, "netplugin")

    def fails(_argument: str) -> None:
        raise ValueError("no")

    try:
        fails("hunter" + str(2))
    except ValueError:
        structlog.get_logger().exception("bad")
        logging.getLogger("lib").exception("bad")

    captured = capsys.readouterr().err
    assert captured.count("ValueError: no") == 2
    assert "hunter2" not in captured


def test_auto_writes_json_where_standard_error_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "auto", "netplugin")
    structlog.get_logger().info("x", path={1, 2}.__class__)

    assert events(capsys)[0]["event"] == "x"


def test_daemons_do_not_load_what_draws_for_terminals() -> None:
    code = "import sys, daemonkit.log; assert 'rich' not in sys.modules; import rich"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

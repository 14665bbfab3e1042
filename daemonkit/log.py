"""Logs: events with keys on standard error, one form for ours and for those of libraries; never a secret."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from daemonkit import without_rich  # noqa: F401  # isort: skip  # must come before structlog
import structlog
from structlog.typing import EventDict, Processor

SECRETS = ("password", "passwd", "secret", "token", "authorization", "credential", "private_key")


def configure(level: str, form: str, daemon: str) -> None:
    """Set up the logs of this process; may be called again.

    Args:
        level: the least important event written: debug, info, warning or error.
        form: json, console, or auto (console on a terminal).
        daemon: name that every event carries.

    """
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=_processors(form, daemon),
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,  # loggers of modules are made before this is called
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(max(least, logging.INFO))  # libraries' debugging is for their authors


def _processors(form: str, daemon: str) -> list[Processor]:
    def named(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["daemon"] = daemon
        return event

    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        named,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        hide_secrets,
    ]
    if form == "console" or (form == "auto" and sys.stderr.isatty()):
        plain = structlog.dev.plain_traceback  # the coloured one shows local variables, and so secrets
        return [
            *first,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain, timestamp_key="time"),
        ]
    return [*first, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


def hide_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Replace values whose key says that they are secret, at any depth of mappings."""
    return {key: _hidden(key, value) for key, value in event.items()}


def _hidden(key: str, value: Any) -> Any:
    if any(secret in key.lower() for secret in SECRETS):
        return "***"
    if isinstance(value, Mapping):
        return {str(inner): _hidden(str(inner), deep) for inner, deep in value.items()}
    return value


class _Forward(logging.Handler):
    """Gives the records of the standard library's logging (gunicorn, os_ken, ovs, warnings) to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a library's own mistake in its format must not cost the daemon anything
            message = f"{record.msg} {record.args}"
        log = structlog.get_logger()
        log.log(record.levelno, message, logger=record.name, exc_info=record.exc_info or None)

"""A Docker plugin's HTTP side: activation, decoding, answers, errors; knows no method of any driver.

Docker's habits that this file lives with (docker/pkg/plugins/client.go): requests carry no Content-Type, and maybe an
empty Host; only status 200 is success; a network or volume driver's error is read from "Err" and an IPAM driver's from
"Error"; a call whose connection broke is sent again **with an empty body**.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import structlog
from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from daemonkit.errors import BadRequest, PluginError
from daemonkit.metrics import Metrics

T = TypeVar("T")
Translations = Mapping[Any, Callable[[Any], PluginError]]  # keys are classes of exceptions

CONTENT_TYPE = "application/vnd.docker.plugins.v1.2+json"
# Bytes of a body.  The largest that Docker sends publishes a range: 65535 ports of 2 x 90 bytes each.
BODY_LIMIT = 16 * 1024 * 1024
WARM_UP = "moorage.warm_up"  # key in the WSGI environment of a call that nobody made

log = structlog.get_logger()


def create_app(
    name: str,
    implements: Sequence[str],
    blueprints: Sequence[Blueprint],
    metrics: Metrics,
    translations: Translations | None = None,
    *,
    on_activate: Callable[[], None] | None = None,
) -> Flask:
    """Return the application of a plugin.

    Args:
        name: the daemon's name, for logs and for errors that name the log.
        implements: the drivers it is, as Docker calls them: NetworkDriver, IpamDriver, VolumeDriver.
        blueprints: the drivers' methods, each `@blueprint.post("/Driver.Method")`.
        metrics: where calls are counted.
        translations: what errors of other packages mean to the person who typed `docker`.
        on_activate: called at each Plugin.Activate: a new dockerd has come up.

    """
    app = Flask(name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    activation = reply({"Implements": list(implements)}).get_data()

    @app.post("/Plugin.Activate")
    def activate() -> Response:
        if on_activate is not None:
            on_activate()
        return Response(activation, content_type=CONTENT_TYPE)

    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    _explain_errors(app, name, translations or {})
    _measure(app, metrics)
    return app


def decode(kind: type[T]) -> T:
    """Return the body of the request at hand.

    Raises:
        BadRequest: it is empty, not JSON, or not what `kind` says.

    """
    body = request.get_data(cache=False)
    call = request.path.lstrip("/")
    if not body.strip():
        raise BadRequest(
            f"{call} came without a body: dockerd sends it so when it repeats a call whose connection broke, "
            "and what it asked for is lost; please repeat the command"
        )
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{call}: {_where(str(error))}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"{call}: the body is not JSON: {error}") from error


def _where(text: str) -> str:
    """Turn msgspec's "Expected `str`, got `int` - at `$.NetworkID`" to words that begin with the place."""
    what, _, place = text.partition(" - at ")
    what = what[:1].lower() + what[1:]
    place = place.strip("`").removeprefix("$").removeprefix(".").removeprefix("$")
    return f"in {place}: {what}" if place else what


def reply(value: msgspec.Struct | Mapping[str, Any], status: int = 200) -> Response:
    """Return the answer whose body is `value`."""
    return Response(msgspec.json.encode(value), status=status, content_type=CONTENT_TYPE)


def hang_up(why: str = "it came without a body") -> Response:
    """End the connection without an answer, as a daemon does that is killed: Docker then concludes nothing."""
    log.warning("call cut off", call=request.path, reason=why)
    g.result = "cut off"
    if (connection := request.environ.get("gunicorn.socket")) is not None:
        connection.hang_up()
    return Response(status=503)  # to nobody


def _refusal(text: str, status: int = 200) -> Response:
    """Return an error in the form that every kind of driver shows."""
    return reply({"Err": text, "Error": text}, status)


def _explain_errors(app: Flask, name: str, translations: Translations) -> None:
    """The one renderer of errors."""

    def refused(error: PluginError) -> Response:
        g.result = "refused"
        log.info("call refused", call=request.path, reason=str(error))
        return _refusal(str(error))

    def unknown(error: HTTPException) -> Response:
        g.result = "unknown"
        if isinstance(error, RequestEntityTooLarge) or (request.content_length or 0) > BODY_LIMIT:
            answer = refused(BadRequest(f"the request is larger than {BODY_LIMIT >> 20} MiB"))
            answer.headers["Connection"] = "close"  # what is left of the body is not worth reading
            return answer
        request.get_data(cache=False)  # an unread body would cost the connection, and dockerd's next call on it
        if isinstance(error, NotFound):
            return _refusal(f"{name} has no method {request.path}", 404)
        if isinstance(error, MethodNotAllowed):
            answer = _refusal(f"{request.path} is called with POST, not {request.method}", 405)
            answer.headers["Allow"] = "POST"
            return answer
        return _refusal(str(error), error.code or 400)

    def crashed(error: Exception) -> Response:
        for kind, translate in translations.items():
            if isinstance(error, kind):
                return refused(translate(error))
        g.result, call = "crashed", uuid.uuid4().hex[:8]
        log.error("call crashed", call=request.path, id=call, exc_info=error)
        return _refusal(f"internal error in {name}, call {call}: see its log (journalctl -u {name})")

    app.register_error_handler(PluginError, refused)
    app.register_error_handler(HTTPException, unknown)
    app.register_error_handler(Exception, crashed)


def _measure(app: Flask, metrics: Metrics) -> None:
    @app.before_request
    def began() -> None:
        g.began, g.result = time.monotonic(), "ok"

    @app.after_request
    def ended(response: Response) -> Response:
        if WARM_UP in request.environ:
            return response
        seconds = time.monotonic() - g.began
        call = request.url_rule.rule.lstrip("/") if request.url_rule else "unknown"
        metrics.calls.called(call, result=g.result, seconds=seconds)
        log.debug("call", call=request.path, result=g.result, ms=round(seconds * 1000, 2))
        return response

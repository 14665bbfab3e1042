import json
from typing import Any

import pytest
from flask import Blueprint, Flask, Response
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from daemonkit.errors import Exhausted, InUse, NotFound, Unavailable
from daemonkit.metrics import Metrics
from daemonkit.plugin import BODY_LIMIT, CONTENT_TYPE, WARM_UP, create_app, decode, reply
from daemonkit.wire import Wire


class Join(Wire, frozen=True, kw_only=True):
    network_id: str
    options: dict[str, Any] | None = None


class DatabaseAwayError(Exception):
    pass


RAISED: dict[str, Exception] = {
    "missing": NotFound("network", "web"),
    "held": InUse("address", "10.1.0.2", "endpoint ab12"),
    "full": Exhausted("subnet 10.1.0.0/30 has no free address"),
    "away": DatabaseAwayError("no leader"),
    "bug": ZeroDivisionError("oops"),
}


def application(metrics: Metrics) -> Flask:
    driver = Blueprint("driver", __name__)

    @driver.post("/NetworkDriver.Join")
    def join() -> Response:
        request = decode(Join)
        if request.network_id in RAISED:
            raise RAISED[request.network_id]
        return reply(request)

    translations = {DatabaseAwayError: lambda error: Unavailable("records", str(error))}
    return create_app("moorage-test", ["NetworkDriver"], [driver], metrics, translations)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("test", "0")


@pytest.fixture
def docker(metrics: Metrics) -> FlaskClient:
    return application(metrics).test_client()


def join(docker: FlaskClient, body: bytes) -> TestResponse:
    return docker.post("/NetworkDriver.Join", data=body)


def error(answer: TestResponse) -> str:
    body = json.loads(answer.data)
    assert set(body) == {"Err", "Error"}
    assert body["Err"] == body["Error"]
    assert answer.content_type == CONTENT_TYPE
    return str(body["Err"])


def test_activation_tells_what_the_plugin_implements(docker: FlaskClient) -> None:
    answer = docker.post("/Plugin.Activate")

    assert (200, {"Implements": ["NetworkDriver"]}, CONTENT_TYPE) == (
        answer.status_code,
        json.loads(answer.data),
        answer.content_type,
    )


def test_a_body_is_decoded_without_a_content_type_and_answered(docker: FlaskClient) -> None:
    answer = join(docker, b'{"NetworkID":"web","Options":null,"FromNewerDocker":true}\n')

    assert (200, {"NetworkID": "web", "Options": None}) == (answer.status_code, json.loads(answer.data))


MALFORMED = {
    b"": "NetworkDriver.Join came without a body",
    b"\n": "NetworkDriver.Join came without a body",
    b"{": "NetworkDriver.Join: the body is not JSON",
    b"\xff": "NetworkDriver.Join: the body is not JSON",
    b'{"NetworkID":"\xff"}': "NetworkDriver.Join: the body is not JSON",
    b"null": "NetworkDriver.Join: expected `object`, got `null`",
    b'{"NetworkID":1}': "NetworkDriver.Join: in NetworkID: expected `str`, got `int`",
    b'{"NetworkID":"a","Options":[]}': "NetworkDriver.Join: in Options: expected `object | null`, got `array`",
    b"{}": "NetworkDriver.Join: object missing required field `NetworkID`",
    b'{"NetworkID":"a","Options":{"a":' + b"[" * 100_000: "NetworkDriver.Join: the body is not JSON",
}


@pytest.mark.parametrize(("body", "reason"), MALFORMED.items(), ids=lambda value: str(value)[:40])
def test_a_malformed_body_is_refused_with_what_was_expected_and_where(
    docker: FlaskClient, body: bytes, reason: str
) -> None:
    answer = join(docker, body)

    assert answer.status_code == 200
    assert error(answer).startswith(reason)


REFUSED = {
    "missing": "network web does not exist",
    "held": "address 10.1.0.2 is in use by endpoint ab12",
    "full": "subnet 10.1.0.0/30 has no free address",
    "away": "records unavailable: no leader",
}


@pytest.mark.parametrize(("network", "text"), REFUSED.items())
def test_an_error_is_shown_to_docker_in_words_for_its_user(docker: FlaskClient, network: str, text: str) -> None:
    answer = join(docker, json.dumps({"NetworkID": network}).encode())

    assert (200, text) == (answer.status_code, error(answer))


def test_a_bug_is_logged_with_its_trace_and_answered_with_where_to_look(docker: FlaskClient) -> None:
    with capture_logs() as logs:
        answer = join(docker, b'{"NetworkID":"bug"}')

    (crash,) = [event for event in logs if event["event"] == "call crashed"]
    assert crash["exc_info"] is RAISED["bug"]
    assert answer.status_code == 200
    assert f"internal error in moorage-test, call {crash['id']}: see its log" in error(answer)


def test_an_unknown_method_is_404_which_docker_takes_for_not_implemented(docker: FlaskClient) -> None:
    answer = docker.post("/NetworkDriver.NoSuch", data=b"{}")

    assert (404, "moorage-test has no method /NetworkDriver.NoSuch") == (answer.status_code, error(answer))


def test_a_wrong_verb_is_refused_with_the_right_one(docker: FlaskClient) -> None:
    answer = docker.get("/NetworkDriver.Join")

    assert (405, "POST") == (answer.status_code, answer.headers["Allow"])
    assert error(answer) == "/NetworkDriver.Join is called with POST, not GET"


def test_a_body_beyond_the_limit_is_refused_unread_and_the_connection_ended(docker: FlaskClient) -> None:
    answer = join(docker, b"x" * (BODY_LIMIT + 1))

    assert answer.status_code == 200
    assert answer.headers["Connection"] == "close"
    assert error(answer) == "the request is larger than 16 MiB"


def test_calls_are_counted_by_result_and_unknown_paths_make_no_new_series(
    docker: FlaskClient, metrics: Metrics
) -> None:
    join(docker, b'{"NetworkID":"web"}')
    join(docker, b'{"NetworkID":"full"}')
    join(docker, b'{"NetworkID":"bug"}')
    docker.post("/a")
    docker.post("/b")
    docker.get("/c", environ_base={WARM_UP: True})

    text = metrics.text().decode()
    for result in ("ok", "refused", "crashed"):
        assert f'moorage_call_seconds_count{{call="NetworkDriver.Join",result="{result}"}} 1.0' in text
    assert 'moorage_call_seconds_count{call="unknown",result="unknown"} 2.0' in text

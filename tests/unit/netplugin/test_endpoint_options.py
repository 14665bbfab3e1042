"""What users may say of one container."""

from typing import Any

import pytest

from daemonkit.errors import BadRequest
from netplugin.endpoint_options import EndpointOptions, parse


def refusal(**given: Any) -> str:
    with pytest.raises(BadRequest) as caught:
        parse({f"moorage.{key}": value for key, value in given.items()})
    return str(caught.value)


@pytest.mark.parametrize("given", [None, {}, {"com.docker.network.endpoint.ifname": "x"}])
def test_without_options_nothing_is_special(given: dict[str, Any] | None) -> None:
    assert EndpointOptions() == parse(given)


@pytest.mark.parametrize(("text", "spoof"), [("allow", True), ("deny", False), ("ALLOW", True)])
def test_a_container_may_be_allowed_to_speak_for_others(text: str, spoof: bool) -> None:
    assert spoof is parse({"moorage.spoof": text}).spoof


@pytest.mark.parametrize("text", ["", "yes", "true", "allow,deny"])
def test_what_is_not_clear_about_it_is_refused(text: str) -> None:
    assert "expected allow or deny" in refusal(spoof=text)


@pytest.mark.parametrize("value", [None, 1, True, ["allow"], {}])
def test_a_value_that_is_no_text_is_refused(value: Any) -> None:
    assert "moorage.spoof must be a text" == refusal(spoof=value)


def test_a_slip_of_the_pen_is_refused_with_a_hint() -> None:
    assert "did you mean moorage.spoof?" in refusal(spof="allow")


@pytest.mark.parametrize(
    ("text", "receive", "send"),
    [
        ("20mbit", 20_000, 20_000),
        ("10mbit/2mbit", 10_000, 2_000),
        ("512kbit/1gbit", 512, 1_000_000),
        ("2.5mbit", 2_500, 2_500),
        ("20MBIT", 20_000, 20_000),
        ("0.256mbit", 256, 256),
        ("1000gbit", 1_000_000_000, 1_000_000_000),
    ],
)
def test_a_rate_is_for_receiving_and_sending(text: str, receive: int, send: int) -> None:
    assert EndpointOptions(receive_rate=receive, send_rate=send) == parse({"moorage.rate": text})


@pytest.mark.parametrize(
    "text",
    ["", "20", "mbit", "20 mbit", "20mbps", "-1mbit", "20mbit/", "/20mbit", "1mbit/2mbit/3mbit", "1e3kbit", "٢mbit"],
)
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    assert "such as 20mbit" in refusal(rate=text)


@pytest.mark.parametrize("text", ["255kbit", "0mbit", "1001gbit", "20mbit/1kbit"])
def test_a_rate_out_of_range_is_refused_with_the_range(text: str) -> None:
    assert "expected 256kbit to 1000gbit" in refusal(rate=text)


def test_names_and_addresses_are_read_without_regard_to_case() -> None:
    asked = parse({"moorage.sticky": "Zoo1", "moorage.ip": "10.1.0.9", "moorage.ip6": "FD00::9"})

    assert ("zoo1", "10.1.0.9", "fd00::9") == (asked.sticky, str(asked.ip), str(asked.ip6))


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("sticky", "", "expected 1 to 63 letters"),
        ("sticky", "-x", "expected 1 to 63 letters"),
        ("sticky", "a b", "expected 1 to 63 letters"),
        ("sticky", "x" * 64, "expected 1 to 63 letters"),
        ("ip", "10.1.0", "is not an address"),
        ("ip", "fd00::1", "expected an address of IPv4"),
        ("ip6", "10.1.0.1", "expected an address of IPv6"),
        ("ip6", "fe80::1%eth0", "zone"),
    ],
)
def test_names_and_addresses_that_cannot_be_are_refused(key: str, value: str, text: str) -> None:
    assert text in refusal(**{key: value})

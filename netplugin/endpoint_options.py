"""What users may say of one container with `driver-opt` (Compose `driver_opts`) at a network; pure.

`docker run --network name=NET,driver-opt=KEY=VALUE` arrives in lower case on Docker 20.10, the other ways as written:
so nothing here tells upper from lower case.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from daemonkit.errors import BadRequest
from netplugin.options import NAME, refuse_unknown
from records.model import IpAddress

RATE, SPOOF = "moorage.rate", "moorage.spoof"
STICKY, IP, IP6 = "moorage.sticky", "moorage.ip", "moorage.ip6"
KNOWN = frozenset((RATE, SPOOF, STICKY, IP, IP6))

_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(kbit|mbit|gbit)")
_KBIT = {"kbit": 1, "mbit": 1_000, "gbit": 1_000_000}
RATE_MIN = 256  # kbit/s: a packet of 64 kB, which Linux sends as one, is 2 s of it
RATE_MAX = 1_000_000_000  # kbit/s: a meter's burst of a quarter of a second fits 32 bits


@dataclasses.dataclass(frozen=True, slots=True)
class EndpointOptions:
    """A container's attachment as its user asked for it."""

    receive_rate: int | None = None  # kbit/s, towards the container; None: no limit
    send_rate: int | None = None  # kbit/s, from the container
    spoof: bool = False  # whether it may send with addresses that are not its own
    sticky: str | None = None  # the name that its address and MAC are kept for
    ip: IpAddress | None = None  # the IPv4 address it is to have
    ip6: IpAddress | None = None


def parse(given: Mapping[str, Any] | None) -> EndpointOptions:
    """Return the options of a CreateEndpoint; what is not `moorage.*` is Docker's.

    Raises:
        BadRequest: an unknown or impossible one; the text names it.

    """
    given = given or {}
    refuse_unknown(given, KNOWN)
    texts = {key: _text(key, given[key]) for key in KNOWN if key in given}
    receive, send = _rates(texts.get(RATE))
    return EndpointOptions(
        receive,
        send,
        spoof=_spoof(texts.get(SPOOF)),
        sticky=_name(texts.get(STICKY)),
        ip=_address(IP, texts.get(IP), 4),
        ip6=_address(IP6, texts.get(IP6), 6),
    )


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"{key} must be a text")
    return value.strip().lower()


def _rates(text: str | None) -> tuple[int | None, int | None]:
    """Return what `20mbit` or `10mbit/2mbit` (towards the container, from it) means in kbit/s."""
    if text is None:
        return None, None
    receive, _, send = text.partition("/")
    return _rate(text, receive), _rate(text, send if "/" in text else receive)


def _rate(whole: str, text: str) -> int:
    found = _RATE.fullmatch(text)
    if found is None:
        raise BadRequest(
            f"{RATE}={whole!r}: expected a number with kbit, mbit or gbit, such as 20mbit, "
            "or two for receiving and sending, such as 10mbit/2mbit"
        )
    kbit = int(Decimal(found[1]) * _KBIT[found[2]])
    if not RATE_MIN <= kbit <= RATE_MAX:
        raise BadRequest(f"{RATE}={whole!r}: expected {RATE_MIN}kbit to {RATE_MAX // 1_000_000}gbit")
    return kbit


def _spoof(text: str | None) -> bool:
    if text not in {None, "allow", "deny"}:
        raise BadRequest(f"{SPOOF}={text!r}: expected allow or deny")
    return text == "allow"


def _name(text: str | None) -> str | None:
    if text is not None and not NAME.fullmatch(text):
        raise BadRequest(
            f"{STICKY}={text!r}: expected 1 to 63 letters, digits, '.', '_' or '-', the first a letter or digit"
        )
    return text


def _address(key: str, text: str | None, version: int) -> IpAddress | None:
    if text is None:
        return None
    if "%" in text:
        raise BadRequest(f"{key}={text!r}: a zone means nothing here")
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        raise BadRequest(f"{key}={text!r} is not an address") from None
    if ip.version != version:
        raise BadRequest(f"{key}={text!r}: expected an address of IPv{version}")
    return ip

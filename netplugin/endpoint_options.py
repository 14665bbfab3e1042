"""What users may say of one container with `driver-opt` (Compose `driver_opts`) at a network; pure.

`docker run --network name=NET,driver-opt=KEY=VALUE` arrives in lower case on Docker 20.10, the other ways as written:
so nothing here tells upper from lower case.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from daemonkit.errors import BadRequest
from netplugin.options import refuse_unknown

SPOOF = "moorage.spoof"
KNOWN = frozenset((SPOOF,))


@dataclasses.dataclass(frozen=True, slots=True)
class EndpointOptions:
    """A container's attachment as its user asked for it."""

    spoof: bool = False  # whether it may send with addresses that are not its own


def parse(given: Mapping[str, Any] | None) -> EndpointOptions:
    """Return the options of a CreateEndpoint; what is not `moorage.*` is Docker's.

    Raises:
        BadRequest: an unknown or impossible one; the text names it.

    """
    given = given or {}
    refuse_unknown(given, KNOWN)
    texts = {key: _text(key, given[key]) for key in KNOWN if key in given}
    return EndpointOptions(spoof=_spoof(texts.get(SPOOF)))


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"{key} must be a text")
    return value.strip().lower()


def _spoof(text: str | None) -> bool:
    if text not in {None, "allow", "deny"}:
        raise BadRequest(f"{SPOOF}={text!r}: expected allow or deny")
    return text == "allow"

"""How Docker's JSON spells what we spell in Python: mapped here, once; knows no single message."""

from __future__ import annotations

import msgspec

# Words that Go's style spells in its own way (docker/libnetwork: drivers/remote/api, ipams/remote/api).
_WORDS = {"id": "ID", "ip": "IP", "ipv4": "IPv4", "ipv6": "IPv6"}
# The one name in which Docker breaks its own habit: elsewhere it writes MacAddress.
_NAMES = {"requires_mac_address": "RequiresMACAddress"}


def docker_name(field: str) -> str:
    """Return Docker's spelling of a field: `endpoint_id` is EndpointID, `address_ipv6` AddressIPv6."""
    return _NAMES.get(field) or "".join(_WORDS.get(word, word.capitalize()) for word in field.split("_"))


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename=docker_name):
    """Base of what is sent to and by Docker.

    Keys that we do not know are ignored: newer Docker versions add some.  A field without a default must be there.  Go
    sends `null` for a slice or map that it never made: such a field is written `list[X] | None = None`.  Messages
    repeat the two words that are not inherited: `class Leave(Wire, frozen=True, kw_only=True)`.
    """

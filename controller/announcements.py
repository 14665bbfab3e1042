"""Endpoints of VLANs announced to machines that may remember another MAC address: gratuitous ARP, unsolicited NA.

The switch is given the frames as if the endpoint had sent them, so they pass its port security and are flooded and
tagged as its own would be.
"""

from __future__ import annotations

import ipaddress
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import structlog

from controller.match import mac_number
from controller.session import DisconnectedError
from controller.view import Attachment
from records.model import EndpointId

INTERVAL = 2.0  # seconds until the second announcement: RFC 5227 section 1.1, ANNOUNCE_NUM and ANNOUNCE_INTERVAL

log = structlog.get_logger()


class Announcer:
    """Announces at once, and a second time for who has missed the first."""

    def __init__(
        self,
        look: Callable[[EndpointId], Attachment | None],
        send: Callable[[int, bytes], None],
        interval: float = INTERVAL,
    ) -> None:
        """Send what `look` says of an endpoint at that time (None: nothing) by `send(port, frame)`."""
        self._look = look
        self._send = send
        self._interval = interval
        self._again: deque[tuple[float, EndpointId]] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="announcements", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was to be said a second time is not."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._thread.join()

    def announce(self, endpoints: Sequence[EndpointId]) -> None:
        """Say who has which address now; from any thread."""
        said = [endpoint for endpoint in endpoints if self._say(endpoint)]
        with self._wake:
            self._again.extend((time.monotonic() + self._interval, endpoint) for endpoint in said)
            self._wake.notify_all()

    def _say(self, endpoint: EndpointId) -> bool:
        at = self._look(endpoint)
        if at is None:
            return False
        try:
            for frame in frames(at):
                self._send(at.port, frame)
        except DisconnectedError as error:
            log.warning("endpoint not announced", mac=at.mac, reason=str(error))
            return False
        return True

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._stopping and (not self._again or self._again[0][0] > time.monotonic()):
                    self._wake.wait(self._again[0][0] - time.monotonic() if self._again else None)
                if self._stopping:
                    return
                _, endpoint = self._again.popleft()
            self._say(endpoint)


def frames(at: Attachment) -> Iterator[bytes]:
    """Yield an endpoint's announcements."""
    if at.ipv4 is not None:
        yield gratuitous_arp(at.mac, ipaddress.IPv4Address(at.ipv4))
    if at.ipv6 is not None:
        yield unsolicited_advertisement(at.mac, ipaddress.IPv6Address(at.ipv6))


def gratuitous_arp(mac: str, ip: ipaddress.IPv4Address) -> bytes:
    """Return an ARP announcement: a broadcast request for one's own address (RFC 5227 section 2.3)."""
    own = mac_number(mac).to_bytes(6)
    asked = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + own + ip.packed + bytes(6) + ip.packed
    return _ethernet(b"\xff" * 6, own, 0x0806, asked)


def unsolicited_advertisement(mac: str, ip: ipaddress.IPv6Address) -> bytes:
    """Return a neighbour advertisement to all nodes that overrides what they remember (RFC 4861 section 7.2.6)."""
    own, all_nodes = mac_number(mac).to_bytes(6), ipaddress.IPv6Address("ff02::1").packed
    override, target_link_layer_address = 0x20000000, 2
    head = struct.pack("!BBHI", 136, 0, 0, override)
    body = head + ip.packed + struct.pack("!BB", target_link_layer_address, 1) + own
    pseudo = ip.packed + all_nodes + struct.pack("!II", len(body), 58)  # RFC 8200 section 8.1
    body = body[:2] + _checksum(pseudo + body).to_bytes(2) + body[4:]
    header = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + ip.packed + all_nodes
    return _ethernet(bytes.fromhex("333300000001"), own, 0x86DD, header + body)


def _ethernet(to: bytes, own: bytes, kind: int, body: bytes) -> bytes:
    return to + own + kind.to_bytes(2) + body


def _checksum(data: bytes) -> int:
    """Return the Internet checksum of an even number of bytes (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

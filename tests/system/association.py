"""One association of SCTP from raw sockets, for kernels without it: run as a program, it answers or asks.

`answer PORT` takes associations until it is killed, and prints who asks which port.  `ask ADDRESS PORT` begins one and
prints who has taken it.  The four packets of RFC 9260 section 5.1 and no more; each is whole, or it is not looked at.
"""

import itertools
import socket
import struct
import sys

INIT, INIT_ACK, COOKIE_ECHO, COOKIE_ACK = 1, 2, 10, 11  # types of chunks
STATE_COOKIE = 7  # a parameter of INIT ACK
COOKIE = b"mine"
OWN_PORT = 40000  # of who asks
WITHIN = 5.0  # seconds for an answer
AGAIN = 0.5  # seconds until an INIT is sent again


def crc32c(data: bytes) -> int:
    """Return the checksum of RFC 9260 appendix A (Castagnoli's polynomial, reflected)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def chunk(kind: int, value: bytes = b"") -> bytes:
    """Return a chunk; the values here need no padding."""
    return struct.pack("!BBH", kind, 0, 4 + len(value)) + value


def beginning(kind: int, tag: int, parameters: bytes = b"") -> bytes:
    """Return INIT or INIT ACK: our tag, window, one stream each way, first number."""
    return chunk(kind, struct.pack("!IIHHI", tag, 65536, 1, 1, 1) + parameters)


def packet(by: int, to: int, tag: int, content: bytes) -> bytes:
    """Return a packet from port to port with its checksum, which is written low byte first."""
    head = struct.pack("!HHI", by, to, tag)
    return head + struct.pack("<I", crc32c(head + bytes(4) + content)) + content


def received(sock: socket.socket) -> tuple[str, int, int, int, bytes]:
    """Return the next whole packet: whose, from which port to which, its tag, its chunk."""
    while True:
        data, (address, *_) = sock.recvfrom(65536)
        if sock.family == socket.AF_INET:  # raw sockets of IPv4 give the header too
            data = data[(data[0] & 0xF) * 4 :]
        by, to, tag = struct.unpack("!HHI", data[:8])
        if packet(by, to, tag, data[12:]) == data:
            return address, by, to, tag, data[12:]


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def answer(family: int, port: int) -> None:
    """Take associations."""
    sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_SCTP)
    tell("ready")
    theirs = 0
    while True:
        address, by, to, _, content = received(sock)
        if to != port:
            continue
        if content[0] == INIT:
            theirs = int.from_bytes(content[4:8])
            cookie = struct.pack("!HH", STATE_COOKIE, 4 + len(COOKIE)) + COOKIE
            sock.sendto(packet(to, by, theirs, beginning(INIT_ACK, 0x5EC0DD, cookie)), (address, 0))
        elif content == chunk(COOKIE_ECHO, COOKIE):
            tell(f"{address} {to}")
            sock.sendto(packet(to, by, theirs, chunk(COOKIE_ACK)), (address, 0))


def ask(address: str, port: int) -> None:
    """Begin an association.

    Raises:
        TimeoutError: it does not come about.

    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_SCTP)
    sock.settimeout(AGAIN)
    mine = 0xC0FFEE
    for _ in itertools.repeat(None, int(WITHIN / AGAIN)):
        sock.sendto(packet(OWN_PORT, port, 0, beginning(INIT, mine)), (address, 0))
        try:
            while True:
                whose, by, to, tag, content = received(sock)
                if (to, tag) != (OWN_PORT, mine):
                    continue
                if content[0] == INIT_ACK:
                    theirs = int.from_bytes(content[4:8])
                    sock.sendto(packet(OWN_PORT, by, theirs, chunk(COOKIE_ECHO, content[-len(COOKIE) :])), (whose, 0))
                elif content == chunk(COOKIE_ACK):
                    tell(f"{whose} {by}")
                    return
        except TimeoutError:
            continue
    raise TimeoutError(f"no association with {address} port {port} within {WITHIN:g} s")


if __name__ == "__main__":
    if sys.argv[1] == "answer":
        answer(socket.AF_INET6 if sys.argv[2] == "6" else socket.AF_INET, int(sys.argv[3]))
    else:
        ask(sys.argv[2], int(sys.argv[3]))

"""A name server that knows no name, one on each node, so that Docker answers "no such name" at once.

Docker's own resolver asks the host's from the host's network namespace, whatever state the networks of containers are
in; where nothing listens it does not pass that on, but lets the container wait.  Containers on Docker's own default
bridge have no such resolver, and ask the fabric's.
"""

from __future__ import annotations

import socket

ADDRESS = ("0.0.0.0", 53)  # noqa: S104  # on a node nobody but the lab reaches
SHORTEST = 12  # bytes: a header, RFC 1035 section 4.1.1
UNKNOWN = 0x8583  # name error; authoritative, or Docker would ask the next server


def answer(query: bytes) -> bytes | None:
    """Return the answer to a query, or None to what cannot be one."""
    if len(query) < SHORTEST or query[2] & 0x80:
        return None
    end = query.find(b"\0", SHORTEST) + 5  # of the first question: name, type, class
    counts = bytes([0, 1, 0, 0, 0, 0, 0, 0])
    return query[:2] + UNKNOWN.to_bytes(2, "big") + counts + query[SHORTEST:end]


def main() -> None:
    """Answer until killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(ADDRESS)
        while True:
            query, client = server.recvfrom(4096)
            if reply := answer(query):
                server.sendto(reply, client)


if __name__ == "__main__":
    main()

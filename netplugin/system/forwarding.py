"""IPv6 forwarding of the host: what a network's way out needs, and Docker turns on for its own bridges alone.

Linux forwards IPv6 on all interfaces or on none (ip-sysctl.rst, conf/all/forwarding), and an interface that forwards
stops to listen to routers unless it is told to go on (accept_ra=2): the host would lose its own way out.  It is never
turned off: nobody knows who else counts on it by now.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import structlog

log = structlog.get_logger()

CONF = Path("/proc/sys/net/ipv6/conf")
NO_INTERFACE = frozenset({"all", "default"})


class Forwarding:
    """The host's switch; where `allowed` is false it is the operator's, and left as it is."""

    def __init__(self, *, allowed: bool, conf: Path = CONF) -> None:
        self._allowed = allowed
        self._conf = conf

    def well(self) -> bool:
        """Return whether there is nothing to do."""
        return not self._allowed or (self._conf / "all" / "forwarding").read_text().strip() != "0"

    def turn_on(self) -> None:
        """Forward, and go on listening to the routers that were listened to."""
        heard = list(self._heard())
        for file in heard:
            file.write_text("2")
        (self._conf / "all" / "forwarding").write_text("1")
        log.info("IPv6 forwarding turned on", listening_to_routers=[file.parent.name for file in heard])

    def _heard(self) -> Iterator[Path]:
        """Yield the switch of each interface that takes its routes from routers as long as it does not forward."""
        for at in sorted(self._conf.iterdir()):
            if at.name not in NO_INTERFACE and (at / "accept_ra").read_text().strip() == "1":
                yield at / "accept_ra"

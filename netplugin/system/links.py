"""Actuator of the endpoints' links: virtual Ethernet pairs in the host's network namespace."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from daemonkit.diff import Diff
from netplugin.plan.wiring import Key, Link
from netplugin.system import rtnetlink
from netplugin.system.deletions import Deletions
from netplugin.system.netlink import Netlink
from netplugin.system.rtnetlink import Rtnetlink
from records.model import LINK

ALIAS = "moorage:"  # an interface whose alias begins so is ours; the endpoint's id follows
MADE = 0x4D56  # link group of what we made: a mark that is there from the first moment, as the alias is not


class Links:
    """Reads and makes the pairs.  Only the host's end is looked at: the other is in a container, and Docker's.

    What was read or made is remembered until all is read anew: asking the kernel for one link costs a millisecond.
    """

    def __init__(self, netlink: Netlink, whole_checksums: Callable[[], bool]) -> None:
        self._netlink = netlink
        self._kernel = Rtnetlink()
        self._deletions = Deletions()
        self._whole_checksums = whole_checksums
        self._there: dict[Key, Link] | None = None  # None: not known, ask the kernel

    def read(self, keys: Collection[Key] | None) -> Mapping[Key, Link]:
        """Return the links that bear our mark."""
        if keys is None:
            self._there = dict(self._ask(None))
            return dict(self._there)
        if self._there is None:
            return dict(self._ask([f"{LINK}{key[:12]}" for key in keys if len(key) > 32]))
        return {key: self._there[key] for key in keys if key in self._there}

    def _ask(self, names: Iterable[str] | None) -> Iterator[tuple[Key, Link]]:
        for found in self._netlink.interfaces(names, prefix=LINK):
            link = Link(found.name, "", "", found.mtu)
            if found.alias.startswith(ALIAS):
                yield Key(found.alias.removeprefix(ALIAS)), link
            elif found.group == MADE:  # its making was cut short: nobody's
                yield Key(f"unfinished {found.name}"), link

    def apply(self, change: Diff[Key, Link]) -> Mapping[Key, str]:
        """Make and resize pairs, and begin to delete others, all at once."""
        failed = self._apply(change)
        if failed:
            self._there = None
        elif self._there is not None:
            self._there.update({**change.create, **change.change})
            for key in change.delete:
                self._there.pop(key, None)
        return failed

    def _apply(self, change: Diff[Key, Link]) -> dict[Key, str]:
        failed: dict[Key, str] = {}
        for key, link in change.create.items():
            with _kept(failed, key):
                self._create(key, link)
        for key, link in change.change.items():
            with _kept(failed, key):
                self._kernel.call(rtnetlink.resized(link.name, link.mtu))
        if change.delete:
            self._deletions.begin([link.name for link in change.delete.values()])
        return failed

    def _create(self, key: Key, link: Link) -> None:
        whole_checksums = self._whole_checksums()
        self._deletions.wait(link.name)
        pair = rtnetlink.new_pair(link.name, link.peer, peer_mac=link.mac, mtu=link.mtu, group=MADE)
        try:
            self._kernel.call(pair)
        except FileExistsError:
            self._kernel.call(rtnetlink.deleted(link.name))  # its making was cut short: never handed to Docker
            self._kernel.call(pair)
        silence(link.name)
        if whole_checksums:
            self._netlink.checksum_off(link.peer)
        # The kernel takes an alias only from a change, not at creation.
        self._kernel.call(rtnetlink.finished(link.name, ALIAS + key))


def silence(name: str) -> None:
    """Keep the host's own stack off an interface: it is the switch's alone.

    It would answer ARP for every address of the host with this interface's MAC, and so be taken for the gateway; and
    its IPv6 router solicitations of 1,000 ports stalled the switch for 231 s.
    """
    ipv4, ipv6 = Path("/proc/sys/net/ipv4/conf"), Path("/proc/sys/net/ipv6/conf")
    (ipv4 / name / "arp_ignore").write_text("8")  # answer for no local address (kernel's ip-sysctl.rst)
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
        (ipv6 / name / "disable_ipv6").write_text("1")


@contextlib.contextmanager
def _kept(failed: dict[Key, str], key: Key) -> Iterator[None]:
    """A fault stays with its key."""
    try:
        yield
    except OSError as error:
        failed[key] = f"network interface: {error.strerror or error}"

"""The tables of the bridge in packet order, what the registers carry between them, and why packets are dropped.

A packet goes forward only.  Between tables travel: `metadata` the segment, `reg0` where it came from, `reg3` the port
it leaves by, `reg4` the routing domain (VRF), `reg9` the reason of a drop.
"""

from __future__ import annotations

from enum import IntEnum

FROM_GATEWAY = 0x4  # reg0: the packet came from the host, through a gateway port
FROM_UPLINK = 0x8  # reg0: the packet came from the physical network


class Table(IntEnum):
    """All tables; those that no feature fills yet keep their number, so that flows of versions can stand together."""

    CLASSIFY = 0  # by port: which segment and routing domain
    PORT_SECURITY = 4  # an endpoint sends as itself only
    SOURCE = 6  # identity of senders on other hosts
    NEIGHBOUR = 8  # answers ARP and, first half, neighbour solicitations
    NEIGHBOUR_ANSWER = 9  # second half
    ROUTE = 12  # from network to network within a routing domain, and to its gateway
    FORWARD = 16  # by address: which port
    CONNECTION = 20  # connection tracking
    STATE = 24  # of the connection
    POLICY = 28  # who may talk to whom
    COMMIT = 32  # of an admitted connection
    OUT = 36  # leaves by reg3
    FLOOD = 40  # broadcast and multicast
    DROP = 60  # counts by reason


class Feature(IntEnum):
    """Which part of the program made a flow: bits 47-40 of its cookie."""

    CLASSIFICATION = 1
    PORT_SECURITY = 2
    NEIGHBOURS = 3
    ROUTING = 4
    FORWARDING = 5
    DROPS = 6
    VLANS = 7
    FENCES = 8


class Reason(IntEnum):
    """Why a packet is dropped: the value of reg9, and what people read."""

    UNEXPECTED = 0
    UNKNOWN_PORT = 1
    VLAN_TAGGED = 2
    FALSE_SOURCE = 3
    FALSE_ARP = 4
    ROGUE_DHCP = 5
    ROGUE_ROUTER = 6
    ADVERTISEMENT = 7
    LINK_LOCAL = 8
    NOT_IP = 9
    OWN_ADDRESS = 10
    UNANSWERED = 11
    MULTICAST = 12
    NO_GATEWAY = 13
    UNKNOWN_DESTINATION = 14
    OTHER_NETWORK = 15
    UNKNOWN_VLAN = 16
    FALSE_OUTSIDER = 17
    OUTSIDE_ROUTER = 18
    ELSEWHERE = 19
    FENCED = 20

    @property
    def text(self) -> str:
        """What it means, for people."""
        return _TEXTS[self]


_TEXTS = {
    Reason.UNEXPECTED: "a table had no answer (a fault of the flows)",
    Reason.UNKNOWN_PORT: "came from a port that no record knows",
    Reason.VLAN_TAGGED: "carried a VLAN tag",
    Reason.FALSE_SOURCE: "sent with a MAC or IP address that is not the sender's",
    Reason.FALSE_ARP: "ARP that speaks for an address that is not the sender's",
    Reason.ROGUE_DHCP: "a container acted as a DHCP server",
    Reason.ROGUE_ROUTER: "a container acted as an IPv6 router",
    Reason.ADVERTISEMENT: "a neighbour advertisement (the switch answers for everybody)",
    Reason.LINK_LOCAL: "IPv6 link-local traffic other than neighbour discovery",
    Reason.NOT_IP: "neither ARP nor IP",
    Reason.OWN_ADDRESS: "asked for its own address (no conflict: not answered)",
    Reason.UNANSWERED: "asked who has an address that is not in its networks",
    Reason.MULTICAST: "broadcast or multicast",
    Reason.NO_GATEWAY: "went to the gateway of a network that has none",
    Reason.UNKNOWN_DESTINATION: "went to an address of its network that nobody has",
    Reason.OTHER_NETWORK: "went to another network without its gateway",
    Reason.UNKNOWN_VLAN: "came from the uplink without a tag, or with that of a VLAN that no network has",
    Reason.FALSE_OUTSIDER: "came from the uplink with the MAC or IP address of a container of this host",
    Reason.OUTSIDE_ROUTER: "an IPv6 router on the VLAN announced itself (Docker gives addresses and gateway)",
    Reason.ELSEWHERE: "came from the uplink for a machine that is not here (switches flood what they do not know)",
    Reason.FENCED: "went to a storage server that this host must not reach: it lost a volume there to another host",
}

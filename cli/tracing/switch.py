"""What `ofproto/trace` of Open vSwitch prints, as values and in words; pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator

from controller.pipeline import Feature, Reason, Table

LOCAL_PORT = 65534  # OFPP_LOCAL: the bridge itself

_TABLE = re.compile(r"^ ?(\d+)\. (.*)$")
_FOUND = re.compile(r"^(?:(.*?),? ?)priority (\d+)(?:, cookie (0x[0-9a-f]+))?$")
_OUTPUT = re.compile(r"output:(\d+)$|-> output port is (\d+)$")
_PORT = re.compile(r"load:(0x[0-9a-f]+|\d+)->nxm_nx_reg3\[\]")
_LEAVES = re.compile(r"(?:output:|output port is )(\d+)")
_NUMBER = re.compile(r"load:(0x[0-9a-f]+|\d+)->NXM_NX_REG9\[\]")


@dataclasses.dataclass(frozen=True, slots=True)
class Lookup:
    """One table's answer: the flow that matched (priority None: no flow did), and what it did, line by line."""

    table: int
    match: str
    priority: int | None
    cookie: int | None
    actions: tuple[str, ...]

    @property
    def flow(self) -> str:
        """The flow, as `ovs-ofctl dump-flows` shows it."""
        if self.priority is None:
            return f"table={self.table}: no flow matches"
        cookie = "" if self.cookie is None else f"cookie={self.cookie:#x}, "
        match = f",{self.match}" if self.match else ""
        done = ",".join(line for line in self.actions if not line.startswith("->"))
        return f"{cookie}table={self.table}, priority={self.priority}{match} actions={done or 'drop'}"

    @property
    def feature(self) -> str | None:
        """Which part of the controller made the flow; None where it is nobody's of Moorage."""
        number = None if self.cookie is None or self.cookie >> 48 != 0x4D4F else self.cookie >> 40 & 0xFF
        return Feature(number).name.lower() if number in set(Feature) else None


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """The way of one packet through the switch.  `back` says that it is sent back where it came from (an answer)."""

    lookups: tuple[Lookup, ...]
    outputs: tuple[int, ...]
    back: bool
    final: str
    problem: str | None = None  # what Open vSwitch itself says is wrong

    @property
    def reason(self) -> Reason | None:
        """Why the pipeline drops it; None where it does not."""
        return None if self.decisive is None else _reason(self.decisive)

    @property
    def dropped(self) -> bool:
        """Whether it goes nowhere."""
        return not self.outputs and not self.back

    @property
    def decisive(self) -> Lookup | None:
        """The flow that decides a drop: the one that gives the reason, not the one that counts it."""
        given = [lookup for lookup in self.lookups if _reason(lookup) is not None]
        return given[-1] if given else (self.lookups[-1] if self.lookups else None)

    def field(self, name: str) -> str | None:
        """Return a field of the packet as it leaves, as in `field("arp_sha")`."""
        found = re.search(rf"(?:^|,){re.escape(name)}=([^,]*)", self.final)
        return found[1] if found is not None else None


def _reason(lookup: Lookup) -> Reason | None:
    """Return the reason of a drop that a flow gives."""
    for line in lookup.actions:
        if (found := _NUMBER.search(line)) is not None and int(found[1], 0) in set(Reason):
            return Reason(int(found[1], 0))
    return None


class NoTrace(ValueError):
    """The text is not what `ofproto/trace` prints."""


def parse(text: str) -> Trace:
    """Return the trace that Open vSwitch printed.

    Raises:
        NoTrace: it is none.

    """
    if not text.startswith("Flow: "):
        raise NoTrace(text.strip().splitlines()[0] if text.strip() else "Open vSwitch printed nothing")
    lookups = tuple(_lookups(text))
    lines = [line.strip() for line in text.splitlines()]
    outputs = tuple(int(found[1] or found[2]) for line in lines if (found := _OUTPUT.search(line)) is not None)
    back = any(line in {"IN_PORT", "in_port"} for line in lines)
    finals = [line.partition(": ")[2] for line in lines if line.startswith("Final flow: ")]
    flow = lines[0].partition(": ")[2]
    final = flow if not finals or finals[-1] == "unchanged" else finals[-1]
    problem = next((line for line in lines if line.startswith((">>>>", "Translation failed"))), None)
    return Trace(lookups, outputs, back, final, problem)


def _lookups(text: str) -> Iterator[Lookup]:
    here: tuple[int, str] | None = None
    actions: list[str] = []
    for line in text.splitlines():
        begun = _TABLE.match(line)
        if here is not None and (begun is not None or not line.startswith("  ")):
            yield _lookup(*here, actions)
            here, actions = None, []
        if begun is not None:
            here = (int(begun[1]), begun[2])
        elif here is not None:
            actions.append(line.strip())
    if here is not None:
        yield _lookup(*here, actions)


def _lookup(table: int, text: str, actions: list[str]) -> Lookup:
    found = _FOUND.match(text)
    if found is None:  # "No match."
        return Lookup(table, "", None, None, tuple(actions))
    cookie = None if found[3] is None else int(found[3], 16)
    return Lookup(table, (found[1] or "").rstrip(", "), int(found[2]), cookie, tuple(actions))


_PASSED = {  # what it means that a table lets a packet go on
    Table.CLASSIFY: "it is of the network that its port belongs to",
    Table.PORT_SECURITY: "it has the sender's own MAC and IP addresses",
    Table.NEIGHBOUR_ANSWER: "the question is made into its answer",
    Table.CONNECTION: "its connection is looked up",
    Table.STATE: "the state of its connection permits it",
    Table.POLICY: "the policy permits it",
    Table.COMMIT: "its connection is remembered",
    Table.FLOOD: "it is for several",
}


def words(lookup: Lookup, names: Callable[[int], str]) -> str:
    """Return one table's part in plain words; `names` tells who is at a port."""
    if lookup.table not in set(Table):
        return f"table {lookup.table}: a flow that is not Moorage's"
    table = Table(lookup.table)
    return f"table {table:d} {table.name}: {_what(table, lookup, names)}"


def _what(table: Table, lookup: Lookup, names: Callable[[int], str]) -> str:
    if lookup.priority is None:
        return "no flow for it, so it is dropped"
    if (because := _reason(lookup)) is not None:
        return f"{because.text}, so it is dropped"
    done = " ".join(lookup.actions).lower()
    if (found := _LEAVES.search(done)) is not None:
        return f"it leaves by the port of {names(int(found[1], 0))}"
    if table is Table.ROUTE:
        if "dec_ttl" in done:
            return "it is routed to another network of the same routing domain"
        if (to := _PORT.search(done)) is not None:
            return f"it is for {names(int(to[1], 0))}, or for something behind it"
        return "it comes from the host, into the network" if "metadata" in done else "it stays in its network"
    if table is Table.FORWARD and (to := _PORT.search(done)) is not None:
        return f"its address is that of {names(int(to[1], 0))}"
    if table is Table.NEIGHBOUR:
        return "it asks for an address that the switch knows" if "arp" in done or "nd_" in done else "no question"
    return _PASSED.get(table, "it goes on")

"""A switch in memory that answers as `controller.session.Session` does for a real one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping, Sequence

from controller.flow import HEAD, Flow
from controller.meter import Command, Meter
from controller.openflow import Refusal, Seen, content
from controller.session import DisconnectedError, Session

_head = struct.Struct("!QQBBHHHIIIH2x").unpack_from
Key = tuple[int, int, bytes]  # table, priority, match: a switch has one flow of each


class FakeSwitch(Session):
    """Flows by place.  `refuses` says which flow-mods it does not take, `shows` how it writes a flow's match and
    instructions; `away` cuts it off."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.connections = 1
        self.table: dict[Key, Seen] = {}
        self.refuses: Callable[[bytes], bool] = lambda _: False
        self.shows: Callable[[bytes], bytes] = lambda content: content
        self.away = False
        self.bundles: list[int] = []  # flow-mods in each
        self.limits: dict[int, Meter] = {}
        self.refuses_meters: Callable[[Meter], bool] = lambda _: False

    def put(self, flow: Flow, *, cookie: int | None = None, shown: bytes | None = None) -> None:
        """Have a flow, as if somebody had made it."""
        identity = (flow.cookie if cookie is None else cookie, flow.identity[1], flow.identity[2])
        self.table[_key(identity, content(flow))] = Seen(identity, shown or content(flow), 0)

    def lose(self, flows: Collection[Flow]) -> None:
        """Have them no longer."""
        for flow in flows:
            del self.table[_key(flow.identity, content(flow))]

    def restart(self) -> None:
        """Come back empty, on a new connection."""
        self.table = {}
        self.limits = {}
        self.connections += 1

    def has(self) -> set[tuple[tuple[int, int, int], bytes]]:
        return {(seen.identity, seen.content) for seen in self.table.values()}

    def dump(self, cookie: int, mask: int, table: int = 0xFF) -> list[Seen]:
        self._reach()
        return [
            seen
            for seen in self.table.values()
            if seen.identity[0] & mask == cookie & mask and table in {0xFF, seen.identity[1]}
        ]

    def bundle(self, bodies: Sequence[bytes]) -> Mapping[int, Refusal]:
        self._reach()
        refused = {place: Refusal(4, 9) for place, body in enumerate(bodies) if self.refuses(body)}
        if refused:
            return {**refused, len(bodies): Refusal(17, 15)}
        self.bundles.append(len(bodies))
        for body in bodies:
            self._change(body)
        return {}

    def meters(self) -> list[Meter]:
        self._reach()
        return list(self.limits.values())

    def change_meters(self, steps: Sequence[tuple[Command, Meter]]) -> Mapping[int, Refusal]:
        self._reach()
        refused: dict[int, Refusal] = {}
        for place, (command, meter) in enumerate(steps):
            there = meter.number in self.limits
            if self.refuses_meters(meter):
                refused[place] = Refusal(12, 11)  # out of meters
            elif command is Command.ADD and there:
                refused[place] = Refusal(12, 1)
            elif command is Command.MODIFY and not there:
                refused[place] = Refusal(12, 3)
            elif command is Command.DELETE:
                self.limits.pop(meter.number, None)
            else:
                self.limits[meter.number] = meter
        return refused

    def _reach(self) -> None:
        if self.away:
            raise DisconnectedError("the switch is away")

    def _change(self, body: bytes) -> None:
        cookie, mask, table, command, _, _, priority, *_ = _head(body)
        identity = (cookie, table, priority)
        key = _key(identity, body[HEAD:])
        if command == 0:
            self.table[key] = Seen(identity, self.shows(body[HEAD:]), 0)
        elif command == 4 and key in self.table and (self.table[key].identity[0] ^ cookie) & mask == 0:
            del self.table[key]


def _key(identity: tuple[int, int, int], shown: bytes) -> Key:
    length = struct.unpack_from("!H", shown, 2)[0]
    return identity[1], identity[2], shown[4:length]

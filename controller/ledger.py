"""Which flows are in the switch, and whose they are: our memory of it between two looks; no I/O."""

from __future__ import annotations

from collections.abc import Iterable

from controller.flow import Flow, Identity
from controller.openflow import Seen, content, place
from controller.planner import Flows, Owner


class Ledger:
    """Owners with their flows, and what bears our mark but has no owner."""

    def __init__(self) -> None:
        self.owned: dict[Owner, Flows] = {}
        self.unclaimed: dict[bytes, Seen] = {}  # by place
        self.forms: dict[Identity, bytes] = {}  # contents as this switch writes them, where it has ways of its own
        self._flows: dict[Identity, Flow] = {}
        self._holders: dict[bytes, Owner] = {}  # by place

    def conflict(self, owner: Owner, flows: Iterable[Flow]) -> str | None:
        """Return why `owner` cannot have these flows beside what the others have, or None."""
        places: set[bytes] = set()
        for flow in flows:
            holder = self._holders.get(flow.place)
            if flow.place in places or (holder is not None and holder != owner):
                return f"flow {flow.text} is wanted by {holder or owner} too"
            places.add(flow.place)
            twin = self._flows.get(flow.identity)
            if twin is not None and twin.place != flow.place:
                return f"flow {flow.text} has the cookie of {twin.text}"
        return None

    def give(self, owner: Owner, flows: Flows) -> None:
        """Note that the owner has these flows now, and no others; nobody else may have one of them."""
        self.take(owner)
        self.owned[owner] = flows
        self._flows.update([(flow.identity, flow) for flow in flows])
        self._holders.update([(flow.place, owner) for flow in flows])
        if self.unclaimed:
            for flow in flows:
                self.unclaimed.pop(flow.place, None)

    def take(self, owner: Owner) -> None:
        """Note that the owner has none."""
        for flow in self.owned.pop(owner, ()):
            if self._holders.get(flow.place) == owner:
                del self._holders[flow.place]
                self._flows.pop(flow.identity, None)

    def present(self, flow: Flow) -> bool:
        """Say whether the switch has a flow that has no owner, exactly as it should be."""
        seen = self.unclaimed.get(flow.place)
        return seen is not None and seen.identity == flow.identity and self._is(seen, flow)

    def altered(self, flow: Flow) -> bool:
        """Say whether the switch has a flow under its own cookie, but not with its instructions."""
        seen = self.unclaimed.get(flow.place)
        return seen is not None and seen.identity == flow.identity and not self._is(seen, flow)

    def observe(self, shown: Iterable[Seen]) -> None:
        """Correct the memory by all that the switch shows of ours."""
        present: set[Identity] = set()
        self.unclaimed = {}
        for seen in shown:
            flow = self._flows.get(seen.identity)
            if flow is not None and self._is(seen, flow):
                present.add(seen.identity)
            else:
                self.unclaimed[place(seen.identity, seen.content)] = seen
        missing = self._flows.keys() - present
        for owner in {self._holders[self._flows[identity].place] for identity in missing}:
            self.give(owner, tuple(flow for flow in self.owned[owner] if flow.identity in present))

    def held(self, where: bytes) -> bool:
        """Say whether an owner has the flow of that place."""
        return where in self._holders

    def _is(self, seen: Seen, flow: Flow) -> bool:
        return seen.content == content(flow) or self.forms.get(seen.identity) == seen.content

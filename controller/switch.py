"""Actuator for the flows of one switch: reads those that bear our mark, and changes them in one bundle.

Additions come before deletions and the bundle is atomic, so that no packet meets a switch without its flows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from controller.flow import OURS, OURS_MASK, Flow
from controller.ledger import Ledger
from controller.openflow import Seen, content, deletion, place
from controller.planner import UNCLAIMED, Flows, Owner
from controller.session import Session
from daemonkit.diff import Diff

_ROUNDS = 8  # bundles tried for all owners together while the switch refuses some; then one owner at a time

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """What one owner's change is made of."""

    owner: Owner
    flows: Flows  # that it has afterwards
    kept: Flows  # that it had before and keeps
    gone: Flows  # that it had before and loses
    additions: Flows  # that the switch lacks


class SwitchFlows:
    """Used from the loop thread only, but for `installed`."""

    def __init__(self, session: Session, settled: Callable[[Collection[Owner] | None], None]) -> None:
        """Tell `settled` of owners (None: any) whose flows were confirmed, refused or found."""
        self._session = session
        self._settled = settled
        self._refused: dict[Owner, str] = {}
        self._ledger = Ledger()
        self._confirmed: dict[Owner, Flows] = {}
        self._altered: list[Flow] = []  # found with other instructions, and sent again
        self._looked = 0  # at which of the session's connections; 0: what is in the switch is not known

    def read(self, keys: Collection[Owner] | None) -> Mapping[Owner, Flows]:
        """Return what owners have; looks at the switch itself for all of them, and when that is not known."""
        if keys is None or self._looked != self._session.connections:
            connection = self._session.connections
            self._ledger.observe(self._session.dump(OURS, OURS_MASK))
            self._looked = connection
            self._confirmed = dict(self._ledger.owned)
            self._settled(None)
        owned = self._ledger.owned
        if keys is not None:
            return {key: owned[key] for key in keys if key in owned}
        strangers = tuple(self._ledger.unclaimed.values())
        return {**owned, UNCLAIMED: strangers}  # type: ignore[dict-item]  # differs from every plan unless empty

    def apply(self, change: Diff[Owner, Flows]) -> Mapping[Owner, str]:
        """Bring owners to their flows; return which could not be, and why.

        Raises:
            DisconnectedError: the switch did not answer; the next `read` looks at it.

        """
        wanted: dict[Owner, Flows] = {**dict.fromkeys(change.delete, ()), **change.create, **change.change}
        sweep = wanted.pop(UNCLAIMED, None) is not None
        steps, failed = self._plan(wanted)
        try:
            failed.update(self._carry_out(steps, sweep=sweep))
            self._learn_forms()
        except OSError:
            self._roll_back(steps)
            raise
        self._refused = {o: why for o, why in self._refused.items() if o not in wanted} | failed
        self._settled(list(wanted))
        return failed

    def installed(self) -> Mapping[Owner, Flows]:
        """Return which flows owners have, confirmed by the switch; from any thread."""
        return self._confirmed.copy()

    def refused(self) -> Mapping[Owner, str]:
        """Return whose flows the switch or another owner's flows do not allow, and why; from any thread."""
        return self._refused

    def _plan(self, wanted: Mapping[Owner, Flows]) -> tuple[list[_Step], dict[Owner, str]]:
        """Note in the ledger what will be; all places are freed before any is taken, so that owners may swap."""
        kept: dict[Owner, Flows] = {}
        gone: dict[Owner, Flows] = {}
        for owner, flows in wanted.items():
            kept[owner] = gone[owner] = ()
            if had := self._ledger.owned.get(owner):
                want = set(flows)
                kept[owner] = tuple(flow for flow in had if flow in want)
                gone[owner] = tuple(flow for flow in had if flow not in want)
                self._ledger.give(owner, kept[owner])
        steps: list[_Step] = []
        failed: dict[Owner, str] = {}
        for owner, flows in wanted.items():
            reason = self._ledger.conflict(owner, flows)
            if reason is not None:
                failed[owner] = reason
                steps.append(_Step(owner, kept[owner], kept[owner], gone[owner], ()))
                continue
            have = set(kept[owner])
            lacking = [flow for flow in flows if flow not in have] if have else flows
            additions = tuple([flow for flow in lacking if not self._ledger.present(flow)])
            self._altered += [flow for flow in additions if self._ledger.altered(flow)]
            self._ledger.give(owner, flows)
            steps.append(_Step(owner, flows, kept[owner], gone[owner], additions))
        return steps, failed

    def _carry_out(self, steps: list[_Step], *, sweep: bool) -> Mapping[Owner, str]:
        """Send the steps in one bundle, without those the switch refuses; return these."""
        failed: dict[Owner, str] = {}
        for _ in range(_ROUNDS):
            refused = self._bundle(steps, sweep=sweep)
            if not refused:
                return failed
            failed.update(refused)
            self._roll_back([step for step in steps if step.owner in refused])
            steps = [step for step in steps if step.owner not in refused]
        for step in steps:
            if refused := self._bundle([step], sweep=False):
                failed.update(refused)
                self._roll_back([step])
        return failed

    def _bundle(self, steps: Sequence[_Step], *, sweep: bool) -> Mapping[Owner, str]:
        """Send; return the owners that are refused."""
        additions = [(step.owner, flow) for step in steps for flow in step.additions]
        bodies = [flow.body for _, flow in additions]
        # What now stands at the place of a flow that goes has replaced it.
        away = [flow for step in steps for flow in step.gone if not self._ledger.held(flow.place)]
        bodies += [deletion(flow.identity, content(flow)) for flow in away]
        strangers = list(self._ledger.unclaimed.values()) if sweep else []
        bodies += [deletion(seen.identity, seen.content) for seen in strangers]
        refusals = self._session.bundle(bodies) if bodies else {}
        if not refusals:
            self._confirm(steps, strangers)
            if bodies:
                log.info("flows changed", added=len(additions), deleted=len(away), swept=len(strangers))
            return {}
        named = {
            additions[at][0]: f"flow {additions[at][1].text} refused by the switch: {refusal.text}"
            for at, refusal in refusals.items()
            if at < len(additions)
        }
        text = next(iter(refusals.values())).text
        return named or dict.fromkeys([step.owner for step in steps] or [UNCLAIMED], f"change of flows refused: {text}")

    def _confirm(self, steps: Sequence[_Step], swept: Sequence[Seen]) -> None:
        for step in steps:
            if step.flows:
                self._confirmed[step.owner] = step.flows
            else:
                self._confirmed.pop(step.owner, None)
                self._ledger.take(step.owner)
        for seen in swept:
            self._ledger.unclaimed.pop(place(seen.identity, seen.content), None)

    def _learn_forms(self) -> None:
        """Tell a switch that writes flows in its own way from somebody who changes them: look again at once.

        Without this, an Open vSwitch that shows an action otherwise than we send it would be sent it for ever.
        """
        if not self._altered:
            return
        altered, self._altered = {flow.identity: flow for flow in self._altered}, []
        for seen in self._session.dump(OURS, OURS_MASK):
            flow = altered.get(seen.identity)
            if flow is not None and seen.content != content(flow):
                self._ledger.forms[seen.identity] = seen.content
                log.warning("flow is shown in another form", flow=flow.text, shown=seen.content.hex())

    def _roll_back(self, steps: Sequence[_Step]) -> None:
        """Forget what was hoped for; what is in the switch is not known until the next look."""
        self._looked = 0
        for step in steps:
            self._ledger.give(step.owner, step.kept)

import uuid
from typing import Any

import pytest

from daemonkit.diff import Diff
from records.model import Backend, BackendId
from volplugin.plan.share import SHARE, Share
from volplugin.system.look import look
from volplugin.system.shares import Shares
from volplugin.system.worker import HungError, Worker, WorkerError

DISK = Backend(id=BackendId(uuid.uuid4()), name="disk", kind="local", source="/srv")
GOOD = {"what": "name", "good": True, "found": "srv is 192.0.2.1", "advice": ""}
BAD = {"what": "server", "good": False, "found": "192.0.2.1 does not answer", "advice": "start it"}


class Answering(Worker):
    """A worker whose process is a dictionary of answers; an exception is raised."""

    def __init__(self, **answers: Any) -> None:
        super().__init__("disk")
        self.answers_of, self.asked = answers, list[str]()

    def _call(self, verb: str, within: float, arguments: dict[str, Any]) -> Any:
        self.asked.append(verb)
        answer = self.answers_of[verb]
        if isinstance(answer, HungError):
            self._hung = self._hung or (0.0, verb)
        if isinstance(answer, Exception):
            raise answer
        return answer


def mounted(worker: Worker, tmp: Any) -> str | None:
    """Try to mount the share, and return why that failed."""
    shares = Shares(DISK, tmp / "share", worker, list)
    return shares.apply(Diff({SHARE: Share(DISK)}, {}, {})).get(SHARE)


def test_a_failed_mount_says_what_the_program_said_and_the_first_thing_that_a_probe_finds_wrong(tmp_path: Any) -> None:
    worker = Answering(mount=WorkerError("exit status 32"), probe=[GOOD, BAD, {**BAD, "what": "later"}])

    assert "exit status 32; server: 192.0.2.1 does not answer; start it" == mounted(worker, tmp_path)


@pytest.mark.parametrize("probe", [[GOOD], [], HungError("silence"), WorkerError("no such verb")])
def test_a_failed_mount_says_only_what_the_program_said_where_a_probe_knows_no_more(tmp_path: Any, probe: Any) -> None:
    assert "exit status 32" == mounted(Answering(mount=WorkerError("exit status 32"), probe=probe), tmp_path)


def test_what_the_mount_program_said_already_is_not_said_twice(tmp_path: Any) -> None:
    worker = Answering(mount=WorkerError("192.0.2.1 does not answer"), probe=[BAD])

    assert "192.0.2.1 does not answer" == mounted(worker, tmp_path)


def test_while_a_backend_is_known_not_to_answer_a_failed_mount_is_not_looked_into_again(tmp_path: Any) -> None:
    worker = Answering(mount=HungError("hung"), probe=[BAD])
    mounted(worker, tmp_path)
    mounted(worker, tmp_path)

    assert ["mount", "probe"] == worker.asked


def test_a_hung_backend_says_what_a_probe_found_until_all_is_well() -> None:
    worker = Answering(mount=HungError("hung"), probe=[BAD])
    with pytest.raises(HungError):
        worker.call("mount", 1.0)

    look(worker, DISK)
    assert str(worker.problem).endswith("s ago); server: 192.0.2.1 does not answer; start it")

    worker.answers_of["probe"] = [GOOD]
    look(worker, DISK)
    assert worker.problem is None

from __future__ import annotations

from pathlib import Path

import pytest

from daemonkit.config import Config
from daemonkit.settings import Records
from records.server import Refused, server_command

FILE = Path("/var/lib/moorage/moorage.db")


def arguments(remote: str, raft: str) -> list[str]:
    return server_command(Config(records=Records(remote=remote, raft=raft)), FILE)


def test_the_server_listens_where_the_daemons_of_this_host_look() -> None:
    found = arguments("unix:/run/moorage/db.sock", "unix:/run/moorage/raft.sock")

    assert "--remote=punix:/run/moorage/db.sock" in found
    assert "--unixctl=/run/moorage/db.ctl" in found
    assert str(FILE) == found[-1]


def test_of_several_members_the_server_is_the_one_of_this_host() -> None:
    found = arguments("tcp:192.0.2.1:6641,tcp:192.0.2.2:6641,tcp:[fd00::2]:6641", "tcp:192.0.2.2:6643")

    assert ["--remote=ptcp:6641:192.0.2.2"] == [word for word in found if word.startswith("--remote")]
    assert "--unixctl=/var/lib/moorage/db.ctl" in found


def test_an_address_of_ipv6_keeps_its_brackets() -> None:
    assert "--remote=ptcp:6641:[fd00::2]" in arguments("tcp:[fd00::2]:6641", "tcp:[fd00::2]:6643")


def test_addresses_that_are_all_of_other_hosts_are_refused() -> None:
    with pytest.raises(Refused, match="names no address of this host"):
        arguments("tcp:192.0.2.1:6641", "unix:/run/moorage/raft.sock")

"""The lines are those of GlusterFS 10.3."""

import pytest

from volplugin.backends.gluster_log import cause, tail
from volplugin.backends.gluster_source import parse

SOURCE = parse("g1,g2:/v0/sub")
WHEN = "[2026-11-23 04:34:11.551085 +0000]"
STARTED = f"{WHEN} I [MSGID: 100030] [glusterfsd.c:2767:main] 0-/usr/sbin/glusterfs: Started running version "
SHUT_DOWN = f"{WHEN} E [fuse-bridge.c:6552:notify] 0-fuse: Server authentication failed. Shutting down."
SETVOLUME = f"{WHEN} E [MSGID: 114044] [client-handshake.c:756:client_setvolume_cbk] 0-v0-client-0: SETVOLUME on "
REFUSED = (
    SETVOLUME + "remote-host failed [{remote-error=Authentication failed}, {errno=13}, {error=Permission denied}] "
)
NO_DIRECTORY = (
    SETVOLUME
    + 'remote-host failed [{remote-error=subdirectory for mount "/sub" is not found}, {errno=2}, '
    + "{error=No such file or directory}] "
)
NO_VOLUME = (
    f"{WHEN} E [glusterfsd-mgmt.c:2170:mgmt_getspec_cbk] 0-glusterfs: failed to get the 'volume file' from server"
)
NO_PORT = (
    f"{WHEN} E [MSGID: 114058] [client-handshake.c:1193:client_query_portmap_cbk] 0-v0-client-0: failed to get the "
    "port number for remote subvolume. Please run gluster volume status on server to see if brick process is running []"
)
ALL_DOWN = (
    f"{WHEN} E [MSGID: 108006] [afr-common.c:6123:__afr_handle_child_down_event] 0-v0-replicate-0: All subvolumes are "
    "down. Going offline until at least one of them comes back up. "
)
NO_NAME = (
    f"{WHEN} E [name.c:267:af_inet_client_get_remote_sockaddr] 0-v0-client-0: DNS resolution failed on host store1"
)


@pytest.mark.parametrize(
    ("log", "found", "advice"),
    [
        ([REFUSED, SHUT_DOWN], "the servers refuse this host at v0/sub", "gluster volume get v0 auth.allow"),
        ([SHUT_DOWN], "the servers refuse this host at v0/sub", "auth.allow"),
        ([NO_DIRECTORY, SHUT_DOWN], "volume v0 has no directory /sub", "mount g1:/v0 and mkdir"),
        ([NO_VOLUME], "the servers know no volume v0", "gluster volume list"),
        ([NO_PORT, ALL_DOWN], "no brick of volume v0 runs", "gluster volume start v0 force"),
        ([ALL_DOWN], "no brick of volume v0 can be reached", "firewall"),
        ([NO_NAME, ALL_DOWN], "the pool's name store1 of one of its servers is not known", "/etc/hosts"),
    ],
)
def test_the_cause_is_told_with_what_to_do(log: list[str], found: str, advice: str) -> None:
    told = cause([STARTED, *log], SOURCE)

    assert told is not None
    assert found in told.found
    assert advice in told.advice


def test_a_log_that_does_not_tell_has_no_cause() -> None:
    assert cause([STARTED, "garbage", ""], SOURCE) is None


def test_the_tail_is_the_last_errors_each_once() -> None:
    told = tail([STARTED, NO_VOLUME, NO_PORT, ALL_DOWN, NO_PORT, SHUT_DOWN])

    assert [text.split(":")[0] for text in told.split("; ")] == ["0-v0-replicate-0", "0-v0-client-0", "0-fuse"]
    assert "" == tail([STARTED])

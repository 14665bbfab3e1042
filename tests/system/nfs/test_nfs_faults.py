"""NFS servers that hang, die and come back."""

from collections.abc import Callable

import pytest

from lab.command import CommandFailed, wait_for
from lab.ganesha import Ganesha
from lab.host import Host
from lab.image import IMAGE
from lab.lab import Lab
from tests.system.nfs.words import create, run, share, words
from tests.system.steps import refused

pytestmark = pytest.mark.system

SOON = 10.0  # seconds: far below the time that a mount of a silent server hangs


def hang(storage: Lab, nas: Ganesha, how: str) -> None:
    if how == "paused":
        nas.pause()
    else:
        storage.fabric.isolate(nas.node)


def wake(storage: Lab, nas: Ganesha) -> None:
    nas.resume()
    storage.fabric.heal()


def others_go_on(host: Host, hung: str) -> None:
    """What has nothing to do with the hung server, and what is told from memory."""
    run(host, "near", "echo here > file", timeout=SOON)
    assert hung in host.docker("volume", "ls", "-q", timeout=SOON).split()
    assert "nas:/" in host.docker("volume", "inspect", hung, timeout=SOON)


@pytest.mark.parametrize("how", ["paused", "cut off"])
def test_a_server_that_hangs_before_its_share_is_mounted_fails_in_bounded_time(
    storage: Lab, host: Host, nas: Ganesha, how: str
) -> None:
    name = how.replace(" ", "-")
    share(host, nas, name, "vers=4.1")
    create(host, "near", "disk")
    hang(storage, nas, how)

    told = refused(lambda: create(host, "far", name))

    assert f"nas:/{name} cannot be mounted: nas (" in told
    assert ("hangs; look at" if how == "paused" else "does not answer on TCP port 2049 within 2 s; is it on?") in told
    wake(storage, nas)
    create(host, "far", name)
    assert "ok" == run(host, "far", "echo ok")


@pytest.mark.parametrize("how", ["paused", "cut off"])
def test_a_server_that_hangs_under_its_containers_is_not_felt_by_others(
    storage: Lab, host: Host, nas: Ganesha, how: str
) -> None:
    name = how.replace(" ", "-") + "-busy"
    share(host, nas, name, "vers=4.1")
    create(host, "near", "disk")
    create(host, "far", name)
    host.docker("run", "-d", "--name", "user", "-v", "far:/data", IMAGE)
    hang(storage, nas, how)

    waiting = host.spawn("docker-run", "docker", *words("far", "echo mounted"))
    others_go_on(host, "far")
    wait_for("the run on the hung server to fail", lambda: not waiting.alive(), 60)

    assert waiting.code == 125
    assert f"backend {name} does not answer" in waiting.tail()
    others_go_on(host, "far")
    wake(storage, nas)
    wait_for("the volume to work again", lambda: works(host, "far"), 60)
    assert "" == host.docker("exec", "user", "ls", "/data")


def works(host: Host, volume: str) -> bool:
    try:
        return run(host, volume, "echo works", timeout=30) == "works"
    except CommandFailed:
        return False


def test_a_server_that_is_killed_under_a_writer_loses_nothing_that_was_acknowledged(host: Host, nas: Ganesha) -> None:
    export = share(host, nas, "killed", "vers=4.1")
    create(host, "far", "killed")
    script = "for n in $(seq 100); do echo $n >> /data/lines && echo $n; sleep 0.02; done"
    host.docker("run", "-d", "--name", "writer", "-v", "far:/data", IMAGE, "sh", "-c", script)
    acknowledged: Callable[[], list[str]] = lambda: host.docker("logs", "writer").split()  # noqa: E731
    wait_for("the writer to write", lambda: len(acknowledged()) > 10)

    nas.kill()
    nas.start()

    wait_for("the writer to end", lambda: acknowledged()[-1:] == ["100"], 60)
    (lines,) = export.glob("default/*/lines")
    assert acknowledged() == lines.read_text().split() == [str(n) for n in range(1, 101)]


@pytest.mark.parametrize("version", ["3", "4.1"])
def test_an_export_made_anew_is_stale_for_its_containers_and_mounted_anew_for_the_next(
    host: Host, nas: Ganesha, version: str
) -> None:
    name = f"stale{version[0]}"
    share(host, nas, name, f"vers={version}")
    create(host, "far", name)
    run(host, "far", "echo kept > file")
    host.docker("run", "-d", "--name", "user", "-v", "far:/data", IMAGE)

    nas.unexport(name)

    with pytest.raises(CommandFailed, match="Stale file handle"):
        host.docker("exec", "user", "cat", "/data/file")
    assert f"nas:/{name} cannot be mounted" in refused(lambda: run(host, "far", "cat file"))
    nas.export(name)
    assert "kept" == run(host, "far", "cat file")

"""A real Open vSwitch for tests: its own database, daemon and network namespace; gone when the test ends or dies."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

BRIDGE = "moorage0"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
TIED = ["setpriv", "--pdeathsig", "KILL"]  # the process dies with us, even if we are killed


def eventually(condition: Callable[[], object], within: float = 10.0) -> None:
    """Wait until the condition holds."""
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, f"not so within {within} s"
        time.sleep(0.005)


@dataclass
class Trace:
    """What became of one packet: tables it passed, datapath actions, and the whole text."""

    text: str

    @property
    def tables(self) -> list[int]:
        return [int(number) for number in re.findall(r"^ ?(\d+)\. ", self.text, re.MULTILINE)]

    @property
    def actions(self) -> str:
        return str(re.findall(r"^Datapath actions: (.*)$", self.text, re.MULTILINE)[-1])

    @property
    def port(self) -> int | None:
        """The port it leaves by; None where it is dropped or answered."""
        found = re.findall(r"output port is (\d+)", self.text)
        return int(found[-1]) if found and self.actions != "drop" else None

    @property
    def answered(self) -> bool:
        return bool(re.search(r"^ +IN_PORT$", self.text, re.MULTILINE | re.IGNORECASE))

    @property
    def reason(self) -> int | None:
        """The reason of a drop."""
        if self.tables[-1] != 60:
            return None
        return int(re.findall(r"load:(0x[0-9a-f]+|0)->NXM_NX_REG9", self.text)[-1], 0)


Tracer = Callable[[str], Trace]


@dataclass
class Switch:
    """One bridge, `moorage0`, and its management socket."""

    directory: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def management(self) -> Path:
        return self.directory / f"{BRIDGE}.mgmt"

    @property
    def environment(self) -> Mapping[str, str]:
        here = str(self.directory)
        return {**os.environ, "OVS_RUNDIR": here, "OVS_LOGDIR": here, "OVS_DBDIR": here}

    def run(self, *argv: str, given: str | None = None) -> str:
        """Run a tool of Open vSwitch; return what it prints."""
        done = subprocess.run(
            argv, env=self.environment, input=given, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return done.stdout

    def vsctl(self, *argv: str) -> str:
        return self.run("ovs-vsctl", "--timeout=20", f"--db=unix:{self.directory}/db.sock", *argv)

    def ofctl(self, *argv: str, given: str | None = None) -> str:
        return self.run("ovs-ofctl", "-O", "OpenFlow13", *argv, given=given)

    def flows(self, match: str = "") -> list[str]:
        """Return the flows in `ovs-ofctl` syntax, without statistics."""
        text = (
            self.ofctl("dump-flows", BRIDGE, match, "--no-stats")
            if match
            else self.ofctl("dump-flows", BRIDGE, "--no-stats")
        )
        return [line.strip() for line in text.splitlines() if "actions=" in line]

    def start(self) -> None:
        here = self.directory
        if not (here / "conf.db").exists():
            self.run("ovsdb-tool", "create", str(here / "conf.db"), SCHEMA)
        self._spawn("ovsdb", "ovsdb-server", "conf.db", f"--remote=punix:{here}/db.sock", f"--unixctl={here}/db.ctl")
        eventually((here / "db.sock").exists)
        self.vsctl("--no-wait", "init")
        self.start_vswitchd()

    def start_vswitchd(self) -> None:
        here = self.directory
        (here / "vs.ctl").unlink(missing_ok=True)
        self._spawn("vswitchd", "unshare", "--net", "ovs-vswitchd", f"unix:{here}/db.sock", f"--unixctl={here}/vs.ctl")
        self.vsctl(
            "--may-exist", "add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev",
            "fail_mode=secure", "protocols=OpenFlow13",
        )  # fmt: skip
        eventually(self.management.exists)

    def _spawn(self, name: str, *argv: str) -> None:
        log = (self.directory / f"{name}.out").open("ab")
        self.processes[name] = subprocess.Popen(
            [*TIED, *argv], env=self.environment, cwd=self.directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )

    def kill_vswitchd(self) -> None:
        self.processes["vswitchd"].kill()
        self.processes["vswitchd"].wait()

    def add_port(self, name: str, number: int | None = None) -> None:
        """Add a port, with that OpenFlow number."""
        wish = [f"ofport_request={number}"] if number is not None else []
        self.vsctl("add-port", BRIDGE, name, "--", "set", "interface", name, "type=internal", *wish)

    def add_ports(self, ports: Mapping[str, int]) -> None:
        """Add many ports in one transaction."""
        argv: list[str] = []
        for name, number in ports.items():
            argv += ["--", "add-port", BRIDGE, name, "--", "set", "interface", name, "type=internal"]
            argv += [f"ofport_request={number}"]
        self.vsctl(*argv[1:])

    def del_port(self, name: str) -> None:
        self.vsctl("del-port", BRIDGE, name)

    @contextlib.contextmanager
    def tracer(self) -> Iterator[Tracer]:
        """Lend a function that traces packets, over one connection to the daemon's control socket (unixctl)."""
        control = socket.socket(socket.AF_UNIX)
        control.connect(str(self.directory / "vs.ctl"))

        def trace(packet: str) -> Trace:
            control.sendall(json.dumps({"id": 0, "method": "ofproto/trace", "params": [BRIDGE, packet]}).encode())
            answer = b""
            while True:
                part = control.recv(65536)
                assert part, "the switch's daemon is gone"
                answer += part
                with contextlib.suppress(json.JSONDecodeError):
                    decoded = json.loads(answer)
                    assert decoded["error"] is None, decoded["error"]
                    return Trace(decoded["result"])

        with control:
            yield trace

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@contextlib.contextmanager
def switch() -> Iterator[Switch]:
    """Run one until the end of the block."""
    directory = Path(tempfile.mkdtemp(prefix="moorage-switch-"))
    one = Switch(directory)
    try:
        one.start()
        yield one
    finally:
        one.stop()
        shutil.rmtree(directory)

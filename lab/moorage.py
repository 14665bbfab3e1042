"""A node with the daemons of Moorage, of this checkout or of the environment that runs the lab."""

from __future__ import annotations

import json
import socket
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, TypeAlias, Unpack

from lab.command import LabError, Options, wait_for
from lab.node import Node

Option: TypeAlias = str | int | float | bool | list[str]
Config: TypeAlias = Mapping[str, Mapping[str, Option]]  # {section: {option: value}}

CONFIG = "/etc/moorage/moorage.toml"
CHECKOUT = Path(__file__).parents[1]
_FIND = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); "  # whatever directory we are called in
RECORDS_PORT, RAFT_PORT = 6641, 6640  # TCP, of a host that serves the records of others too
DAEMONS = {  # in the order of their start: (module with `main`, the socket that is there when it can be used)
    "moorage-db": ("records.server", "/run/moorage/db.sock"),
    "moorage-controller": ("controller.agent", "/run/moorage/controller.sock"),
    "moorage-netplugin": ("netplugin.agent", "/run/docker/plugins/moorage-net.sock"),
    "moorage-volplugin": ("volplugin.agent", "/run/docker/plugins/moorage-vol.sock"),
}


class WithMoorage(Node):
    """What a host does with our daemons."""

    PRIVATE: ClassVar[tuple[str, ...]] = ("/var/lib/moorage", "/etc/moorage")

    records_at: str | None = None  # address of the host whose records it uses; None: it has its own

    def start_moorage(self, config: Config | None = None) -> None:
        """Start all daemons, in order; `config` replaces the configuration file, which has nothing but it."""
        if config is not None or not self.path(CONFIG).exists():
            self.configure(config or {})
        if self.records_at in {None, self.address}:
            self.start_db()
        self.start_controller()
        self.start_netplugin()
        self.start_volplugin()

    def start_db(self) -> None:
        """Start the records."""
        self._start("moorage-db")

    def start_controller(self, framework: str | None = None) -> None:
        """Start the controller; on the given framework (`os_ken`, `ryu`), which the configuration keeps."""
        if framework:
            config = tomllib.loads(self.path(CONFIG).read_text())
            self.configure({**config, "controller": {**config.get("controller", {}), "framework": framework}})
        self._start("moorage-controller")

    def start_netplugin(self) -> None:
        """Start the network plugin."""
        self._start("moorage-netplugin")

    def start_volplugin(self) -> None:
        """Start the volume plugin."""
        self._start("moorage-volplugin")

    def moorage(self, *argv: object, **options: Unpack[Options]) -> str:
        """Run the command `moorage` of the same checkout and return what it printed."""
        return self.exec(sys.executable, "-c", f"{_FIND}from cli.main import main; main()", *argv, **options)

    def configure(self, config: Config) -> None:
        """Write the configuration file: only what differs from the defaults."""
        config = {"records": self._records(), **config}
        sections = [
            f"[{section}]\n" + "".join(f"{option} = {json.dumps(value)}\n" for option, value in options.items())
            for section, options in config.items()
            if options
        ]  # what JSON and TOML call a string, a number, a truth value or a list of strings is the same
        file = self.path(CONFIG)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(sections))

    def _records(self) -> Mapping[str, Option]:
        if self.records_at is None:
            return {}
        shared = f"tcp:{self.records_at}:{RECORDS_PORT}"
        if self.records_at != self.address:
            return {"remote": shared}
        return {"remote": f"unix:{DAEMONS['moorage-db'][1]},{shared}", "raft": f"tcp:{self.records_at}:{RAFT_PORT}"}

    def _start(self, name: str) -> None:
        module, path = DAEMONS[name]
        self.path(path).unlink(missing_ok=True)  # left by one that was killed; the new one's shows that it is ready
        daemon = self.spawn(name, *command(name, module), env={"PYTHONPATH": str(CHECKOUT)})
        wait_for(f"{name} on {self.name}", lambda: not daemon.alive() or _accepts(self.path(path)), 30)
        if not daemon.alive():
            msg = f"{name} on {self.name} ended with status {daemon.code}:\n{daemon.tail()}"
            raise LabError(msg)


def command(script: str, module: str) -> list[str]:
    """Return the words that run a daemon: as installed beside this interpreter, else from this checkout."""
    installed = Path(sys.executable).parent / script
    return [str(installed)] if installed.exists() else [sys.executable, "-c", f"from {module} import main; main()"]


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect(str(path))
    return True

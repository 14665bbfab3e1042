"""Every option that the configuration file may have: its default, its bounds and its meaning."""

from __future__ import annotations

import socket
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# Unix socket addresses hold at most 107 bytes (sun_path of unix(7), less the closing zero).
_PATH = {"pattern": r"^/[\x20-\x7e]*\Z", "max_length": 107, "extra": {"form": "an absolute path of at most 107 bytes"}}
_REMOTE = r"(unix:/[^,\s]{1,106}|tcp:[^,\s]+:[0-9]{1,5})"
_REMOTES = {
    "pattern": rf"^{_REMOTE}(,{_REMOTE})*\Z",
    "extra": {"form": "addresses like `unix:/path` or `tcp:10.0.0.1:6641`, several with commas between"},
}


def _seconds(least: float, most: float, description: str) -> Meta:
    return Meta(ge=least, le=most, description=description, extra={"unit": "seconds"})


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections."""


class Host(Section, frozen=True, kw_only=True):
    """This machine."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)?\Z",
            extra={"form": "a host name (letters, digits, `-`, `.`), or empty"},
            description="The host's name in the records, unique in the cluster; empty: the machine's host name.",
        ),
    ] = ""


class Records(Section, frozen=True, kw_only=True):
    """The database of records, and what its own process (`moorage-db`) serves it from."""

    remote: Annotated[
        str, Meta(**_REMOTES, description="Where the daemons reach the database: all members of the cluster.")
    ] = "unix:/run/moorage/db.sock"
    directory: Annotated[str, Meta(**_PATH, description="Where this host's member keeps its file.")] = (
        "/var/lib/moorage"
    )
    raft: Annotated[str, Meta(**_REMOTES, description="Where the other members reach this host's.")] = (
        "unix:/run/moorage/raft.sock"
    )


class OpenVSwitch(Section, frozen=True, kw_only=True):
    """The Open vSwitch of this host."""

    database: Annotated[str, Meta(**_REMOTES, description="Open vSwitch's own database.")] = (
        "unix:/run/openvswitch/db.sock"
    )
    rundir: Annotated[
        str, Meta(**_PATH, description="Where Open vSwitch keeps its sockets: the bridge's management socket is here.")
    ] = "/run/openvswitch"
    bridge: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,14}\Z",
            extra={"form": "an interface name: a letter, then letters, digits, `_`, `.`, `-`, at most 15 bytes"},
            description="The integration bridge; it is made if it is missing.",
        ),
    ] = "moorage0"
    datapath: Annotated[
        Literal["auto", "system", "netdev"],
        Meta(
            description="Where packets are switched: `system` is the kernel module, `netdev` the process "
            "ovs-vswitchd; `auto` takes the kernel's where it works."
        ),
    ] = "auto"


class NetPlugin(Section, frozen=True, kw_only=True):
    """The Docker network and IPAM driver (`moorage-netplugin`)."""

    socket: Annotated[
        str, Meta(**_PATH, description="Where dockerd reaches the driver; the file's name is the driver's.")
    ] = "/run/docker/plugins/moorage-net.sock"
    admin: Annotated[str, Meta(**_PATH, description="Where the daemon tells its status and metrics.")] = (
        "/run/moorage/netplugin.sock"
    )
    threads: Annotated[int, Meta(ge=2, le=256, description="Calls of Docker that are served at once.")] = 32
    join: Annotated[
        Literal["lenient", "strict"],
        Meta(
            description="What becomes of a container whose flows are not in the switch in time: `lenient` starts it "
            "and warns, `strict` fails it. A known failure fails it in both."
        ),
    ] = "lenient"
    join_within: Annotated[float, _seconds(0, 60, "How long a container's start waits for its flows.")] = 2.0
    resync: Annotated[float, _seconds(1, 3600, "Time between looks at everything, against drift.")] = 30.0
    ipv6_forwarding: Annotated[
        bool,
        Meta(
            description="Whether to turn on the host's IPv6 forwarding (`net.ipv6.conf.all.forwarding`) when a network "
            "gets an IPv6 gateway, as Docker does for its own bridges; who listens to routers goes on doing so."
        ),
    ] = True
    docker: Annotated[
        str,
        Meta(
            pattern=r"^unix:///[^\x00\s]*\Z",
            extra={"form": "an address like `unix:///run/docker.sock`"},
            description="Docker's API, asked in the background which networks and endpoints it still knows.",
        ),
    ] = "unix:///run/docker.sock"
    uplink: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,14})?\Z",
            extra={"form": "the name of a network interface, or empty"},
            description="Interface that VLAN networks go out by where `-o moorage.uplink` names none.",
        ),
    ] = ""
    forget_after: Annotated[
        float, _seconds(1, 86400, "How long something must be unknown to Docker before it is removed.")
    ] = 30.0


class VolPlugin(Section, frozen=True, kw_only=True):
    """The Docker volume driver (`moorage-volplugin`)."""

    socket: Annotated[
        str, Meta(**_PATH, description="Where dockerd reaches the driver; the file's name is the driver's.")
    ] = "/run/docker/plugins/moorage-vol.sock"
    admin: Annotated[str, Meta(**_PATH, description="Where the daemon tells its status and metrics.")] = (
        "/run/moorage/volplugin.sock"
    )
    threads: Annotated[int, Meta(ge=2, le=256, description="Calls of Docker that are served at once.")] = 32
    directory: Annotated[
        str, Meta(**_PATH, description="Where backends and volumes are mounted; a directory for each backend.")
    ] = "/var/lib/moorage/volumes"
    backend: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,62})?\Z",
            extra={"form": "the name of a backend, or empty"},
            description="Backend of volumes that name none; empty: the only one that there is.",
        ),
    ] = ""
    trash_for: Annotated[
        float,
        _seconds(1, 315360000, "How long removed volumes can be restored, where their backend's `trash` says nothing."),
    ] = 604800.0
    resync: Annotated[float, _seconds(1, 3600, "Time between looks at everything, against drift.")] = 30.0
    docker: Annotated[
        str,
        Meta(
            pattern=r"^unix:///[^\x00\s]*\Z",
            extra={"form": "an address like `unix:///run/docker.sock`"},
            description="Docker's API, asked in the background which containers still use volumes.",
        ),
    ] = "unix:///run/docker.sock"
    lease: Annotated[
        int,
        Meta(
            ge=6,
            le=3600,
            extra={"unit": "seconds"},
            description="How long the host of a volume with `access=host` or `container` must have been silent before "
            "another one may take the volume. It renews six times in it, freezes the volume's containers after half "
            "of it and kills them after two thirds.",
        ),
    ] = 30
    forget_after: Annotated[
        float,
        _seconds(1, 86400, "How long a doubtful use of a volume must be unknown to Docker before it is taken back."),
    ] = 30.0


class Controller(Section, frozen=True, kw_only=True):
    """The OpenFlow controller (`moorage-controller`)."""

    framework: Annotated[
        Literal["os_ken", "ryu"], Meta(description="The library that speaks OpenFlow: os-ken, or Ryu 4.34.")
    ] = "os_ken"
    admin: Annotated[str, Meta(**_PATH, description="Where the daemon tells its status and metrics.")] = (
        "/run/moorage/controller.sock"
    )
    resync: Annotated[float, _seconds(1, 3600, "Time between looks at everything, against drift.")] = 30.0


class Log(Section, frozen=True, kw_only=True):
    """What the daemons tell about their work, on standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least important event that is written.")
    ] = "info"
    format: Annotated[
        Literal["auto", "json", "console"],
        Meta(description="One JSON object a line, or coloured text; `auto` takes text on a terminal."),
    ] = "auto"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sections."""

    host: Host = Host()
    records: Records = Records()
    openvswitch: OpenVSwitch = OpenVSwitch()
    netplugin: NetPlugin = NetPlugin()
    volplugin: VolPlugin = VolPlugin()
    controller: Controller = Controller()
    log: Log = Log()

    def host_name(self) -> str:
        """Return the name of this host in the records."""
        return self.host.name or socket.gethostname()

"""What a kind of backend is, and how a third party writes one.

A kind is a subclass of `Kind`, named by an entry point of the group `moorage.backends`.  `check`, `servers` and
`is_mounted` are pure.  Everything else runs in the backend's worker process and may block: its caller has a deadline,
and kills the process when that has passed, so each step must be repeatable.
"""

from __future__ import annotations

import abc
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from volplugin.backends.common import OPTIONS
from volplugin.mountinfo import Mounted

GROUP = "moorage.backends"  # entry points


class BackendError(Exception):
    """Something cannot be done on a backend; the text says what is wrong and what to do, for who typed the command."""


class BadDefinition(BackendError):
    """The operator's definition of a backend cannot be."""


class Gone(BackendError):
    """A mount is there, but what it led to is not: it must be mounted anew (ENOTCONN, ESTALE)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A backend as its operator defined it."""

    name: str
    kind: str
    source: str
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """Where a backend's data comes from over the network."""

    address: str  # name or IP address
    port: int  # TCP


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a probe looked at; `advice` says what to do where it is not good."""

    what: str
    good: bool
    found: str = ""
    advice: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Top:
    """Owner and permissions of a volume's top directory; None: as the backend makes it."""

    uid: int | None = None
    gid: int | None = None
    mode: int = 0o755


class Limit(abc.ABC):
    """One way to bound how much a directory of a share holds; all of it runs in the worker, and may be repeated."""

    NAME: ClassVar[str]  # as users see it in `SizeEnforcedBy`

    @abc.abstractmethod
    def refusal(self, backend: Definition, share: Path) -> str | None:
        """Return why it cannot be used on this share, or None where it can: by a look at the share, not a guess."""

    @abc.abstractmethod
    def put(self, backend: Definition, share: Path, path: str, size: int) -> None:
        """Let the directory hold `size` bytes; one that is limited already then has this limit.

        Raises:
            BackendError: it cannot.

        """

    @abc.abstractmethod
    def lift(self, backend: Definition, share: Path, path: str) -> None:
        """Take away what there may be of a limit, because the directory is going to be deleted."""

    @abc.abstractmethod
    def used(self, backend: Definition, share: Path, path: str) -> int | None:
        """Return how many bytes are used of the limit; None where that cannot be told cheaply."""


class Kind(abc.ABC):
    """One kind of backend; one object serves all its backends and keeps nothing."""

    NAME: ClassVar[str]  # `moorage backend add NAME --kind THIS`
    SHARED: ClassVar[bool] = True  # whether all hosts reach the same data
    OPTIONS: ClassVar[Mapping[str, str]] = {}  # option of a definition -> what it means
    SOURCE: ClassVar[str]  # what a source looks like, for help and errors

    # -- pure ---------------------------------------------------------------------------------------------------------

    @abc.abstractmethod
    def check(self, backend: Definition) -> None:
        """Refuse a definition that cannot be, without looking at any server.

        Raises:
            BadDefinition: its source or an option is wrong.

        """

    @abc.abstractmethod
    def is_mounted(self, backend: Definition, there: Mounted, table: Sequence[Mounted]) -> bool:
        """Say whether `there`, a mount of the `table`, is this backend's share: by its type and source."""

    def servers(self, backend: Definition) -> Sequence[Server]:  # noqa: ARG002
        """Return where the data comes from over the network; none for what is on the host itself."""
        return ()

    # -- in the worker ------------------------------------------------------------------------------------------------

    @abc.abstractmethod
    def mount(self, backend: Definition, target: Path) -> None:
        """Mount the share at `target`, an empty directory.

        Who calls looks into the mount table and at the file system afterwards: what a mount program says of its success
        is not relied on.

        Raises:
            BackendError: why not, with what the mount program and the server said.

        """

    @abc.abstractmethod
    def probe(self, backend: Definition) -> Iterator[Finding]:
        """Look at each thing a mount needs, one after the other; the first that is not good explains the others."""

    def make(self, share: Path, path: str) -> None:
        """Make the directory of a volume below the share; the parents are there."""
        (share / path).mkdir()

    def limits(self) -> Sequence[Limit]:
        """Return what may bound how much a volume holds, best first; which of them can, each finds out on the share."""
        return ()

    def log_tail(self, backend: Definition) -> str:  # noqa: ARG002
        """Return the last lines of what the share's client logged, or nothing where it keeps no log."""
        return ""


def refuse_unknown_options(kind: Kind, backend: Definition) -> None:
    """Raise BadDefinition where the definition has an option that the kind does not know."""
    for option in backend.options:
        if option not in kind.OPTIONS:
            known = ", ".join([*kind.OPTIONS, *OPTIONS])
            raise BadDefinition(f"a backend of kind {kind.NAME} has no option {option!r}; there are: {known}")


def reason(error: OSError) -> str:
    """Return what went wrong, without the path, which the user does not know."""
    return os.strerror(error.errno) if error.errno else str(error)

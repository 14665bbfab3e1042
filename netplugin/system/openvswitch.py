"""This host's Open vSwitch database: one connection, its rows, and transactions; knows nothing of networks.

Open vSwitch may start later than we do, and restart: a connection is made when first needed and comes back by itself.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from netplugin.system import without_eventlet  # noqa: F401  # isort: skip  # must come before ovs
from ovs.db import idl as ovs_idl
from ovsdbapp import exceptions
from ovsdbapp.backend.ovs_idl import command, connection, idlutils, transaction

TABLES = {
    "Open_vSwitch": ["bridges", "other_config", "ovs_version", "next_cfg", "cur_cfg"],
    "Bridge": ["name", "ports", "datapath_type", "fail_mode", "protocols", "other_config", "external_ids"],
    "Port": ["name", "interfaces", "external_ids"],
    "Interface": ["name", "type", "ofport", "ofport_request", "mac", "mtu_request", "error", "ifindex", "external_ids"],
}
WITHIN = 5.0  # seconds for a connection or a transaction: Open vSwitch answers in milliseconds or is away
LOOK = 0.01  # seconds between looks whether the switch has followed
INDEXED = {"Bridge": "name", "Port": "name", "Interface": "name"}


class Away(OSError):
    """Open vSwitch does not answer."""


class _Idl(ovs_idl.Idl):  # type: ignore[misc]  # ships no types
    """Tells which interface has changed."""

    def __init__(self, remote: str, helper: Any, changed: Callable[[str], None]) -> None:
        super().__init__(remote, helper)
        self._changed = changed

    def notify(self, event: str, row: Any, updates: Any = None) -> None:  # noqa: ARG002  # the library's signature
        if row._table.name == "Interface" and "name" in row._data:  # noqa: SLF001  # the IDL offers no other way
            self._changed(row.name)


class _Change(command.BaseCommand):  # type: ignore[misc]  # ships no types
    """Any function of an IDL transaction as ovsdbapp's unit of work."""

    def __init__(self, api: Any, change: Callable[[Any], None]) -> None:
        super().__init__(api)
        self._change = change

    def run_idl(self, txn: Any) -> None:
        self._change(txn)


class _Api:
    """What ovsdbapp's transactions ask of an API object."""

    def __init__(self, idl: Any) -> None:
        self.idl = idl


class OpenVSwitch:
    """The connection.  Any thread may use it."""

    def __init__(self, remote: str) -> None:
        self._remote = remote
        self._lock = threading.Lock()
        self._connection: Any = None
        self._watchers: list[Callable[[str], None]] = []

    def watch(self, changed: Callable[[str], None]) -> None:
        """Call `changed` with the name of each interface whose row changes; from the connection's thread."""
        self._watchers.append(changed)

    @contextlib.contextmanager
    def rows(self) -> Iterator[Callable[..., Iterator[Any]]]:
        """Hold the rows still, and give a function that yields those of a table, or the one of a name.

        Raises:
            Away: there is no connection.

        """
        made = self._connected()
        with made.lock:
            yield lambda table, name=None: self._select(made.idl, table, name)

    def transact(self, change: Callable[[Any, Callable[..., Iterator[Any]]], None]) -> None:
        """Run `change(txn, rows)` in one transaction: all of it, or none.

        Raises:
            Away: no connection, or no answer in time.
            OSError: refused; the text is the database's.

        """
        made = self._connected()
        txn = transaction.Transaction(_Api(made.idl), made, timeout=WITHIN, check_error=True, log_errors=False)
        txn.add(_Change(txn.api, lambda idl_txn: change(idl_txn, lambda t, name=None: self._select(made.idl, t, name))))
        try:
            txn.commit()
        except (exceptions.TimeoutException, queue.Empty) as error:
            raise Away(f"Open vSwitch did not answer within {WITHIN:g} s") from error
        except RuntimeError as error:
            raise OSError(str(error)) from error

    def followed(self) -> None:
        """Return when the switch has done what was committed so far (ovs-vswitchd.conf.db(5), cur_cfg).

        Raises:
            Away: it has not in time.

        """
        asked: list[int] = []

        def ask(_: Any, rows: Callable[..., Iterator[Any]]) -> None:
            root = next(rows("Open_vSwitch"))
            root.verify("next_cfg")
            root.next_cfg = root.next_cfg + 1
            asked[:] = [root.next_cfg]

        self.transact(ask)
        until = time.monotonic() + WITHIN
        while time.monotonic() < until:
            with self.rows() as rows:
                if next(rows("Open_vSwitch")).cur_cfg >= asked[0]:
                    return
            time.sleep(LOOK)
        raise Away(f"ovs-vswitchd did not follow within {WITHIN:g} s: is it running?")

    def takes_offload(self) -> bool:
        """Whether the userspace datapath takes unsegmented, unchecksummed packets (userspace-tso-enable).

        Raises:
            Away: there is no connection.

        """
        with self.rows() as rows:
            return any(row.other_config.get("userspace-tso-enable") == "true" for row in rows("Open_vSwitch"))

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.stop(timeout=1)
                self._connection = None

    def _connected(self) -> Any:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            # A lost connection comes back by itself; until then what is in memory is old, and a transaction would hang.
            if not self._connection.idl._session.is_connected():  # noqa: SLF001  # the IDL offers no other way
                raise Away(f"Open vSwitch's database {self._remote} is away: is openvswitch-switch running?")
            return self._connection

    def _connect(self) -> Any:
        try:
            helper = idlutils.get_schema_helper(self._remote, "Open_vSwitch")
        except Exception as error:  # the library raises a bare Exception where it cannot connect
            raise Away(
                f"Open vSwitch's database {self._remote} is away: is openvswitch-switch running? ({error})"
            ) from error
        for table, columns in TABLES.items():
            helper.register_columns(table, columns)
        idl = _Idl(self._remote, helper, self._notify)
        idl._session.reconnect.set_backoff(100, 1000)  # noqa: SLF001  # milliseconds; the default waits up to 8 s
        for table, column in INDEXED.items():
            idl.index_create(table, column).add_column(column)
        made = connection.Connection(idl, timeout=WITHIN)
        try:
            made.start()
        except Exception as error:  # as above
            raise Away(f"Open vSwitch's database {self._remote} does not answer: {error}") from error
        return made

    def _notify(self, name: str) -> None:
        for changed in self._watchers:
            changed(name)

    @staticmethod
    def _select(idl: Any, table: str, name: str | None) -> Iterator[Any]:
        if name is None:
            yield from list(idl.tables[table].rows.values())
            return
        yield from list(idl.index_equal(table, INDEXED[table], idl.tables[table].rows.IndexEntry(name=name)))

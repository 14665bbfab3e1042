"""The actuator of a backend's volumes at their mount points on this host."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import structlog

from daemonkit.diff import Diff
from records.model import VolumeId
from volplugin import mountinfo
from volplugin.backends import image, loops
from volplugin.mountinfo import Mounted
from volplugin.plan.binds import Bind
from volplugin.system.shares import Shares
from volplugin.system.worker import StaleError, Worker, WorkerError

WITHIN = 15.0  # seconds for one bind, look or unmount
IMAGE_WITHIN = 45.0  # seconds for the mount of an image, whose file system may have to grow

Clear = Callable[[VolumeId, Path], None]

log = structlog.get_logger()


class Binds:
    """The mount points in a backend's directory that are called as volumes are: by their ids."""

    def __init__(self, directory: Path, shares: Shares, worker: Worker, clear: Clear | None = None) -> None:
        """`clear` is asked before a volume is unmounted: it raises WorkerError where that must not be yet."""
        self._directory = directory
        self._shares = shares
        self._worker = worker
        self._clear = clear
        self._doubted: set[VolumeId] = set()

    def at(self, volume: VolumeId) -> Path:
        """Return a volume's mount point."""
        return self._directory / str(volume)

    def doubt(self, volume: VolumeId) -> None:
        """Have it looked whether the volume's mount is alive, when its key is looked at next."""
        self._doubted.add(volume)

    def read(self, keys: Collection[VolumeId] | None) -> Mapping[VolumeId, Bind]:
        """See `daemonkit.layer.Actuator`."""
        table = self._shares.mounts()
        share, found = self._shares.among(table), {}
        for there in table:
            target = Path(there.target)
            volume = volume_of(target.name) if target.parent == self._directory else None
            if volume is not None and (keys is None or volume in keys):
                bound = share is not None and there.device == share.device  # the share may be on a loop device itself
                imaged = there.device.startswith(loops.MAJOR) and not bound
                path = _image_path(there, share) if imaged else share and mountinfo.below(share, there)
                sound = path is not None and volume not in self._doubted
                found[volume] = Bind(path or there.root, sound=sound, image=imaged)
        return found

    def apply(self, change: Diff[VolumeId, Bind]) -> Mapping[VolumeId, str]:
        """See `daemonkit.layer.Actuator`."""
        failed = {}
        for volume in change.delete:
            try:
                self._unmount(volume)
            except WorkerError as error:
                failed[volume] = str(error)
        for volume, bind in {**change.create, **change.change}.items():
            try:
                self._bind(volume, bind)
            except WorkerError as error:
                failed[volume] = str(error)
        return failed

    def _bind(self, volume: VolumeId, bind: Bind) -> None:
        """Let the volume be seen; one that is seen already, but was doubted, is looked at."""
        target = str(self.at(volume))
        there = self.read([volume]).get(volume, Bind(""))
        if (there.path, there.image) == (bind.path, bind.image) and self._lives(target, bind):
            self._doubted.discard(volume)
            return
        share = self._shares.needed()
        if not self._lives(share):
            self._shares.bury()
            raise StaleError("what was mounted of its backend is dead; it is mounted anew")
        mark = {"mark": {"volume": str(volume), "epoch": bind.epoch}} if bind.epoch else {}
        verb, within = ("mount_image", IMAGE_WITHIN) if bind.image else ("bind", WITHIN)
        self._worker.call(verb, within, share=share, path=bind.path, target=target, **mark)
        self._doubted.discard(volume)
        log.info("volume mounted", volume=str(volume), target=target)

    def _lives(self, target: str, bind: Bind | None = None) -> bool:
        try:
            self._worker.call("alive", WITHIN, target=target)
            if bind is not None and bind.image:  # its file may be dead where the file system in it seems not to be
                self._worker.call("image_alive", WITHIN, share=self._shares.needed(), path=bind.path, target=target)
        except StaleError:
            return False
        return True

    def _unmount(self, volume: VolumeId) -> None:
        """Take the volume away; from a dead backend too, whose unmounting may fail where a plain one would."""
        detach = self._shares.among(self._shares.mounts()) is None
        if self._clear is not None:
            self._clear(volume, self.at(volume))
        self._worker.call("unmount", WITHIN, target=str(self.at(volume)), detach=detach)
        self._doubted.discard(volume)
        log.info("volume unmounted", volume=str(volume))


def _image_path(there: Mounted, share: Mounted | None) -> str | None:
    """Return the path below the share of the image that is seen there; None where it is not below the share."""
    file = loops.file(there.device)
    if share is None or file is None or file.name != image.FILE or not file.is_relative_to(share.target):
        return None
    return str(file.parent.relative_to(share.target))


def volume_of(name: str) -> VolumeId | None:
    """Return the volume whose mount point is called so, or None where it is no volume's."""
    try:
        return VolumeId(uuid.UUID(name))
    except ValueError:
        return None

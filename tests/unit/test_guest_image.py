"""What guests are made of: the first file system, the checkout as it is installed, and the cache of what is made."""

import importlib.metadata
import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from lab.command import LabError
from lab.guest import image, tree
from lab.guest.checkout import SITE, checkout
from lab.guest.initrd import initrd
from lab.moorage import CHECKOUT

RELEASE = "6.1.0-cloud"
MODULES_DEP = """kernel/virtio.ko:
kernel/virtio_blk.ko: kernel/virtio.ko
kernel/virtio-pci.ko: kernel/virtio_pci_legacy.ko kernel/virtio.ko
kernel/virtio_pci_legacy.ko:
"""


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A tree with busybox and three modules; ext4 is built into its kernel."""
    modules = tmp_path / "lib/modules" / RELEASE
    (modules / "kernel").mkdir(parents=True)
    (modules / "modules.dep").write_text(MODULES_DEP)
    for name in ("virtio", "virtio_blk", "virtio-pci", "virtio_pci_legacy"):
        (modules / f"kernel/{name}.ko").write_text(name)
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/busybox").write_text("busybox")
    return tmp_path


def test_the_first_file_system_loads_each_module_after_those_it_needs(system: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()

    subprocess.run(["busybox", "cpio", "-i"], input=initrd(system, RELEASE), cwd=unpacked, check=True)

    order = (unpacked / "modules/order").read_text().split()
    assert ["virtio.ko", "virtio_pci_legacy.ko", "virtio-pci.ko", "virtio_blk.ko"] == order
    assert "virtio-pci" == (unpacked / "modules/virtio-pci.ko").read_text()
    assert (unpacked / "init").stat().st_mode & stat.S_IXUSR
    assert "busybox" == (unpacked / "bin/busybox").read_text()


def test_a_system_without_busybox_is_told(system: Path) -> None:
    (system / "usr/bin/busybox").unlink()

    with pytest.raises(LabError, match="busybox is missing"):
        initrd(system, RELEASE)


def test_the_checkout_is_installed_with_its_commands_and_entry_points(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(checkout(CHECKOUT))) as tar:
        tar.extractall(tmp_path)  # noqa: S202  # our own

    site = tmp_path / SITE
    (found,) = importlib.metadata.distributions(name="moorage", path=[str(site)])
    commands = {point.name: point.value for point in found.entry_points if point.group == "console_scripts"}
    assert "netplugin.agent:main" == commands["moorage-netplugin"]
    assert (site / "records/moorage.ovsschema").exists()
    for name in commands:
        assert os.access(tmp_path / "usr/local/bin" / name, os.X_OK)


def test_what_daemons_need_is_what_the_project_says(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["flask>=3.0", "click"]\n')

    assert ["click", "flask>=3.0"] == tree.dependencies(tmp_path)


def test_a_thing_is_made_once_and_anew_for_other_parts(tmp_path: Path) -> None:
    made = []

    def make(to: Path) -> None:
        made.append(to)
        (to / "file").write_text("whole")

    first = image.made(tmp_path, "image", ["a"], make)
    second = image.made(tmp_path, "image", ["b"], make)

    assert first == image.made(tmp_path, "image", ["a"], make)
    assert first != second
    assert 2 == len(made)
    assert "whole" == (first / "file").read_text()


def test_where_nobody_can_be_told_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"image-[0-9a-f]+ is not made yet: run `make guest`"):
        image.made(tmp_path, "image", ["a"], None)

    assert [] == list(tmp_path.iterdir())


def test_what_was_interrupted_is_not_taken_for_whole(tmp_path: Path) -> None:
    def fail(to: Path) -> None:
        (to / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        image.made(tmp_path, "image", ["a"], fail)
    made = image.made(tmp_path, "image", ["a"], lambda to: None)

    assert [made] == list(tmp_path.iterdir())
    assert [] == list(made.iterdir())


def test_images_that_nobody_uses_any_more_go(tmp_path: Path) -> None:
    for number in range(image.KEPT):
        old = image.made(tmp_path, "image", [number], lambda to: None)
        os.utime(old, (number, number))
    image.made(tmp_path, "booted", [0], lambda to: None)

    newest = image.made(tmp_path, "image", ["new"], lambda to: None)

    images = set(tmp_path.glob("image-*"))
    assert image.KEPT == len(images)
    assert newest in images
    assert 1 == len(list(tmp_path.glob("booted-*")))


def test_without_mmdebstrap_the_script_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LabError, match=r"not installed: mmdebstrap .*; lab/prepare.sh installs them"):
        tree.make_tree(tmp_path / "root", [], tmp_path / "log", print)

"""The installation script, with apt-get and dpkg-query replaced, in a mount namespace where /usr/sbin is a copy."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from lab.command import run

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("machine")]

CHECKOUT = Path(__file__).parents[2]
POLICY = "/usr/sbin/policy-rc.d"
COVER = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/up" "$1/work"
mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir="$1/up",workdir="$1/work" /usr/sbin
rm -f {policy}
{before}
lab/prepare.sh >/dev/null
ls /usr/sbin/policy-rc.d* || true
cat {policy} || true
"""
APT = f"""#!/bin/sh
[ "$1" = install ] || exit {{update}}
{POLICY}; echo "apt-get $*, policy says $?" >> "$LOG"
exit {{install}}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The script in a checkout whose environment is ready."""
    (tmp_path / "lab").mkdir()
    shutil.copy(CHECKOUT / "lab/prepare.sh", tmp_path / "lab")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / ".venv").mkdir()
    (tmp_path / "over").mkdir()
    (tmp_path / "bin").mkdir()
    lines = f"cd {tmp_path}; (pwd; /usr/bin/python3 -V; cat pyproject.toml lab/prepare.sh) | sha256sum > .venv/prepared"
    run(["sh", "-c", lines])
    program(tmp_path / "bin/dpkg-query", '#!/bin/sh\n[ "$4" = iperf3 ] || echo installed\n')
    return tmp_path


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def prepare(checkout: Path, before: str = "", *, update: int = 0, install: int = 0) -> subprocess.CompletedProcess[str]:
    program(checkout / "bin/apt-get", APT.format(update=update, install=install))
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", COVER.format(policy=POLICY, before=before), "cover", checkout / "over"],
        cwd=checkout, capture_output=True, text=True, check=False,
        env={"PATH": f"{checkout}/bin:{os.environ['PATH']}", "LOG": f"{checkout}/log"},
    )  # fmt: skip


def test_daemons_are_refused_while_packages_are_installed_and_nothing_of_that_is_left(checkout: Path) -> None:
    done = prepare(checkout)

    assert done.returncode == 0, done.stderr
    log = (checkout / "log").read_text()
    assert log == "apt-get install -y -q --no-install-recommends iperf3, policy says 101\n"
    assert done.stdout == ""


def test_a_policy_of_the_machines_owner_survives_unchanged(checkout: Path) -> None:
    done = prepare(checkout, f"printf '#!/bin/sh\\nexit 7\\n' > {POLICY}; chmod 755 {POLICY}")

    assert "policy says 101" in (checkout / "log").read_text()
    assert done.stdout == f"{POLICY}\n#!/bin/sh\nexit 7\n"


def test_what_a_killed_run_left_is_taken_away_by_the_next(checkout: Path) -> None:
    done = prepare(checkout, f"printf '#!/bin/sh\\nexit 101\\n' > {POLICY}.moorage; ln -s {POLICY}.moorage {POLICY}")

    assert "policy says 101" in (checkout / "log").read_text()
    assert done.stdout == ""


@pytest.mark.parametrize("step", ["update", "install"])
def test_a_failure_of_apt_get_is_told_and_leaves_nothing(checkout: Path, step: str) -> None:
    done = prepare(checkout, **{step: 100})

    assert done.returncode == 1
    assert f"lab/prepare.sh: apt-get {step} failed" in done.stderr
    assert not Path(f"{POLICY}.moorage").exists()


def test_nothing_is_done_where_nothing_is_missing(checkout: Path) -> None:
    program(checkout / "bin/dpkg-query", "#!/bin/sh\necho installed\n")

    assert prepare(checkout).returncode == 0
    assert not (checkout / "log").exists()


def test_the_script_may_be_run_by_its_owner() -> None:
    assert (CHECKOUT / "lab/prepare.sh").stat().st_mode & stat.S_IXUSR
    assert (CHECKOUT / ".ci/run").stat().st_mode & stat.S_IXUSR

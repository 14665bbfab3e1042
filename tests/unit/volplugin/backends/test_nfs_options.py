import pytest

from volplugin.backends.kind import BadDefinition
from volplugin.backends.nfs_options import share

EFS = {"nfsvers": "4.1", "rsize": "1048576", "wsize": "1048576", "hard": "", "timeo": "600", "retrans": "2"}


def test_a_share_is_hard_and_mounted_in_one_attempt_unless_the_operator_says_otherwise() -> None:
    assert "hard,retry=0" == share("nas:/srv/a", {}).words
    assert "retry=0,vers=3,soft,timeo=30" == share("nas:/a", {"vers": "3", "soft": "", "timeo": "30"}).words


@pytest.mark.parametrize(
    ("version", "kind"), [("3", "nfs"), ("4", "nfs4"), ("4.0", "nfs4"), ("4.2", "nfs4"), ("", "nfs")]
)
def test_the_version_tells_the_type_of_the_mount(version: str, kind: str) -> None:
    assert kind == share("nas:/a", {"vers": version} if version else {}).type


def test_the_options_that_efs_recommends_pass() -> None:
    asked = share("fs-1.efs.eu-west-1.amazonaws.com:/", {**EFS, "noresvport": "true"})

    assert "retry=0,vers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport" == asked.words
    assert ("/", "fs-1.efs.eu-west-1.amazonaws.com:/") == (asked.path, asked.source)


def test_an_ipv6_address_stands_in_brackets_and_slashes_at_the_end_do_not_count() -> None:
    asked = share("[fd00::1]:/srv/a//", {"port": "3049"})

    assert ("fd00::1", "/srv/a", "[fd00::1]:/srv/a", 3049) == (asked.host, asked.path, asked.source, asked.port)


@pytest.mark.parametrize(
    "source",
    [
        "", "nas", "nas:", "nas:a", ":/a", "/a", "nas:/a b", "nas:/a\n", "nas:/a,b\\", "fd00::1:/a", "[nas]:/a",
        "[fd00::1:/a", "-o:/a", "nas:/a/../b", "nas:/a//b", "nas:/./a", "na s:/a", "nas$(id):/a", "nas:/\0",
        "nas:/caf\u00e9\u2028", "n" * 300 + ":/a",
    ],
)  # fmt: skip
def test_a_source_that_is_none_is_refused(source: str) -> None:
    with pytest.raises(BadDefinition):
        share(source, {})


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"bg": ""}, "the mount option bg would report success before anything is mounted"),
        ({"retry": "5"}, "the mount option retry is not a choice: Moorage tries again itself"),
        ({"_netdev": ""}, "the mount option _netdev is for /etc/fstab"),
        ({"nofail": "yes"}, "is for /etc/fstab"),
        ({"addr": "10.0.0.1"}, "would lead to another server than the source says"),
        ({"remount": ""}, "would not mount a share"),
        ({"tls": ""}, "is an option of mount.efs"),
        ({"accesspoint": "fsap-1"}, "is an option of mount.efs"),
        ({"minorversion": "1"}, "is written as vers=4.1"),
        ({"vers": "2"}, "vers is one of 3, 4, 4.0, 4.1, 4.2, not '2'"),
        ({"nfsvers": "5"}, "vers is one of"),
        ({"hard": "", "soft": ""}, "hard and soft contradict each other"),
        ({"vers": "3", "nfsvers": "4"}, "vers and nfsvers contradict each other"),
        ({"vers": "4.1", "proto": "udp"}, "NFS 4 does not run over UDP"),
        ({"timeo": "soon"}, "the mount option timeo is a number, not 'soon'"),
        ({"timeo": ""}, "is a number"),
        ({"rsize": "1M"}, "is a number"),
        ({"port": "\u0663"}, "is not a mount option"),
        ({"soft": "5"}, "the mount option soft has no value"),
        ({"sec": "sys,exec"}, "is not a mount option"),
        ({"x-systemd.automount": ""}, "is not a mount option"),
        ({"a b": ""}, "is not a mount option"),
        ({"": "x"}, "is not a mount option"),
        ({"sec": "sys\n"}, "is not a mount option"),
        ({"sec": "$(id)"}, "is not a mount option"),
        ({"sec": "a" * 256}, "is not a mount option"),
    ],
)
def test_an_option_that_makes_no_sense_for_a_share_is_refused_with_the_reason(
    options: dict[str, str], why: str
) -> None:
    with pytest.raises(BadDefinition) as refused:
        share("nas:/a", options)

    assert why in str(refused.value)


def test_an_option_that_is_not_known_here_is_left_to_the_host_s_client() -> None:
    assert "hard,retry=0,trunkdiscovery,xprtsec=tls" == share("nas:/a", {"trunkdiscovery": "", "xprtsec": "tls"}).words


@pytest.mark.parametrize(
    ("options", "plain"), [({}, True), ({"proto": "tcp6"}, True), ({"proto": "rdma"}, False), ({"udp": ""}, False)]
)
def test_a_probe_knows_whether_the_client_comes_with_plain_tcp(options: dict[str, str], plain: bool) -> None:
    assert plain == share("nas:/a", options).over_tcp

import pytest

from lab.fuse_nfs.request import Refused, parse


def test_a_request_is_what_mount_says() -> None:
    request = parse(
        "mount.nfs4", ["srv:/export/a/", "/mnt", "-o", "rw,vers=4.1,soft,timeo=30,retrans=1,retry=0,nosuid"]
    )

    assert ("srv", "/export/a", ("4.1",), True) == (request.host, request.path, request.versions, request.soft)
    assert (6.0, 0, ["nosuid"]) == (request.patience, request.retry, request.flags)


def test_a_request_without_options_is_hard_and_tries_for_two_minutes() -> None:
    request = parse("mount.nfs", ["srv:/", "/mnt"])

    assert ("/", ("4.1", "4.0", "3"), False) == (request.path, request.versions, request.soft)
    assert (180.0, 120) == (request.patience, request.retry)


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert "fd00::1" == parse("mount.nfs4", ["[fd00::1]:/a", "/mnt"]).host


@pytest.mark.parametrize(
    ("name", "options", "versions"),
    [
        ("mount.nfs", "nfsvers=3", ("3",)),
        ("mount.nfs4", "rw", ("4.1", "4.0")),
        ("mount.nfs", "vers=4,minorversion=0", ("4.0",)),
        ("mount.nfs", "vers=4.2", ("4.1",)),
    ],
)
def test_versions_are_understood_as_nfs5_says(name: str, options: str, versions: tuple[str, ...]) -> None:
    assert versions == parse(name, ["srv:/a", "/mnt", "-o", options]).versions


@pytest.mark.parametrize(
    ("words", "text", "status"),
    [
        (["srv", "/mnt"], "remote share not in 'host:dir' format", 1),
        (["srv:/a"], "the following arguments are required: directory", 1),
        (["srv:/a", "/mnt", "-o", "vers=5"], "5: invalid value for 'vers=' option", 32),
        (["srv:/a", "/mnt", "-o", "bogus"], "an incorrect mount option was specified", 32),
        (["srv:/a", "/mnt", "-o", "timeo=soon"], "an incorrect mount option was specified", 32),
        (["srv:/a", "/mnt", "-o", "timeo"], "an incorrect mount option was specified", 32),
    ],
)
def test_wrong_words_are_refused_in_the_words_of_mount_nfs(words: list[str], text: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        parse("mount.nfs", words)

    assert (text, status) == (str(refused.value), refused.value.status)

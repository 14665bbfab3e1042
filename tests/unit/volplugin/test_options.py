import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemonkit.errors import BadRequest
from records.model import Access, Retain
from volplugin import options


def test_what_is_not_said_is_as_the_table_says() -> None:
    asked = options.parse({})

    assert (None, Access.SHARED, Retain.TRASH, None, None) == (
        asked.backend,
        asked.access,
        asked.retain,
        asked.size,
        asked.mode,
    )


def test_each_option_is_read() -> None:
    given = {
        "backend": "nfs1",
        "access": "host",
        "retain": "keep",
        "size": "10G",
        "uid": "999",
        "gid": "0",
        "mode": "0770",
        "tenant": "acme",
        "labels": "a=1,b=",
    }

    asked = options.parse(given)

    assert ("nfs1", Access.HOST, Retain.KEEP, 10 * 2**30) == (asked.backend, asked.access, asked.retain, asked.size)
    assert (999, 0, 0o770, "acme", {"a": "1", "b": ""}) == (
        asked.uid,
        asked.gid,
        asked.mode,
        asked.tenant,
        asked.labels,
    )
    assert given == asked.given


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"bakend": "nfs1"}, "unknown option 'bakend'; did you mean 'backend'?"),
        ({"zzz": ""}, "unknown option 'zzz'; there are: backend, access"),
        ({"access": "all"}, "access=all is not one of shared, host, container"),
        ({"retain": ""}, "retain= is not one of trash, delete, keep"),
        ({"backend": "../x"}, "backend=../x is not a name"),
        ({"tenant": "a/b"}, "tenant=a/b is not a name"),
        ({"uid": "-1"}, "uid=-1 is not a number of 0 to 4294967294"),
        ({"gid": "4294967295"}, "gid=4294967295 is not a number"),
        ({"mode": "rwx"}, "mode=rwx is not octal permissions such as 0770"),
        ({"mode": "99"}, "mode=99 is not octal"),
        ({"labels": "x"}, "labels=x is not KEY=VALUE"),
        ({"size": "10X"}, "size=10X is not a size"),
        ({"size": "1.5G"}, "size=1.5G is not a size"),
        ({"size": "0"}, "size=0 is not a size"),
        ({"size": "1000"}, "size=1000 is less than 1M"),
        ({"size": "99999999999P"}, "more than any file system holds"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(given: dict[str, str], told: str) -> None:
    with pytest.raises(BadRequest) as refused:
        options.parse(given)

    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("1M", 2**20),
        ("1m", 2**20),
        ("2GiB", 2**31),
        ("2gb", 2**31),
        ("1048576", 2**20),
        ("1048576B", 2**20),
        (" 1T ", 2**40),
    ],
)
def test_sizes_are_written_as_people_write_them(text: str, bytes_: int) -> None:
    assert bytes_ == options.size(text)


@given(st.dictionaries(st.sampled_from(sorted(options.MEANINGS)) | st.text(), st.text()))
def test_whatever_is_given_is_read_or_refused(given: dict[str, str]) -> None:
    try:
        asked = options.parse(given)
    except BadRequest:
        return
    assert given == asked.given

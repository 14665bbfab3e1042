import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemonkit.errors import BadRequest
from volplugin.names import check_volume


@pytest.mark.parametrize(
    ("name", "tenant", "plain"), [("db", None, "db"), ("acme/db-1", "acme", "db-1"), ("9" * 128, None, "9" * 128)]
)
def test_a_name_has_maybe_a_tenant_before_it(name: str, tenant: str | None, plain: str) -> None:
    found = check_volume(name)

    assert (tenant, plain) == (found["tenant"], found["plain"])


@pytest.mark.parametrize(
    "name",
    [
        "",
        "c",
        "..",
        "../x",
        "a/../b",
        "a/b/c",
        "/etc",
        "a/",
        "-rf",
        ".hidden",
        "a b",
        "a\0b",
        "a\nb",
        "ä" * 3,
        "x" * 129,
        "\udcff\udcff",
    ],
)
def test_what_could_end_in_another_path_or_option_is_no_name(name: str) -> None:
    with pytest.raises(BadRequest, match="a volume cannot be called"):
        check_volume(name)


@given(st.text())
def test_a_name_that_is_taken_is_no_path_out_of_its_directory(name: str) -> None:
    try:
        plain = check_volume(name)["plain"]
    except BadRequest:
        return
    assert plain not in {".", ".."}
    assert "/" not in plain


@given(st.text())
def test_what_is_said_of_a_name_can_be_printed(name: str) -> None:
    with contextlib.suppress(BadRequest):
        check_volume(name)
        return
    with pytest.raises(BadRequest) as refused:
        check_volume(name)
    assert str(refused.value).isprintable()

"""docs/networks.md lists every option of a network, with the values and defaults that the program has."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from netplugin import options
from records.model import Gateway, Isolation, Kind

PAGE = Path(__file__).parents[3] / "docs" / "networks.md"


def rows() -> dict[str, tuple[str, str]]:
    """Return the values and the default of each option."""
    table = re.findall(r"^\| `([a-z0-9_.]+)` \| (.*?) \| (.*?) \| .* \|$", PAGE.read_text(), re.MULTILINE)
    return {name: (values, default) for name, values, default in table}


def test_every_option_is_there_and_no_other() -> None:
    assert options.KNOWN | {options.DOCKER_MTU, options.DOCKER_PREFIX} == rows().keys()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("moorage.kind", Kind),
        ("moorage.gateway", Gateway),
        ("moorage.isolation", Isolation),
        ("moorage.publish", options.Publish),
    ],
)
def test_every_choice_is_there(name: str, values: type[StrEnum]) -> None:
    assert ", ".join(f"`{value}`" for value in values) == rows()[name][0]


def test_defaults_and_bounds_are_those_of_the_program() -> None:
    found, asked = rows(), options.parse({})

    assert f"`{asked.tenant}`" == found["moorage.tenant"][1]
    assert f"`{asked.kind}`" == found["moorage.kind"][1]
    assert found["moorage.gateway"][1].startswith(f"`{asked.gateway}`;")
    assert f"`{asked.isolation}`" == found["moorage.isolation"][1]
    assert found["moorage.mtu"][1].startswith(f"{asked.mtu};")
    assert f"{options.MTU_MIN} to {options.MTU_MAX}" == found["moorage.mtu"][0]
    assert f"1 to {options.VLAN_MAX}" == found["moorage.segment"][0]
    assert f"`{asked.prefix}`" == found[options.DOCKER_PREFIX][1]

"""What the example for Compose says is what the driver understands."""

import re
from pathlib import Path

from netplugin import endpoint_options, options, subnets, wire

EXAMPLE = Path(__file__).parents[3] / "examples" / "container-options.yaml"


def said(text: str) -> dict[str, str]:
    return dict(re.findall(r"^ +(moorage\.[a-z0-9]+): ([^ \n]+)", text, re.MULTILINE))


def test_the_options_of_the_example_are_known_and_fit_each_other() -> None:
    services, _, networks = EXAMPLE.read_text().partition("\nnetworks:\n")
    zoo1, _, edge = services.partition("\n  edge:\n")

    first, second = endpoint_options.parse(said(zoo1)), endpoint_options.parse(said(edge))
    network = options.parse({wire.GENERIC: said(networks)})

    assert ("zoo1", 20_000, 5_000) == (first.sticky, first.receive_rate, first.send_rate)
    assert second.spoof
    null = [wire.IPAMData(pool=subnets.NULL_POOL)]
    (pool,) = subnets.pools(wire.CreateNetwork(network_id="n", ipv4_data=null), network.given)
    assert second.ip is not None
    assert second.ip in pool.cidr

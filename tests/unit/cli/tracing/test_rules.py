import pytest

from cli.tracing.rules import NotRules, Option, parse, rule
from tests.tracing import golden


def test_what_iptables_save_prints_is_read_with_tables_chains_and_policies() -> None:
    found = parse(golden("docker.iptables"))

    forward = found.chain("filter", "FORWARD")
    assert forward is not None
    assert {"raw", "nat", "filter"} == set(found.tables)
    assert ("DROP", 11) == (forward.policy, len(forward.rules))
    assert [rule.target for rule in forward.rules[:2]] == ["DOCKER-USER", "DOCKER-ISOLATION-STAGE-1"]


def test_a_rule_is_cut_into_matches_target_and_arguments() -> None:
    found = rule("-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80")

    assert "DOCKER" == found.chain
    assert Option("-i", ("docker0",), negated=True) == found.matches[0]
    assert ("DNAT", (Option("--to-destination", ("172.17.0.2:80",)),)) == (found.target, found.arguments)
    assert not found.ours


def test_a_comment_may_begin_with_a_dash_and_hold_spaces() -> None:
    found = rule('-A INPUT -m comment --comment "-j DROP is not meant" -j ACCEPT')

    assert "ACCEPT" == found.target
    assert Option("--comment", ("-j DROP is not meant",)) in found.matches


def test_a_goto_is_no_jump_and_counters_are_left_out() -> None:
    found = parse("*filter\n:A - [0:0]\n[3:180] -A FORWARD -g A\n").chain("filter", "FORWARD")

    assert found is not None
    assert found.rules[0].goto
    assert "A" == found.rules[0].target


def test_what_moorage_made_is_known_by_its_chain_or_its_comment() -> None:
    assert rule("-A MOORAGE-FORWARD -i mg-+ -j DROP").ours
    assert rule('-A FORWARD -m comment --comment "moorage:04650c6b95705dd1" -j MOORAGE-FORWARD').ours


def test_the_warning_of_another_backend_is_kept() -> None:
    text = "*filter\nCOMMIT\n# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n"

    assert ("iptables-legacy tables present, use iptables-legacy-save to see them",) == parse(text).notes


@pytest.mark.parametrize("text", ["hello", "*filter\n-A", '*filter\n-A INPUT -m comment --comment "open -j DROP'])
def test_what_is_no_ruleset_is_refused(text: str) -> None:
    with pytest.raises(NotRules):
        parse(text)

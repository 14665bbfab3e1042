"""Rules as the kernel sees them: random rulesets are loaded, a packet is sent, and the evaluator must say the same.

A datagram that OUTPUT drops is an error of its sender (EPERM) at once, so that hundreds take seconds.
"""

from __future__ import annotations

import dataclasses
import json
import random
import sys

import pytest

from cli.tracing.firewall import Fate, traverse
from cli.tracing.matching import Surroundings
from cli.tracing.packet import EPHEMERAL
from cli.tracing.rules import parse
from lab.command import run
from tests.tracing import packet

pytestmark = pytest.mark.system

RULESETS = 200
SOURCE, TARGET, PORT = "127.0.0.1", "127.0.0.9", 5300
KERNEL = f"""
import json, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
told = []
for ruleset in json.load(sys.stdin):
    subprocess.run(["iptables-restore"], input=ruleset, text=True, check=True)
    subprocess.run(["conntrack", "-F"], capture_output=True, check=True)  # each packet is a connection's first
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("{SOURCE}", {EPHEMERAL}))
        try:
            sender.sendto(b"x", ("{TARGET}", {PORT}))
            told.append((saved, True))
        except PermissionError:
            told.append((saved, False))
json.dump(told, sys.stdout)
"""
CHAINS = ("OUTPUT", "A", "B", "C")
MATCHES = (
    *("-p udp", "-p tcp", "! -p udp", "-p 17", "-s 127.0.0.1", "! -s 127.0.0.1", "-d 127.0.0.8/30", "-d 127.0.0.8/31"),
    *("! -d 127.0.0.9", "-s 127.0.0.0/255.0.0.255", "-o lo", "! -o lo", "-o l+", "-o +", "! -o eth+", "-o lo0"),
    *(f"-p udp -m udp --dport {PORT}", "-p udp -m udp --dport 5301", "-p udp -m udp --dport 5000:5300"),
    *("-p udp -m udp ! --dport 5000:5299", f"-p udp -m udp --sport {EPHEMERAL}", "-p udp -m udp --sport :39999"),
    *("-p udp -m multiport --dports 53,5300", "-p udp -m multiport ! --dports 53,5000:5400"),
    *("-p udp -m multiport --ports 40000", "-p udp -m multiport --sports 1,2"),
    *("-m conntrack --ctstate NEW", "-m conntrack --ctstate RELATED,ESTABLISHED", "-m conntrack ! --ctstate INVALID"),
    *("-m conntrack --ctorigdst 127.0.0.9", "-m conntrack --ctorigdstport 1", "-m conntrack --ctdir ORIGINAL"),
    *("-m state --state NEW", "-m addrtype --dst-type LOCAL", "-m addrtype ! --src-type LOCAL"),
    *("-m addrtype --dst-type MULTICAST,BROADCAST", "-m addrtype --dst-type UNICAST", '-m comment --comment "-j DROP"'),
    *("-m iprange --dst-range 127.0.0.5-127.0.0.9", "-m iprange ! --src-range 127.0.0.1-127.0.0.2"),
    *("-m mark --mark 0x0", "-m mark --mark 0x1/0x1", "-m mark ! --mark 0x4", "-m mark --mark 0x6/0xe"),
    *("-m connmark --mark 0x0", "-m connmark --mark 0x2/0x2", "-m physdev ! --physdev-is-bridged", ""),
)
MARKS = (
    *("MARK --set-mark 0x6", "MARK --set-xmark 0x3/0x1", "MARK --or-mark 0x4", "MARK --xor-mark 0x1"),
    *("MARK --and-mark 0x2", "CONNMARK --set-mark 0x2", "CONNMARK --save-mark", "CONNMARK --restore-mark"),
)


def lines(chance: random.Random, chain: str) -> list[str]:
    """Return rules of a chain; jumps lead to the right only."""
    targets = ["-j ACCEPT", "-j DROP", "-j RETURN", "-j LOG", ""]
    targets += [f"{how} {to}" for to in CHAINS[CHAINS.index(chain) + 1 :] for how in ("-j", "-g")] * 2
    found = []
    for _ in range(chance.randint(0, 4)):
        matches = " ".join(chance.sample(MATCHES, chance.choice((1, 1, 2))))
        if matches.count("-p ") < 2 and not any(matches.count(f"{option} ") > 1 for option in ("-s", "-d", "-o")):
            found.append(f"-A {chain} {matches} {chance.choice(targets)}")
    return found


def ruleset(chance: random.Random) -> str:
    """Return what `iptables-restore` reads: marks in mangle, verdicts in filter."""
    marks = [
        f"-A OUTPUT {chance.choice(MATCHES)} -j {chance.choice(MARKS)}" for _ in range(chance.choice((0, 0, 1, 3)))
    ]
    chains = [f":OUTPUT {chance.choice(('ACCEPT', 'DROP'))} [0:0]", *(f":{chain} - [0:0]" for chain in CHAINS[1:])]
    rules = [line for chain in CHAINS for line in lines(chance, chain)]
    return "\n".join(["*mangle", ":OUTPUT ACCEPT [0:0]", *marks, "COMMIT", "*filter", *chains, *rules, "COMMIT", ""])


def test_the_evaluator_says_of_random_rulesets_what_the_kernel_does(machine: None) -> None:
    chance = random.Random(20)  # noqa: S311  # the same ones each time
    given = [ruleset(chance) for _ in range(RULESETS)]
    said = run(["unshare", "-n", sys.executable, "-c", KERNEL], stdin=json.dumps(given), timeout=120)
    sent = packet(f"udp {SOURCE} {TARGET} {PORT}", outside="lo", from_host=True)

    passed = 0
    for saved, expected in json.loads(said):
        rules = parse(saved)
        marked = traverse(rules, "mangle", "OUTPUT", sent, Surroundings())
        found = traverse(rules, "filter", "OUTPUT", marked.packet, Surroundings())

        assert {True: Fate.PASSES, False: Fate.DROPPED}[expected] is found.fate, (found, saved)
        assert dataclasses.replace(marked.packet, mark=0, connection_mark=0) == sent
        passed += expected
    assert RULESETS // 5 < passed < RULESETS * 4 // 5  # both happen

from pathlib import Path

import pytest

from daemonkit import config
from daemonkit.config import Config, ConfigError, load, parse
from daemonkit.options import page

ROOT = Path(__file__).parents[3]

WRONG = {
    '[netplugin]\n\njion = "x"': "f:3: unknown option 'jion' in [netplugin]; did you mean 'join'?",
    '# hello\n[netplugn]\njoin = "strict"': "f:2: unknown section [netplugn]; did you mean 'netplugin'?",
    "\nnetplugin = 3": "f:2: netplugin must be a section: write [netplugin]",
    "[[log]]": "f:1: log must be a section: write [log]",
    "netplugin.join_within = 1\nnetplugin.speed = 2": "f:2: unknown option 'speed' in [netplugin]; there are: socket,",
    "\nnetplugin = { speed = 2 }": "f:2: unknown option 'speed' in [netplugin]",
    "[netplugin]\nthreads = 1": "f:2: option 'threads' in [netplugin] is 1 but must be a whole number from 2 to 256",
    "[netplugin]\nthreads = true": "f:2: option 'threads' in [netplugin] is True but must be a whole number",
    '[netplugin]\nthreads = "32"': "f:2: option 'threads' in [netplugin] is '32' but must be a whole number",
    "[netplugin]\njoin_within = -1": "must be a number from 0 to 60 (seconds)",
    "[netplugin]\njoin_within = nan": "must be a number from 0 to 60 (seconds)",
    "[netplugin]\njoin_within = inf": "must be a number from 0 to 60 (seconds)",
    '[netplugin]\njoin = "maybe"': 'must be one of "lenient", "strict"',
    '[netplugin]\nsocket = "relative.sock"': "must be an absolute path",
    f'[netplugin]\nsocket = "/{"x" * 107}"': "at most 107 bytes",
    '[openvswitch]\nbridge = "a-name-of-16-byte"': "must be an interface name",
    '[openvswitch]\nbridge = "br0; reboot"': "must be an interface name",
    '[openvswitch]\nbridge = "br0\\n"': "must be an interface name",
    '[host]\nname = "two words"': "must be a host name",
    '[records]\nremote = "localhost"': "must be addresses like",
    "[netplugin\n": "f:1: not TOML:",
    "[log]\nlevel =": "f:2: not TOML:",
    "[log]\n[log]": "f:2: not TOML:",
    '[log]\nlevel="info"\nlevel="debug"': "not TOML",
}


@pytest.mark.parametrize(("text", "error"), WRONG.items())
def test_what_is_wrong_is_told_with_file_line_and_cure(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, "f")

    assert error in str(raised.value)
    assert str(raised.value).startswith("f:")


def test_options_that_are_not_given_have_their_defaults() -> None:
    given = parse('[netplugin]\njoin = "strict"\njoin_within = 3\n[records]\n', "f")

    assert given.netplugin.join == "strict"
    assert given.netplugin.join_within == 3.0
    assert given.netplugin.threads == Config().netplugin.threads
    assert given.records == Config().records


def test_a_missing_default_file_means_all_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "DEFAULT_PATH", tmp_path / "none.toml")

    assert Config() == load()


def test_a_missing_named_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "moorage.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"moorage\.toml: cannot be read"):
        load(path)


def test_several_members_of_the_database_are_named_with_commas() -> None:
    remote = "tcp:10.0.0.1:6641,tcp:10.0.0.2:6641,tcp:[fd00::3]:6641"

    assert remote == parse(f'[records]\nremote = "{remote}"', "f").records.remote


def test_a_host_without_a_configured_name_has_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "machine")

    assert Config().host_name() == "machine"
    assert parse('[host]\nname = "a.example"', "f").host_name() == "a.example"


def test_the_page_of_options_is_what_the_code_says() -> None:
    assert page(Config) == (ROOT / "docs" / "options.md").read_text(), (
        "run: python -m daemonkit.config > docs/options.md"
    )

import pytest

from volplugin.backends.gluster_source import OPTIONS, VALUES, Source, mount_options, parse
from volplugin.backends.glusterfs import GlusterFS
from volplugin.backends.kind import BadDefinition, Definition, Server
from volplugin.mountinfo import Mounted


def backend(source: str = "g1,g2:/vol/docker", **options: str) -> Definition:
    return Definition(name="gl", kind="glusterfs", source=source, options=options)


def mounted(source: str, kind: str = "fuse.glusterfs") -> Mounted:
    return Mounted(device="0:99", root="/", target="/m", type=kind, source=source)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("g1:/vol", Source(("g1",), "vol")),
        ("g1,g2,10.0.0.3:/vol", Source(("g1", "g2", "10.0.0.3"), "vol")),
        ("g1:/vol/", Source(("g1",), "vol")),
        ("g1.example.org:/my-vol_1/a/b.c", Source(("g1.example.org",), "my-vol_1", "/a/b.c")),
    ],
)
def test_a_source_is_servers_a_volume_and_maybe_a_directory(text: str, expected: Source) -> None:
    assert expected == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vol",
        "g1:vol",
        ":/vol",
        "g1:/",
        "g1,:/vol",
        "g1 g2:/vol",
        "-o:/vol",
        "g1;reboot:/vol",
        f"{'x' * 64}:/vol",
        "g1,g1:/vol",
        "g1:/vol ume",
        "g1:/vol//a",
        "g1:/vol/../etc",
        "g1:/vol/a/./b",
        "g1:/vol/$(reboot)",
        "g1:/vol/*",
        "g1:/vol/a b",
        "g1:/vol/a,ro",
        "g1:/vol/-o",
        "g1:/vol\n",
        "g1:/vol/a\n",
        "g1:/snaps/s1/vol",
    ],
)
def test_what_the_client_would_take_for_something_else_is_refused(text: str) -> None:
    with pytest.raises(BadDefinition):
        GlusterFS().check(backend(text))


def test_the_error_names_the_part_and_the_form() -> None:
    with pytest.raises(BadDefinition, match="'b d' in the source 'g1,b d:/vol' is not a server's name"):
        parse("g1,b d:/vol")
    with pytest.raises(BadDefinition, match="such as g1,g2:/vol"):
        parse("vol")


def test_options_become_those_of_mount() -> None:
    given = {"acl": "yes", "noatime": "", "selinux": "no", "log-level": "DEBUG", "entry-timeout": "0.5"}

    assert ["acl", "noatime", "log-level=DEBUG", "entry-timeout=0.5"] == mount_options(given)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("acl", "maybe"),
        ("log-level", "DEBUG,log-file=/etc/passwd"),
        ("log-level", "debug info"),
        ("entry-timeout", "-1"),
        ("entry-timeout", "1\n"),
        ("lru-limit", "many"),
        ("oom-score-adj", "x"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_can(option: str, value: str) -> None:
    with pytest.raises(BadDefinition, match=option):
        GlusterFS().check(backend(**{option: value}))


@pytest.mark.parametrize("option", ["log-file", "backup-volfile-servers", "ro", "xlator-option", "Acl"])
def test_options_that_are_ours_or_unknown_are_refused(option: str) -> None:
    with pytest.raises(BadDefinition, match="has no option"):
        GlusterFS().check(backend(**{option: "x"}))


def test_every_option_has_a_meaning() -> None:
    assert all(OPTIONS.values())
    assert set(VALUES) < set(OPTIONS)


def test_a_mount_is_the_backends_by_whichever_of_its_servers_it_came_about() -> None:
    def is_mounted(backend: Definition, there: Mounted) -> bool:
        return GlusterFS().is_mounted(backend, there, [there])

    assert is_mounted(backend(), mounted("g1:/vol/docker"))
    assert is_mounted(backend(), mounted("g2:/vol/docker"))
    assert not is_mounted(backend(), mounted("g3:/vol/docker"))
    assert not is_mounted(backend(), mounted("g1:/vol"))
    assert not is_mounted(backend(), mounted("g1:/vol/docker", "ext4"))


def test_its_servers_are_where_glusterd_listens() -> None:
    assert [Server("g1", 24007), Server("g2", 24007)] == GlusterFS().servers(backend())

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from volplugin.backends.kind import BadDefinition
from volplugin.backends.nfs_options import share

texts = st.text(max_size=20) | st.sampled_from(
    ["nas:/a", "vers", "4.1", "soft", "timeo", "3", "", "nosuid", "sec", "krb5"]
)


@given(texts, st.dictionaries(texts, texts, max_size=3))
def test_whatever_is_accepted_is_one_word_for_mount(source: str, options: dict[str, str]) -> None:
    with contextlib.suppress(BadDefinition):
        asked = share(source, options)

        assert not asked.source.startswith("-")
        assert asked.source.isprintable()
        assert " " not in asked.source
        assert all(word.isprintable() and " " not in word for word in asked.words.split(","))
        assert len(asked.words.split(",")) <= len(options) + 2

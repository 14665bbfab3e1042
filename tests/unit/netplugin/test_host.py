from netplugin.host import space_of
from records.memory import MemoryStore


def test_a_host_has_an_address_space_of_its_own() -> None:
    store = MemoryStore()
    space, writes = space_of(store.snapshot(), "a")
    store.commit(writes)

    assert (space, []) == space_of(store.snapshot(), "a")
    assert space != space_of(store.snapshot(), "b")[0]

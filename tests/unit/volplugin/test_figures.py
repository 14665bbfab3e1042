import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.volume_machine import FakeMachine
from tests.volume_plugin import VolumePlugin, volume_plugin
from volplugin.figures import Calls, Figures
from volplugin.health import health
from volplugin.system.worker import HungError, WorkerError


def told(made: VolumePlugin) -> str:
    registry = CollectorRegistry()
    registry.register(Figures(made.store, lambda: made.keepers, made.host))
    return generate_latest(registry).decode()


def test_a_backend_is_told_with_its_volumes_and_who_holds_them() -> None:
    with volume_plugin() as made:
        made.create("db")
        made.create("web")
        made.mount("db", 1)
        text = told(made)

    for line in (
        'moorage_backend_up{backend="disk"} 1.0',
        'moorage_backend_hung{backend="disk"} 0.0',
        'moorage_backend_mounted{backend="disk"} 1.0',
        'moorage_backend_mounted_volumes{backend="disk"} 1.0',
        'moorage_backend_volumes{backend="disk",state="ready"} 2.0',
        'moorage_backend_holders{backend="disk"} 1.0',
    ):
        assert line in text


def test_a_backend_that_hangs_is_told_so() -> None:
    machine = FakeMachine()
    with volume_plugin(machine=machine) as made:
        made.create("db")
        machine.hung.add("disk")
        made.refused("VolumeDriver.Mount", {"Name": "db", "ID": "1"})
        text = told(made)
        (keeper,) = made.keepers
        found = health(keeper, machine.mounts())

    assert 'moorage_backend_up{backend="disk"} 0.0' in text
    assert 'moorage_backend_hung{backend="disk"} 1.0' in text
    assert found["hung"]
    assert "backend disk does not answer" in found["problem"]


@pytest.mark.parametrize(("answer", "result"), [({"result": 1}, "ok"), ({"error": "no"}, "failed"), (None, "hung")])
def test_work_at_a_backend_is_measured_by_verb_and_result(
    answer: dict[str, object] | None, result: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exchange(*_: object) -> object:
        if answer is None:
            raise TimeoutError
        return answer

    registry = CollectorRegistry()
    worker = Calls(registry).worker("disk")
    monkeypatch.setattr(worker, "_exchange", exchange)
    try:
        worker.call("mount", 1.0)
    except HungError:
        assert result == "hung"
    except WorkerError:
        assert result == "failed"

    line = f'moorage_backend_call_seconds_count{{backend="disk",result="{result}",verb="mount"}} 1.0'
    assert line in generate_latest(registry).decode()

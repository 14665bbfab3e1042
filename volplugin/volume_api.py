"""Docker's VolumeDriver methods: decode, do, reply."""

from __future__ import annotations

from flask import Blueprint, Response, request

from daemonkit.errors import BadRequest
from daemonkit.plugin import decode, hang_up, reply
from records.errors import RecordsError
from volplugin import wire
from volplugin.driver import VolumeDriver


def blueprint(driver: VolumeDriver) -> Blueprint:
    """Return the methods (docker/docs: extend/plugins_volume.md)."""
    api = Blueprint("volume", __name__)

    @api.post("/VolumeDriver.Capabilities")
    def capabilities() -> Response:
        return reply({"Capabilities": {"Scope": "global"}})

    @api.post("/VolumeDriver.Create")
    def create() -> Response:
        asked = decode(wire.Create)
        driver.create(asked.name, asked.opts or {})
        return reply({})

    @api.post("/VolumeDriver.Remove")
    def remove() -> Response:
        driver.remove(decode(wire.Named).name)
        return reply({})

    @api.post("/VolumeDriver.Get")
    def get() -> Response:
        # An error means "no such volume" to Docker, which then makes a local one of that name (PROTOCOL 4.4): only
        # what is known not to exist may be answered so.
        if not request.get_data(cache=True).strip():
            return hang_up()
        try:
            return reply({"Volume": driver.get(decode(wire.Named).name)})
        except RecordsError as error:
            return hang_up(str(error))

    @api.post("/VolumeDriver.List")
    def list_() -> Response:
        try:
            return reply({"Volumes": driver.list()})
        except RecordsError as error:
            return hang_up(str(error))

    @api.post("/VolumeDriver.Path")
    def path() -> Response:
        return reply({"Mountpoint": driver.path(decode(wire.Named).name)})

    @api.post("/VolumeDriver.Mount")
    def mount() -> Response:
        asked = decode(wire.Mount)
        return reply({"Mountpoint": driver.mount(asked.name, asked.id)})

    @api.post("/VolumeDriver.Unmount")
    def unmount() -> Response:
        asked = decode(wire.Mount)
        if not asked.id:
            raise BadRequest("Unmount without the id of a mount")
        driver.unmount(asked.name, asked.id)
        return reply({})

    return api

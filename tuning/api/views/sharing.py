"""Sharing devices: people's shares and caps, reservations."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.catalogue import WorkerHost
from tuning.api.serializers.sharing import CapChange, DeviceReservation, People, PersonRow
from tuning.api.views.control import control_schema, host_shown
from tuning.selectors.sharing import people_overview
from tuning.services.reserving import release_device, reserve_device
from tuning.services.sharing import set_cap


class AllPeople(Endpoint):
    """Who uses how much."""

    @extend_schema(
        operation_id="people",
        summary="List people and what they use",
        description="Everybody's trials on workers now, device time of the last day, and cap.",
        tags=["sharing"],
        responses=People,
    )
    def get(self, request: Request) -> Response:
        self.query()
        return Response(shown(People, {"results": people_overview()}))


class OnePerson(Endpoint):
    """A person's cap."""

    @extend_schema(
        operation_id="people_change",
        summary="Set a person's cap",
        description="How many trials of a person may run on workers at once. What runs goes on. For administrators.",
        tags=["sharing"],
        request=CapChange,
        responses=PersonRow,
    )
    def patch(self, request: Request, person_id: int) -> Response:
        person = set_cap(user_id=person_id, actor=self.person, **self.body(CapChange))
        row = next(row for row in people_overview(people=[person]))
        return Response(shown(PersonRow, row))


class ReserveDevice(Endpoint):
    """A device kept for one person."""

    @control_schema(
        "devices_reserve",
        "Reserve a device",
        "Only your own trials start on the device until then; what runs of others goes on to its end, and jobs may "
        "always run. Administrators may reserve for anybody.",
        request=DeviceReservation,
        responses=WorkerHost,
    )
    def post(self, request: Request, device_id: int) -> Response:
        device = reserve_device(device_id=device_id, actor=self.person, **self.body(DeviceReservation))
        return host_shown(device.host_id)


class ReleaseDevice(Endpoint):
    """A device given back."""

    @control_schema(
        "devices_release",
        "Give a device back",
        "Ends a reservation of your own, or as an administrator anybody's.",
        responses=WorkerHost,
    )
    def post(self, request: Request, device_id: int) -> Response:
        self.body()
        return host_shown(release_device(device_id=device_id, actor=self.person).host_id)

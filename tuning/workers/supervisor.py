"""The supervisor of one host: starts its django-q cluster in a session of its own and watches it from outside.

A django-q cluster cannot be trusted to watch itself: killing its sentinel leaves its workers alive while main exits 0,
and killing an idle worker that holds the queue's lock hangs it for good. So the supervisor restarts it whole when main
or the sentinel is gone, or when a free slot ignores a hint for too long.
"""

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django_q.brokers import get_broker

from tuning.models import Host
from tuning.selectors.asides import due_for_diagnosis, due_for_importance
from tuning.selectors.hosts import idle_slots
from tuning.selectors.work import busy_slots, device_slots, enabled_slots, host_devices, host_slots, open_attempts
from tuning.services.budget import end_timed_out
from tuning.services.checkpoints import note_checkpoints
from tuning.services.devices import note_device
from tuning.services.diagnostics import look_at_next as look_at_curves
from tuning.services.hosts import (
    beat_host,
    drain_host,
    forget_hints,
    leave_host,
    register_host,
    slots_with_aged_hints,
)
from tuning.services.importance import look_at_next as look_at_importance
from tuning.services.jobs import request_counts, request_describe
from tuning.services.lifecycle import start_awaiting
from tuning.services.reaper import reap_dead, reap_expired, release_slot
from tuning.services.worth import look_at_next
from tuning.workers import wake
from tuning.workers.aside import Aside
from tuning.workers.checkpoints import drop_checkpoints, keep_within_budget
from tuning.workers.devices import PLACES, find_devices, host_facts, trouble_with
from tuning.workers.frozen import FrozenWatch
from tuning.workers.launcher import Launcher, configured_launcher
from tuning.workers.processes import boot_id, children, end_session, is_cluster, session_members
from tuning.workers.slots import slot_holder, slot_lock

logger = logging.getLogger(__name__)

LOOP_SECONDS = 0.5
BEAT_SECONDS = 3.0
REAP_SECONDS = 2.0
HINT_SECONDS = 2.0
DEVICE_SECONDS = 3.0
COUNT_SECONDS = 3.0  # a study is pinned to data: within this the host is asked whether it has the same
AWAITING_SECONDS = 2.0  # studies that start once their preflight has passed
WORTH_SECONDS = 5.0  # of one study: what its next hour promises
ASIDE_SECONDS = 2.0  # of one study: its learning curves, or which parameters mattered
DROPPED_SECONDS = 5.0  # checkpoints of trials that a scheduler has cut go within this
KEPT_SECONDS = 30.0  # how often all checkpoints are measured, where their disk is limited
DEAF_SECONDS = 20.0  # a hint this old on a free slot means that the cluster does not listen
DOUBLINGS = 4  # of DEAF_SECONDS, once for each start in a row that came to nothing: a busy machine starts slowly
SHAKEN_SECONDS = 4.0  # the same once a process of the cluster has died: it may have died with the queue's lock
STOP_SECONDS = 5.0  # from SIGTERM of the idle cluster's main to SIGKILL of its session, where the grace allows it


def nobody_works(slot_id: int) -> bool:
    """Whether the slot's lock is free: a slot may look idle in the database for a moment between two trials."""
    with slot_lock(slot_id) as free:
        return free


class HostTaken(Exception):
    """Another supervisor of this host runs on this machine."""


class Supervisor:
    """One per host. `run` loops over `step` until a signal; each step can be called on its own in a test."""

    def __init__(self, launcher: Launcher | None = None) -> None:
        self.launcher = launcher or configured_launcher()
        self.host: Host | None = None
        self.cluster: subprocess.Popen[bytes] | None = None
        self.cluster_started = 0.0
        self.members: set[int] = set()  # the sentinel's children at the last look
        self.working: set[int] = set()  # those of them that held a slot then
        self.shaken = False  # whether another of them has died since the cluster was started
        self.deaf_starts = 0  # in a row: how often a cluster that lives was started anew because it did not listen
        self.stopping = threading.Event()
        self.frozen = FrozenWatch(lambda: self.cluster.pid if self.cluster else None)
        self.aside = Aside()
        self._due: dict[str, float] = {}

    def run(self) -> None:
        """Supervise until SIGTERM or SIGINT, then shut down in order."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        self.start()
        self.frozen.start()
        try:
            while not self.stopping.is_set():
                self.step()
                self.stopping.wait(LOOP_SECONDS)  # a sleep would be finished after the signal
        finally:
            self.shut_down()
            self.frozen.stop()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping.set()

    def start(self) -> None:
        """Clear what a former supervisor of this host left, announce the host, start the cluster."""
        self.take_host()
        devices = [*find_devices(), PLACES]
        self.end_former_cluster()
        self.end_leftovers()
        self.host = register_host(
            name=settings.HOST_NAME,
            boot_id=boot_id(),
            facts=host_facts(),
            devices=devices,
            labels=settings.LABELS,
        )
        reap_dead(host=settings.HOST_NAME, is_alive=self.launcher.alive)
        get_broker(list_key=wake.queue_of(settings.HOST_NAME)).purge_queue()
        request_describe(actor=None, host=settings.HOST_NAME)
        self.start_cluster()

    def take_host(self) -> None:
        """Hold the host's name on this machine until this process ends. Raises HostTaken."""
        path = self._folder() / f"supervisor-{settings.HOST_NAME}.lock"
        self._hold = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._hold)
            raise HostTaken(
                f"The workers of {settings.HOST_NAME} are supervised already. End that `manage.py worker` first, or "
                "give this one a name and a folder of its own by HPWEB_HOST and HPWEB_HOME."
            ) from error

    def end_former_cluster(self) -> None:
        """End the cluster of a supervisor that was killed: it would go on without one."""
        note = self._note()
        if not note.exists():
            return
        try:
            former = json.loads(note.read_text())
            session, boot = int(former["session"]), str(former["boot_id"])
        except (ValueError, TypeError, KeyError):
            logger.warning("%s cannot be read: the supervisor was killed while it wrote it", note)
        else:
            if boot == boot_id() and any(is_cluster(pid) for pid in session_members(session)):
                logger.warning("ending the cluster of a supervisor that was killed")
                end_session(session, grace=0.0)
        note.unlink()

    def end_leftovers(self) -> None:
        """End the processes of this host's unfinished attempts, whose trials are then requeued at once, and whatever
        others were left on slots that nobody works: a process that is gone may have started some."""
        for attempt in open_attempts(settings.HOST_NAME):
            if self.launcher.alive(attempt):
                logger.warning("ending the process of trial %s, left by a former supervisor", attempt.trial_id)
                self.launcher.end_leftover(attempt)
        for slot in host_slots(settings.HOST_NAME):
            with slot_lock(slot.pk) as free:
                if free:
                    self.launcher.clear(slot)

    def start_cluster(self) -> None:
        """Start `manage.py qcluster` on this host's queue, in a session of its own."""
        slots = enabled_slots(settings.HOST_NAME)
        forget_hints(host_id=self._host().pk)
        environment = {
            **os.environ,
            "Q_CLUSTER_NAME": wake.queue_of(settings.HOST_NAME),
            "HPWEB_CLUSTER_WORKERS": str(max(1, slots)),
            "HPWEB_HOST": settings.HOST_NAME,
        }
        self.cluster = subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster", "--skip-checks"],
            cwd=settings.BASE_DIR,
            env=environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        self._note().write_text(json.dumps({"session": self.cluster.pid, "boot_id": boot_id()}))
        self.cluster_started = time.monotonic()
        self.members, self.working, self.shaken = set(), set(), False
        logger.info("cluster %s started for %s slots on %s", self.cluster.pid, slots, settings.HOST_NAME)

    def step(self) -> None:
        """One look: is the cluster well, is a heartbeat, a reaping or a hint due?"""
        self.frozen.asks(True)
        try:
            if not self.cluster_is_well():
                self.restart_cluster()
            if self._is_due("beat", BEAT_SECONDS):
                beat_host(host_id=self._host().pk)
            if self._is_due("reap", REAP_SECONDS):
                reap_expired()
                end_timed_out()
                self.release_left_slots()
            if self._is_due("devices", DEVICE_SECONDS):
                self.look_at_devices()
            if self._is_due("counts", COUNT_SECONDS):
                request_counts(host=self._host())
            if self._is_due("awaiting", AWAITING_SECONDS):
                start_awaiting()
            if self._is_due("worth", WORTH_SECONDS):
                look_at_next()
            if self._is_due("aside", ASIDE_SECONDS) and not self.aside.busy:
                self.look_aside()
            if self._is_due("dropped", DROPPED_SECONDS):
                drop_checkpoints()
            if settings.CHECKPOINT_DISK_MB and self._is_due("kept", KEPT_SECONDS):
                kept = keep_within_budget()
                note_checkpoints(host_id=self._host().pk, megabytes=kept.total, trouble=kept.excess)
            if self._is_due("hint", HINT_SECONDS):
                wake.send()
        except (OperationalError, InterfaceError, ConnectionError) as error:
            connection.close()
            logger.warning("the database or the broker is away, trying again: %s", error)
        finally:
            self.frozen.asks(False)

    def look_aside(self) -> None:
        """Have a study looked at whose trials have something new to tell."""
        for is_due, look in ((due_for_diagnosis, look_at_curves), (due_for_importance, look_at_importance)):
            if is_due():
                self.aside.start(look)
                return

    def look_at_devices(self) -> None:
        """Note which devices take no work for now: a process that is no trial holds them, or the disk is full."""
        for device in host_devices(self._host().pk):
            note_device(device=device, unavailable=trouble_with(device, device_slots(device.pk)))

    def release_left_slots(self) -> None:
        """Requeue at once what a worker that died has left: a slot that is busy by the tables, with its lock free."""
        for slot in busy_slots(settings.HOST_NAME):
            with slot_lock(slot.pk) as free:
                if free:
                    self.launcher.clear(slot)
                    release_slot(slot.pk)

    def cluster_is_well(self) -> bool:
        """Main lives, has its sentinel, and no free slot has ignored a hint for DEAF_SECONDS.

        A cluster that was started anew for that reason is given twice as long, and so on: on a machine that is too busy
        to start it within DEAF_SECONDS it would never begin otherwise.

        An idle worker waits for the queue with its lock in hand, and dies with it. So a cluster that has lost a process
        which did not work is given SHAKEN_SECONDS, and is not kept at all while nobody works.
        """
        if self.cluster is None or self.cluster.poll() is not None:
            return False
        self.look_at_members(self.cluster.pid)
        if self.shaken and not self.working:
            return False
        patience = SHAKEN_SECONDS if self.shaken else DEAF_SECONDS * 2 ** min(self.deaf_starts, DOUBLINGS)
        young = time.monotonic() - self.cluster_started < patience
        if young:
            return True
        if not children(self.cluster.pid):
            return False
        aged = set(slots_with_aged_hints(host_id=self._host().pk, seconds=patience))
        idle = aged & set(idle_slots(settings.HOST_NAME).values_list("pk", flat=True))
        if any(nobody_works(slot_id) for slot_id in idle):
            return False
        self.deaf_starts = 0
        return True

    def look_at_members(self, main: int) -> None:
        """Notice that a process of the cluster has died that held no slot.

        None of them ends by itself but the pusher, some time after its broker was away.
        """
        members = {pid for sentinel in children(main) for pid in children(sentinel)}
        working = {holder for slot in busy_slots(settings.HOST_NAME) if (holder := slot_holder(slot.pk))}
        if members and self.members - members - self.working - working:
            self.shaken = True
        self.members, self.working = members, working

    def restart_cluster(self) -> None:
        """End whatever is left of the cluster's session, requeue its trials, start it anew."""
        logger.error("the cluster is not well; starting it anew")
        if self.cluster is not None and self.cluster.poll() is None and not self.shaken:
            self.deaf_starts += 1
        self.end_cluster(0.0)
        self.end_leftovers()
        reap_dead(host=settings.HOST_NAME, is_alive=self.launcher.alive)
        self.start_cluster()

    def end_cluster(self, grace: float) -> None:
        """SIGTERM to main alone (to the group it hangs), then SIGKILL to the session."""
        if self.cluster is None:
            return
        if self.cluster.poll() is None and grace > 0:
            self.cluster.terminate()
            try:
                self.cluster.wait(grace)
            except subprocess.TimeoutExpired:
                logger.debug("the cluster does not leave by itself; killing its session")
        end_session(self.cluster.pid, grace=0.0)
        self.cluster.wait()

    def shut_down(self) -> None:
        """Stop claims, let running trials go back to waiting at a checkpoint, end the cluster, leave nothing behind."""
        host = self._host()
        self.frozen.asks(True)
        try:
            drain_host(host_id=host.pk)
            deadline = time.monotonic() + settings.GRACE_SECONDS
            while time.monotonic() < deadline and self._busy(host):
                time.sleep(0.05)
        except (OperationalError, InterfaceError) as error:
            logger.warning("shutting down without the database: %s", error)
        # Killing an idle cluster loses nothing but hints, so a short grace goes to the trials alone.
        self.end_cluster(STOP_SECONDS if settings.GRACE_SECONDS > STOP_SECONDS else 0.0)
        self._note().unlink(missing_ok=True)
        try:
            self.end_leftovers()
            reap_dead(host=settings.HOST_NAME, is_alive=self.launcher.alive, lost=False)
            leave_host(host_id=host.pk)
        except (OperationalError, InterfaceError) as error:
            logger.warning("the next start will requeue this host's trials: %s", error)
        logger.info("%s is down", settings.HOST_NAME)

    def _folder(self) -> Path:
        folder = Path(settings.STATE_DIR) / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _note(self) -> Path:
        """Which session the cluster runs in, for whoever comes after a supervisor that was killed."""
        return self._folder() / f"cluster-{settings.HOST_NAME}.json"

    def _busy(self, host: Host) -> bool:
        well = self.cluster is not None and self.cluster.poll() is None and bool(session_members(self.cluster.pid))
        return well and open_attempts(host.name).exists()

    def _is_due(self, name: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(name, 0.0):
            return False
        self._due[name] = now + seconds
        return True

    def _host(self) -> Host:
        if self.host is None:
            raise RuntimeError("the supervisor has not been started")
        return self.host

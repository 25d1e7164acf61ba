"""What every run of a claim does, a trial's or a job's: hear its process, look at the claim, renew the lease.

The database decides: a claim that is no longer the newest ends the process. One that is away for a moment is borne, and
one that is away for longer than the lease ends the process before another worker may have the claim.
"""

import time
from abc import ABC, abstractmethod

from django.conf import settings

from tuning.runner.protocol import Message, ProtocolError
from tuning.selectors.control import Control
from tuning.services.errors import StaleLease
from tuning.workers.launcher import TrialProcess
from tuning.workers.patience import LeaseInDanger, Patience, Watch

POLL_SECONDS = 0.1


class Attending(ABC):
    """One claim and its process. `step` is called until there is an `outcome`; each can be called on its own."""

    def __init__(self, holder: str) -> None:
        self.process: TrialProcess | None = None
        self.patience = Patience(holder)
        self.watch: Watch | None = None
        self.outcome = ""
        self.looked = self.beaten = time.monotonic()
        self.grace_ends: float | None = None  # when a process that was asked to pause is ended

    # --- what a kind of run adds -------------------------------------------------------------------------------------
    @abstractmethod
    def control(self) -> Control:
        """What the database says of the claim."""

    @abstractmethod
    def renew_lease(self) -> None:
        """Renew it. Raises StaleLease."""

    @abstractmethod
    def handle(self, message: Message) -> None:
        """Take one message of the process. Raises ProtocolError."""

    @abstractmethod
    def broke_protocol(self, error: ProtocolError) -> None:
        """The process has said what it may not: settle the claim."""

    @abstractmethod
    def process_ended(self, code: int) -> None:
        """The process is gone without an answer: settle the claim."""

    @abstractmethod
    def miss_deadline(self) -> None:
        """The claim has had its time, by the database's clock."""

    @abstractmethod
    def leave_host(self, now: float) -> None:
        """The host goes out of service: give the claim back, or ask the process to pause and set `grace_ends`."""

    @abstractmethod
    def give_back(self) -> None:
        """The grace is over: the claim goes back to waiting, which costs it no retry."""

    # --- what all share ----------------------------------------------------------------------------------------------
    def watch_over(self, process: TrialProcess) -> None:
        """From here on the process is gone before the lease is, also while this thread hangs in a query."""
        self.process = process
        self.watch = Watch(self.patience, process.kill)
        self.watch.start()

    def unwatch(self) -> None:
        if self.watch:
            self.watch.stop()

    def step(self) -> None:
        """Wait briefly for messages, then do what is due: look for a stop, renew the lease, notice the end."""
        process = self.running()
        code = process.exit_code()
        try:
            messages = self.read(process) if code is None else process.channel.poll(0.0)
            for message in messages:
                self.handle(message)
                if self.outcome:
                    return
        except ProtocolError as error:
            self.broke_protocol(error)
            return
        if code is not None and not messages:
            if self.watch and self.watch.fired:
                raise LeaseInDanger
            self.process_ended(code)
            return
        self.tick(time.monotonic())

    def read(self, process: TrialProcess) -> list[Message]:
        return process.channel.poll(POLL_SECONDS)

    def tick(self, now: float) -> None:
        """What is due at `now` (monotonic seconds)."""
        if not self.outcome and now - self.looked >= settings.CONTROL_SECONDS:
            self.looked = now
            control = self.patience.ask(self.control, renews=False)
            if control is not None:
                self.obey(control, now)
        if not self.outcome and now - self.beaten >= settings.HEARTBEAT_SECONDS:
            self.beaten = now
            self.patience.ask(self.renew_lease)
        if not self.outcome and self.grace_ends is not None and now >= self.grace_ends:
            self.give_back()

    def obey(self, control: Control, now: float) -> None:
        """Act on what the database says of this claim. Raises StaleLease where it is no longer the newest."""
        if not control.held:
            raise StaleLease(control.words)
        if control.overdue:
            self.miss_deadline()
        elif control.draining and self.grace_ends is None:
            self.leave_host(now)

    def running(self) -> TrialProcess:
        if self.process is None:
            raise RuntimeError("no process has been started")
        return self.process

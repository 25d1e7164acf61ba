"""The clock of the storm's machine, which jumps: a library (clock.c) that its processes have preloaded.

SQLite has no clock of its own: leases are read off that of each process. So the C library's must jump, not Python's
alone. What waits (sleeps, timeouts) goes by the monotonic clock, as do the ledger's times; no jump moves that.
"""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

from tests.chaos.servers import NotInstalled

SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """One offset in a file, which every process of `environment` has mapped. Raises NotInstalled."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise NotInstalled("no C compiler is installed (Debian: apt-get install gcc libc6-dev)")
        folder.mkdir(parents=True)
        library, path = folder / "clock.so", folder / "offset"
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
        path.write_bytes(struct.pack("=q", 0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(library), "CHAOS_CLOCK_FILE": str(path)}

    @property
    def offset(self) -> int:
        """Seconds by which the processes' time of day differs from the machine's."""
        (seconds,) = struct.unpack("=q", self._map)
        return int(seconds)

    def jump(self, seconds: int) -> None:
        """Set the clock forward, or back, for all at once."""
        struct.pack_into("=q", self._map, 0, self.offset + seconds)

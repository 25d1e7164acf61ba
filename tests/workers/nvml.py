"""The functions of pynvml that hpweb calls, over GPUs that a test describes: no machine of the suite has the driver."""

from dataclasses import dataclass, field
from types import SimpleNamespace


class NVMLError(Exception):
    """As the library raises it."""


@dataclass
class FakeGpu:
    uuid: str = "GPU-1"
    name: str = "Some Accelerator"
    total: int = 80 << 30
    used: int = 500 << 20
    busy: int = 0  # per cent
    processes: dict[int, int | None] = field(default_factory=dict)  # pid -> bytes
    broken: bool = False


class FakeNVML:
    NVMLError = NVMLError

    def __init__(self, *gpus: FakeGpu, driver: bool = True) -> None:
        self.gpus = gpus
        self.driver = driver

    def nvmlInit(self) -> None:
        if not self.driver:
            raise NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        return self.gpus[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> FakeGpu:
        for gpu in self.gpus:
            if gpu.uuid == uuid:
                return gpu
        raise NVMLError("Not Found")

    def nvmlDeviceGetUUID(self, gpu: FakeGpu) -> bytes:
        return gpu.uuid.encode()  # older releases answer with bytes

    def nvmlDeviceGetName(self, gpu: FakeGpu) -> str:
        return gpu.name

    def nvmlDeviceGetMemoryInfo(self, gpu: FakeGpu) -> SimpleNamespace:
        if gpu.broken:
            raise NVMLError("GPU is lost")
        return SimpleNamespace(total=gpu.total, used=gpu.used)

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: FakeGpu) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in gpu.processes.items()]

    def nvmlDeviceGetUtilizationRates(self, gpu: FakeGpu) -> SimpleNamespace:
        if gpu.broken:
            raise NVMLError("GPU is lost")
        return SimpleNamespace(gpu=gpu.busy)

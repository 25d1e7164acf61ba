"""Tables: fields and constraints. Reads live in tuning.selectors, writes in tuning.services."""

from tuning.models.account import Account, ApiToken, DeviceTime
from tuning.models.advice import AdviceTest
from tuning.models.audit import AuditEvent
from tuning.models.host import Device, Host, Slot
from tuning.models.job import Job
from tuning.models.look import DiagnosisLook, ImportanceLook, Look
from tuning.models.metric import CurveSummary, Metric, MetricChunk
from tuning.models.preflight import Draft, Preflight
from tuning.models.reveal import KeptForEver, Reveal, SealedChoice
from tuning.models.rung import Cohort, Rung, RungEntry
from tuning.models.sealed import SEALED_TABLES, SealedMetric, SealedTable
from tuning.models.source import StudySource
from tuning.models.study import Distribution, Parameter, SearchSpace, Study
from tuning.models.trial import Attempt, Trial
from tuning.models.workload import Offering, Split, Workload
from tuning.models.worth import WorthLook

__all__ = [
    "SEALED_TABLES",
    "Account",
    "AdviceTest",
    "ApiToken",
    "Attempt",
    "AuditEvent",
    "Cohort",
    "CurveSummary",
    "Device",
    "DeviceTime",
    "DiagnosisLook",
    "Distribution",
    "Draft",
    "Host",
    "ImportanceLook",
    "Job",
    "KeptForEver",
    "Look",
    "Metric",
    "MetricChunk",
    "Offering",
    "Parameter",
    "Preflight",
    "Reveal",
    "Rung",
    "RungEntry",
    "SealedChoice",
    "SealedMetric",
    "SealedTable",
    "SearchSpace",
    "Slot",
    "Split",
    "Study",
    "StudySource",
    "Trial",
    "Workload",
    "WorthLook",
]

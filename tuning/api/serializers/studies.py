"""Studies: what creates and changes them, and how they are shown."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tuning.api.serializers.strict import Choice, Document, Flag, Integer, MetricValue, StrictSerializer, Text
from tuning.selectors.budget import limits_of
from tuning.selectors.hindrances import hindrances
from tuning.selectors.seal import seal_of
from tuning.selectors.sources import sources_of

STATES = ("DRAFT", "READY", "RUNNING", "PAUSED", "STOPPED", "FINISHED")
STEPS_HELP = "The steps (epochs, mostly) that all trials together may train; the study ends within it. Null: no limit."
DEVICE_HELP = "Seconds that its trials may hold slots in all; then it ends, cut short. Null: no limit."
WORTH_HELP = "Whether it ends before its limits once another hour of device time is not worth it: GET .../worth/."
TIME_HELP = "Seconds from its start to its end; then it ends, cut short. Null: no limit."
CONSTRAINTS_HELP = (
    "Limits on the model of a PyTorch workload, as far as wanted: "
    '{"parameters": 100000, "memory": "2 GB", "flops": 1e9}. They are counted before a trial trains: memory of one '
    "training step, floating-point operations of a forward pass for one example. A configuration above one is pruned, "
    "infeasible, without a value, and costs no budget."
)
SPACE_HELP = (
    "The search space: an object from a parameter's name to its description, such as "
    '{"lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": true}, '
    '"optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]}}. '
    "Types are float, int, categorical and constant; `when` makes a parameter conditional."
)


class EarlierStudy(StrictSerializer):
    """An earlier study that a new one learns from."""

    study = Integer(min_value=1, help_text="Its id. It must be about the same metric in the same direction.")
    assumed = Document(
        required=False,
        help_text="What its trials ran with of parameters that only the new study varies, by name; "
        "trials that lack such a value are left out.",
    )


class StudyCreation(StrictSerializer):
    """A new study; what is left out comes from the workload's description, or from the default."""

    name = Text(max_length=120, help_text="Unique among the owner's studies.")
    workload = Text(
        required=False,
        allow_blank=True,
        max_length=120,
        help_text="Empty: scripts run the trials over this interface.",
    )
    space = Document(required=False, allow_null=True, help_text=SPACE_HELP)
    metric = Text(
        required=False,
        allow_blank=True,
        max_length=120,
        help_text='The metric to optimize, such as "validation/loss".',
    )
    direction = Choice(["minimize", "maximize"], required=False)
    objective = Choice(
        ["best", "last"],
        required=False,
        help_text="Whether a trial's value is its best step's or its last step's.",
    )
    sampler = Text(required=False, max_length=40, help_text="A name from samplers/.")
    sampler_options = Document(required=False)
    scheduler = Text(required=False, max_length=40, help_text="A name from schedulers/.")
    scheduler_options = Document(required=False)
    n_trials = Integer(
        required=False, allow_null=True, min_value=1, help_text="Optional for a grid, or where another limit is given."
    )
    total_resource = Integer(required=False, allow_null=True, min_value=1, help_text=STEPS_HELP)
    device_seconds = Integer(required=False, allow_null=True, min_value=1, help_text=DEVICE_HELP)
    study_seconds = Integer(required=False, allow_null=True, min_value=1, help_text=TIME_HELP)
    parallel = Integer(required=False, min_value=1, help_text="How many trials may run at once.")
    min_resource = Integer(required=False, min_value=1)
    max_resource = Integer(
        required=False,
        allow_null=True,
        min_value=1,
        help_text="The most steps of one trial (epochs, mostly).",
    )
    reduction_factor = Integer(required=False, min_value=2)
    seed = Integer(required=False, allow_null=True, min_value=0, help_text="Drawn at random where it is left out.")
    visibility = Choice(["team", "private"], required=False)
    description = Text(required=False, allow_blank=True, max_length=20_000)
    deterministic = Flag(required=False, help_text="Ask the workers for bitwise repeatable training.")
    trial_seconds = Integer(
        required=False,
        allow_null=True,
        min_value=1,
        help_text="How long a trial may run, over all its attempts; past it it has failed (deadline). Null: no limit.",
    )
    priority = Integer(
        required=False, min_value=-1000, max_value=1000, help_text="Of the studies on workers a higher one goes first."
    )
    constraints = Document(required=False, allow_null=True, help_text=CONSTRAINTS_HELP)
    stop_when_not_worth = Flag(required=False, help_text=WORTH_HELP)
    warm_start = EarlierStudy(
        many=True,
        required=False,
        help_text="Earlier studies whose trials the sampler learns from, as they are now: at most 20, and at most "
        "2,000 trials in all, of more the best and the latest.",
    )


class StudyStart(StrictSerializer):
    """How a study starts."""

    despite = Text(
        required=False,
        allow_blank=True,
        max_length=2_000,
        help_text="Why it starts although its preflight has not passed; kept with the study as `waiver`.",
    )


class StudyChange(StrictSerializer):
    """What may change after creation; only the fields that are sent change."""

    name = Text(required=False, max_length=120)
    description = Text(required=False, allow_blank=True, max_length=20_000)
    visibility = Choice(["team", "private"], required=False)
    parallel = Integer(required=False, min_value=1)
    n_trials = Integer(required=False, allow_null=True, min_value=1)
    total_resource = Integer(required=False, allow_null=True, min_value=1, help_text=STEPS_HELP)
    device_seconds = Integer(required=False, allow_null=True, min_value=1, help_text=DEVICE_HELP)
    study_seconds = Integer(required=False, allow_null=True, min_value=1, help_text=TIME_HELP)
    priority = Integer(
        required=False, min_value=-1000, max_value=1000, help_text="Of the studies on workers a higher one goes first."
    )
    trial_seconds = Integer(
        required=False,
        allow_null=True,
        min_value=1,
        help_text="How long a trial may run; it holds for the trials that run, too. Null: no limit.",
    )
    constraints = Document(
        required=False,
        allow_null=True,
        help_text=f"{CONSTRAINTS_HELP} They replace those that there are, and hold for trials that begin after that.",
    )
    stop_when_not_worth = Flag(required=False, help_text=WORTH_HELP)


class StudyQuery(StrictSerializer):
    """How to search the list of studies."""

    search = serializers.CharField(
        required=False, allow_blank=True, help_text="Words that name, workload or owner contain."
    )
    state = serializers.ChoiceField(STATES, required=False)
    archived = serializers.BooleanField(required=False, help_text="true: the archived ones instead of the others.")
    page = serializers.IntegerField(required=False, min_value=1, max_value=1_000_000)
    per_page = serializers.IntegerField(required=False, min_value=1, max_value=200)


class TrialCounts(serializers.Serializer[Any]):
    """How many trials of a study are in which state."""

    waiting = serializers.IntegerField(source="n_waiting")
    running = serializers.IntegerField(source="n_running")
    paused = serializers.IntegerField(source="n_paused")
    complete = serializers.IntegerField(source="n_complete")
    pruned = serializers.IntegerField(source="n_pruned")
    infeasible = serializers.IntegerField(
        source="n_infeasible", help_text="Of the pruned ones those that were infeasible before a step: of no budget."
    )
    failed = serializers.IntegerField(source="n_failed")


class BestTrial(serializers.Serializer[Any]):
    """The study's best complete trial, in short; of a study that ended before one, the best that was cut short."""

    id = serializers.IntegerField()
    number = serializers.IntegerField()
    value = MetricValue(allow_null=True)
    params = Document()


class StudyRow(serializers.Serializer[Any]):
    """A study in the list."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    owner = serializers.CharField(source="owner.username")
    visibility = serializers.ChoiceField(["team", "private"])
    state = serializers.ChoiceField(STATES)
    workload = serializers.CharField(allow_blank=True)
    metric = serializers.CharField()
    direction = serializers.ChoiceField(["minimize", "maximize"])
    n_trials = serializers.IntegerField(source="budget_total", allow_null=True)
    counts = TrialCounts(source="*")
    best_trial = BestTrial(allow_null=True)
    created = serializers.DateTimeField()
    started = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)
    last_activity = serializers.DateTimeField()
    archived = serializers.DateTimeField(allow_null=True, help_text="Since when it is out of the list; null: it is in.")


class Source(serializers.Serializer[Any]):
    """An earlier study that a study learns from, as it was when the study was created."""

    study = serializers.IntegerField(source="source_id", allow_null=True, help_text="Null once it is deleted.")
    assumed = Document()
    n_finished = serializers.IntegerField(help_text="Trials that it had finished.")
    n_used = serializers.IntegerField(help_text="Trials of these that the sampler learns from.")
    left_out = serializers.DictField(child=serializers.IntegerField(), help_text="Trials that do not fit, by reason.")


class Hindrance(serializers.Serializer[Any]):
    """Something that keeps a running study from starting a trial on workers."""

    rule = serializers.CharField(help_text="no-worker, no-slot, apart, cap, requirements or reserved.")
    severity = serializers.ChoiceField(["info", "warning", "error"])
    message = serializers.CharField(help_text="What it is, and the remedy.")


class Seal(serializers.Serializer[Any]):
    """How far a study's test set is kept from everybody until the choice is made."""

    state = serializers.ChoiceField(
        ["enforced", "declared", "none"],
        help_text="enforced: only a process of hpweb opens it; declared: the trials' own program holds it, and what it "
        "reports of it is stored sealed; none: no test set is known.",
    )
    message = serializers.CharField(help_text="What that means.")
    metrics = serializers.ListField(
        child=serializers.CharField(), help_text="Metrics of the test set that trials have reported: names alone."
    )


class StudyDetail(StudyRow):
    """A study with everything that it was made with."""

    description = serializers.CharField(allow_blank=True)
    state_reason = serializers.CharField(allow_blank=True)
    starts_after_preflight = serializers.SerializerMethodField(
        help_text="Whether it is READY and starts by itself once its preflight has passed."
    )
    waiver = serializers.CharField(
        allow_blank=True, help_text="Why it was started without a passed preflight; empty where it was not."
    )
    space = serializers.SerializerMethodField(help_text="The newest version of the search space.")
    objective = serializers.ChoiceField(["best", "last"])
    sampler = serializers.CharField()
    sampler_options = Document()
    scheduler = serializers.CharField()
    scheduler_options = Document()
    min_resource = serializers.IntegerField()
    max_resource = serializers.IntegerField(allow_null=True)
    reduction_factor = serializers.IntegerField()
    seed = serializers.IntegerField()
    deterministic = serializers.BooleanField()
    workload_digest = serializers.CharField(allow_blank=True, help_text="The code that its trials run, on every host.")
    data_digest = serializers.CharField(
        allow_blank=True, help_text="The data that they read; empty until the first trial, or a count, has read them."
    )
    parallel = serializers.IntegerField()
    priority = serializers.IntegerField()
    stop_when_not_worth = serializers.BooleanField(help_text=WORTH_HELP)
    trial_seconds = serializers.IntegerField(allow_null=True, help_text="How long a trial may run; null: no limit.")
    constraints = Document(help_text="Limits on the model: parameters, memory (bytes), flops, as far as given.")
    total_resource = serializers.IntegerField(allow_null=True, help_text=STEPS_HELP)
    device_seconds = serializers.IntegerField(allow_null=True, help_text=DEVICE_HELP)
    study_seconds = serializers.IntegerField(allow_null=True, help_text=TIME_HELP)
    spent = serializers.SerializerMethodField(help_text="Of each limit beside n_trials that it has, what is spent.")
    hindrances = serializers.SerializerMethodField(help_text="Why no further trial starts; empty where one would.")
    seal = serializers.SerializerMethodField(help_text="How far its test set is kept until the choice is made.")
    version = serializers.IntegerField(help_text="Rises with any change.")
    space_version = serializers.IntegerField(
        source="space.number", default=None, allow_null=True, help_text="The number of the newest version of the space."
    )
    clone_of = serializers.IntegerField(
        source="clone_of_id", allow_null=True, help_text="The study whose settings it was made with."
    )
    warm_start = serializers.SerializerMethodField(help_text="The earlier studies that the sampler learns from.")

    def get_starts_after_preflight(self, study: Any) -> bool:
        return study.starts_for_id is not None

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": {}})
    def get_space(self, study: Any) -> Any:
        return study.space.document if study.space else None

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "number"}})
    def get_spent(self, study: Any) -> Any:
        return {limit.name: limit.spent for limit in limits_of(study)}

    @extend_schema_field(Hindrance(many=True))
    def get_hindrances(self, study: Any) -> Any:
        return Hindrance(hindrances(study), many=True).data

    @extend_schema_field(Seal)
    def get_seal(self, study: Any) -> Any:
        return Seal(seal_of(study)).data

    @extend_schema_field(Source(many=True))
    def get_warm_start(self, study: Any) -> Any:
        return Source(sources_of(study), many=True).data


class StudyPage(serializers.Serializer[Any]):
    """One page of the list of studies."""

    results = StudyRow(many=True, source="rows")
    page = serializers.IntegerField(source="number")
    pages = serializers.IntegerField()
    total = serializers.IntegerField()

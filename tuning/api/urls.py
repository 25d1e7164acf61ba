"""The addresses of /api/v1/. What is not listed is answered with a problem document, too."""

from django.urls import path, re_path

from tuning.api import schema
from tuning.api.endpoint import Unknown
from tuning.api.views import catalogue, control, exports, scripts, sharing, studies, surrogates, tokens, trials, what_if

urlpatterns = [
    path("studies/", studies.Studies.as_view(), name="api-studies"),
    path("studies/<int:study_id>/", studies.OneStudy.as_view(), name="api-study"),
    path("studies/<int:study_id>/start/", studies.StartStudy.as_view(), name="api-study-start"),
    path("studies/<int:study_id>/pause/", studies.PauseStudy.as_view(), name="api-study-pause"),
    path("studies/<int:study_id>/resume/", studies.ResumeStudy.as_view(), name="api-study-resume"),
    path("studies/<int:study_id>/stop/", studies.StopStudy.as_view(), name="api-study-stop"),
    path("studies/<int:study_id>/extend/", control.ExtendStudy.as_view(), name="api-study-extend"),
    path("studies/<int:study_id>/clone/", control.CloneStudy.as_view(), name="api-study-clone"),
    path("studies/<int:study_id>/spaces/", control.Spaces.as_view(), name="api-study-spaces"),
    path("studies/<int:study_id>/ask/", scripts.Ask.as_view(), name="api-study-ask"),
    path("studies/<int:study_id>/enqueue/", scripts.Enqueue.as_view(), name="api-study-enqueue"),
    path("studies/<int:study_id>/trials/", trials.Trials.as_view(), name="api-study-trials"),
    path("studies/<int:study_id>/leaderboard/", trials.BestTrials.as_view(), name="api-study-leaderboard"),
    path("studies/<int:study_id>/surrogate/", surrogates.Surrogate.as_view(), name="api-study-surrogate"),
    path("studies/<int:study_id>/what-if/", what_if.StudyWhatIf.as_view(), name="api-study-what-if"),
    path("studies/<int:study_id>/export/", exports.Export.as_view(), name="api-study-export"),
    path("trials/<int:trial_id>/", trials.OneTrial.as_view(), name="api-trial"),
    path("trials/<int:trial_id>/curves/", trials.TrialCurves.as_view(), name="api-trial-curves"),
    path("trials/<int:trial_id>/cancel/", control.CancelTrial.as_view(), name="api-trial-cancel"),
    path("trials/<int:trial_id>/retry/", control.RetryTrial.as_view(), name="api-trial-retry"),
    path("trials/<int:trial_id>/exclude/", control.ExcludeTrial.as_view(), name="api-trial-exclude"),
    path("trials/<int:trial_id>/include/", control.IncludeTrial.as_view(), name="api-trial-include"),
    path("trials/<int:trial_id>/suggest/", scripts.Suggest.as_view(), name="api-trial-suggest"),
    path("trials/<int:trial_id>/report/", scripts.Report.as_view(), name="api-trial-report"),
    path("trials/<int:trial_id>/heartbeat/", scripts.Heartbeat.as_view(), name="api-trial-heartbeat"),
    path("trials/<int:trial_id>/tell/", scripts.Tell.as_view(), name="api-trial-tell"),
    path("workloads/", catalogue.Workloads.as_view(), name="api-workloads"),
    path("samplers/", catalogue.Samplers.as_view(), name="api-samplers"),
    path("schedulers/", catalogue.Schedulers.as_view(), name="api-schedulers"),
    path("workers/", catalogue.Workers.as_view(), name="api-workers"),
    path("workers/<int:host_id>/drain/", control.DrainHost.as_view(), name="api-worker-drain"),
    path("workers/<int:host_id>/undrain/", control.UndrainHost.as_view(), name="api-worker-undrain"),
    path("devices/<int:device_id>/reserve/", sharing.ReserveDevice.as_view(), name="api-device-reserve"),
    path("devices/<int:device_id>/release/", sharing.ReleaseDevice.as_view(), name="api-device-release"),
    path("people/", sharing.AllPeople.as_view(), name="api-people"),
    path("people/<int:person_id>/", sharing.OnePerson.as_view(), name="api-person"),
    path("tokens/", tokens.Tokens.as_view(), name="api-tokens"),
    path("tokens/<int:token_id>/", tokens.OneToken.as_view(), name="api-token"),
    path("schema/", schema.SchemaView.as_view(), name="api-schema"),
    path("docs/", schema.DocsView.as_view(), name="api-docs"),
    re_path(r"", Unknown.as_view(), name="api-unknown"),
]

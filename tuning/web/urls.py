"""Addresses of the pages."""

from django.urls import path

from tuning.web.views import account, control, creation, health, log, ranges, studies, study, trial, workers, workloads

urlpatterns = [
    path("", studies.study_list, name="studies"),
    path("studies/new/", creation.new_study, name="study_new"),
    path("studies/new/check/", creation.check_study, name="study_check"),
    path("studies/<int:study_id>/", study.study_tab, {"tab": "overview"}, name="study"),
    path(
        "studies/<int:study_id>/leaderboard/",
        study.study_tab,
        {"tab": "leaderboard"},
        name="study_leaderboard",
    ),
    path("studies/<int:study_id>/curves/", study.study_tab, {"tab": "curves"}, name="study_curves"),
    path("studies/<int:study_id>/model/", study.study_tab, {"tab": "model"}, name="study_model"),
    path("studies/<int:study_id>/activity/", study.study_tab, {"tab": "activity"}, name="study_activity"),
    path("studies/<int:study_id>/setup/", study.study_setup, name="study_setup"),
    path("studies/<int:study_id>/compare/", study.compare, name="study_compare"),
    path("studies/<int:study_id>/best.<slug:form>", study.best_configuration, name="study_export"),
    path("studies/<int:study_id>/extend/", control.extend, name="study_extend"),
    path("studies/<int:study_id>/ranges/", ranges.ranges, name="study_ranges"),
    path("studies/<int:study_id>/ranges/check/", ranges.check_ranges, name="study_ranges_check"),
    path("studies/<int:study_id>/adopt/", workloads.adopt, name="study_adopt"),
    path("studies/<int:study_id>/<slug:verb>/", control.study_action, name="study_action"),
    path("trials/<int:trial_id>/", trial.trial_page, name="trial"),
    path("trials/<int:trial_id>/log/", log.trial_log, name="trial_log"),
    path("trials/<int:trial_id>/checkpoint/", trial.trial_checkpoint, name="trial_checkpoint"),
    path("trials/<int:trial_id>/cancel/", control.trial_action, {"verb": "cancel"}, name="trial_cancel"),
    path("trials/<int:trial_id>/retry/", control.trial_action, {"verb": "retry"}, name="trial_retry"),
    path("trials/<int:trial_id>/exclude/", control.trial_action, {"verb": "exclude"}, name="trial_exclude"),
    path("trials/<int:trial_id>/include/", control.trial_action, {"verb": "include"}, name="trial_include"),
    path("workers/", workers.workers, name="workers"),
    path("workers/<int:host_id>/drain/", control.drain, name="worker_drain"),
    path("workers/<int:host_id>/undrain/", control.undrain, name="worker_undrain"),
    path("workloads/", workloads.workloads, name="workloads"),
    path("workloads/refresh/", workloads.refresh, name="workloads_refresh"),
    path("account/", account.account, name="account"),
    path("account/tokens/<int:token_id>/revoke/", account.revoke, name="token_revoke"),
    path("account/password/", account.PasswordChange.as_view(), name="password_change"),
    path("sign-in/", account.SignIn.as_view(), name="login"),
    path("sign-out/", account.SignOut.as_view(), name="logout"),
    path("healthz/", health.healthz, name="healthz"),
]

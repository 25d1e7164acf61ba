"""A person's first day, in a real browser: sign in, make a study, watch it, stop it, take the best away, Ctrl-C."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from tests.e2e.complaints import Complaints
from tests.e2e.installation import Installation

pytestmark = pytest.mark.browser

PASSWORD = "a-password-of-my-own"
TRAINING_MS = 90_000


@pytest.fixture(scope="module")
def page(browser: Browser, installation: Installation, complaints: Complaints) -> Iterator[Page]:
    context = browser.new_context(base_url=installation.address, accept_downloads=True)
    opened = context.new_page()
    complaints.listen(opened)
    yield opened
    context.close()


def sign_in(page: Page, password: str) -> None:
    page.goto("/sign-in/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password)
    page.get_by_role("button", name="Sign in").click()


def test_the_one_time_password_must_be_changed(page: Page, installation: Installation) -> None:
    sign_in(page, installation.password)
    expect(page).to_have_url(re.compile("/account/password/"))
    page.goto("/workers/")
    expect(page).to_have_url(re.compile("/account/password/"))
    page.fill("input[name=old_password]", installation.password)
    page.fill("input[name=new_password1]", PASSWORD)
    page.fill("input[name=new_password2]", PASSWORD)
    page.get_by_role("button", name="Change password").click()
    page.goto("/")
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()


def test_the_demonstration_can_be_paused_and_resumed(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="digits CNN, first look").click()
    page.get_by_role("button", name="Pause").click(timeout=TRAINING_MS)  # there once the checks before tuning are done
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_a_wrong_range_is_told_beside_its_field_and_nothing_is_lost(page: Page) -> None:
    page.goto("/studies/new/")
    page.get_by_role("link", name=re.compile("breast_cancer_mlp")).first.click()
    page.fill("input[name=name]", "a browser's study")
    page.fill("input[name=form-0-low]", "5")
    page.get_by_role("button", name=re.compile("^Create, check and start$|^Create and start$")).click()
    expect(page.locator("#form-0-errors")).to_contain_text("low")
    expect(page.locator("input[name=name]")).to_have_value("a browser's study")
    expect(page.locator("input[name=form-0-low]")).to_have_value("5")


def test_a_study_is_made_and_its_leaderboard_and_curves_fill_in_live(page: Page) -> None:
    page.fill("input[name=form-0-low]", "0.001")
    page.fill("input[name=n_trials]", "400")  # enough that it still runs when it is stopped
    page.fill("input[name=parallel]", "2")
    page.fill("input[name=max_resource]", "6")
    page.fill("input[name=seed]", "3")
    page.get_by_role("button", name=re.compile("^Create, check and start$|^Create and start$")).click()
    expect(page.get_by_role("heading", name="a browser's study")).to_be_visible()
    page.get_by_role("link", name="Leaderboard", exact=True).click()
    page.evaluate("window.sameDocument = true")
    rows = page.locator("table[data-keys] tbody tr")
    expect(rows.nth(1)).to_be_visible(timeout=TRAINING_MS)
    expect(rows.nth(rows.count())).to_be_visible(timeout=TRAINING_MS)
    assert page.evaluate("window.sameDocument") is True
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_attached(timeout=TRAINING_MS)
    page.get_by_role("link", name="Curves", exact=True).click()
    lines = page.locator(".js-plotly-plot .scatterlayer .trace path.js-line")
    expect(lines.first).to_be_attached(timeout=TRAINING_MS)
    text = page.locator("main").inner_text().lower()
    assert "train" in text
    assert "validation" in text


def test_the_overview_refreshes_without_loading_anew(page: Page) -> None:
    page.get_by_role("link", name="Overview", exact=True).click()
    page.evaluate("window.sameDocument = true")
    done = page.locator("dl.facts .fact", has_text="Trials").locator(".fact__value")
    before = done.inner_text()
    expect(done).not_to_have_text(before, timeout=TRAINING_MS)
    assert page.evaluate("window.sameDocument") is True


def test_the_best_configuration_and_checkpoint_can_be_taken_away(page: Page, tmp_path: Path) -> None:
    def download(name: str) -> Path:
        page.locator("#downloads summary").click()
        with page.expect_download() as waiting:
            page.get_by_role("link", name=name).click()
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        page.reload()
        return path

    as_json = json.loads(download("Configuration, JSON").read_text())
    as_yaml = yaml.safe_load(download("Configuration, YAML").read_text())
    assert as_json["workload"] == as_yaml["workload"] == "breast_cancer_mlp"
    assert as_json["params"]["lr"] >= 0.001
    assert download("Checkpoint, PyTorch").stat().st_size > 1_000


def test_the_study_can_be_stopped(page: Page) -> None:
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop the study").click()
    expect(page.locator(".page-header .pill", has_text="stopped")).to_be_visible()
    page.get_by_role("link", name="Leaderboard", exact=True).click()
    expect(page.locator("table[data-keys] .pill").first).to_be_visible()
    for state in ("running", "waiting"):  # whether one was running at that moment is left to chance
        expect(page.locator("table[data-keys] .pill", has_text=state)).to_have_count(0)


def test_a_trial_shows_what_it_was_and_did(page: Page) -> None:
    page.locator("table[data-keys] tbody tr a").first.click()
    text = page.locator("main").inner_text()
    for word in ("lr", "Seed", "Device", "Log", "Took"):
        assert word in text, f"the trial page lacks {word!r}"
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_attached()


def test_the_advice_after_a_verdict_is_tried_with_one_click(page: Page) -> None:
    page.goto("/studies/2/diagnosis/")
    expect(page.get_by_role("heading", name="Gap and score")).to_be_visible()
    page.goto("/studies/2/leaderboard/")
    trials = page.locator("table[data-keys] tbody tr a")
    for address in dict.fromkeys(one.get_attribute("href") for one in trials.all()):
        page.goto(str(address))
        if page.get_by_role("button", name="Try it", exact=True).count():
            break
    page.get_by_role("button", name="Try it", exact=True).first.click()
    result = page.locator(".tried__result").first
    expect(result).to_contain_text(re.compile("of 5 pairs|over 5 seeds"))
    expect(result).to_contain_text("over 5 seeds", timeout=TRAINING_MS)


def test_what_mattered_is_computed_by_a_worker_and_appears(page: Page) -> None:
    page.goto("/studies/2/importance/")
    expect(page.locator("#fanova-title, .empty p", has_not_text="Being computed").first).to_be_visible(
        timeout=TRAINING_MS
    )


def test_the_choice_is_sealed_and_measured_once_and_the_record_stays(page: Page) -> None:
    page.goto("/studies/2/final/")
    expect(page.get_by_role("heading", name="Nobody has looked yet")).to_be_visible()
    page.get_by_role("button", name="Choose and seal").click()
    page.fill("input[name=seeds]", "2")
    page.get_by_role("button", name="Seal and measure").click()
    expect(page.get_by_role("heading", name=re.compile("^Test ")).first).to_be_visible(timeout=TRAINING_MS)
    page.get_by_text("The record, kept for ever").click()
    expect(page.locator("main")).to_contain_text("in all studies of the test set")
    page.locator("#more summary").click()
    expect(page.get_by_role("button", name="Archive")).to_be_visible()


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_every_page_fits_its_window(
    browser: Browser, installation: Installation, page: Page, complaints: Complaints, width: int, theme: str
) -> None:
    context = browser.new_context(
        base_url=installation.address,
        viewport={"width": width, "height": 900},
        color_scheme=theme,  # type: ignore[arg-type]
        storage_state=page.context.storage_state(),
    )
    small = context.new_page()
    complaints.listen(small)
    paths = ["", "studies/new/", "studies/new/?workload=digits_cnn", "workers/", "workloads/", "account/", "trials/1/"]
    paths += ["trials/1/log/", "api/v1/docs/"]
    paths += [f"studies/2/{tab}" for tab in ("", "leaderboard/", "curves/", "model/", "setup/", "activity/")]
    paths += [f"studies/2/{tab}/" for tab in ("diagnosis", "importance", "final", "finalise")]
    paths += [f"studies/2/model/?{cut}" for cut in ("x=layers", "x=lr&y=dropout", "x=lr&y=layers&map=promise")]
    for path in paths:
        answer = small.goto(f"/{path}")
        assert answer is not None
        assert answer.status == 200, f"/{path} answered {answer.status}"
        small.wait_for_load_state("networkidle")
        overflow = small.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow == 0, f"/{path} is {overflow} px wider than a window of {width}"
    context.close()


def test_pages_work_without_javascript(browser: Browser, installation: Installation, page: Page) -> None:
    context = browser.new_context(
        base_url=installation.address, java_script_enabled=False, storage_state=page.context.storage_state()
    )
    plain = context.new_page()
    plain.goto("/studies/2/")
    expect(plain.locator("table[data-keys] tbody tr").first).to_be_visible()
    plain.get_by_role("link", name="Leaderboard", exact=True).click()
    plain.locator("table[data-keys] tbody tr a").first.click()
    expect(plain.get_by_role("heading", name=re.compile("Trial"))).to_be_visible()
    context.close()


def test_the_browser_had_nothing_to_complain_of(complaints: Complaints) -> None:
    assert complaints == []


def test_ctrl_c_leaves_no_process(page: Page, installation: Installation) -> None:
    page.goto("/studies/1/")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".pill", has_text="running").first).to_be_visible()
    page.goto("about:blank")
    assert installation.healthy()
    installation.interrupt()
    deadline = time.monotonic() + 5
    while (left := installation.members()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
    assert installation.process.returncode == 0

"""The path to a study in a real browser: the checks of a healthy and of a broken workload, the advisor, the learning
rate, a draft that a closed window does not lose, and the start that waits for the checks."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.complaints import Complaints
from tests.e2e.installation import Installation

pytestmark = pytest.mark.browser

PASSWORD = "a-password-of-my-own"
CHECKED_MS = 120_000
BROKEN = '''
from tuning.training.workloads.digits_mlp import DigitsMLP


class Broken(DigitsMLP):
    """Its training rows hold a number that is none."""

    name, title = "broken_digits", "Digits with a hole"

    def data(self):
        splits = super().data()
        splits.train.tensors[0][3, 0, 4, 4] = float("nan")
        return splits
'''


@pytest.fixture(scope="module")
def installation(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("before-tuning")
    workloads = folder / "workloads"
    workloads.mkdir()
    (workloads / "broken_digits.py").write_text(BROKEN)
    started = Installation(folder, HPWEB_WORKLOAD_DIR=str(workloads))
    yield started
    if started.process.poll() is None:
        started.interrupt()


@pytest.fixture(scope="module")
def page(browser: Browser, installation: Installation, complaints: Complaints) -> Iterator[Page]:
    context = browser.new_context(base_url=installation.address)
    opened = context.new_page()
    complaints.listen(opened)
    opened.goto("/sign-in/")
    opened.fill("input[name=username]", "admin")
    opened.fill("input[name=password]", installation.password)
    opened.get_by_role("button", name="Sign in").click()
    opened.fill("input[name=old_password]", installation.password)
    opened.fill("input[name=new_password1]", PASSWORD)
    opened.fill("input[name=new_password2]", PASSWORD)
    opened.get_by_role("button", name="Change password").click()
    expect(opened).not_to_have_url(re.compile("password"))
    yield opened
    context.close()


def start_button(page: Page):
    return page.get_by_role("button", name=re.compile("^Create, check and start$|^Create and start$"))


def test_what_is_typed_survives_a_closed_window(page: Page, browser: Browser) -> None:
    page.goto("/studies/new/?workload=digits_mlp")
    page.fill("input[name=name]", "")
    page.locator("input[name=name]").press_sequentially("typed and left")
    expect(page.locator("#kept")).to_contain_text("Kept as a draft at")
    expect(page).to_have_url(re.compile("draft="))
    page.goto("/studies/new/")
    page.get_by_role("link", name="typed and left").click()
    expect(page.locator("input[name=name]")).to_have_value("typed and left")


def test_the_checks_run_on_the_workers_and_stand_on_the_form(page: Page) -> None:
    page.get_by_role("button", name="Run the checks").click()
    expect(page.locator(".checks__count--passed")).to_be_visible(timeout=CHECKED_MS)
    expect(page.locator(".checks__count--failed")).to_have_count(0)
    expect(page.get_by_text("an epoch", exact=False).first).to_be_visible()
    expect(page.locator("input[name=name]")).to_have_value("typed and left")


def test_the_advisor_fills_the_form(page: Page) -> None:
    page.fill("input[name=spend_device]", "2 min")
    page.get_by_role("button", name="Advise").click()
    first = page.locator(".advice__card--first")
    expect(first).to_contain_text("Hyperband")
    first.get_by_role("button", name="Take it").click()
    expect(page.locator("input[name=scheduler][value=hyperband]")).to_be_checked()
    expect(page.locator("#plan")).to_contain_text("Trials that run to each rung")


def test_the_learning_rate_is_found_and_its_range_comes_back(page: Page) -> None:
    page.get_by_role("button", name="Find the learning rate").click()
    page.get_by_role("button", name="Test").click()
    page.get_by_role("button", name="Use this range").click(timeout=CHECKED_MS)
    expect(page).to_have_url(re.compile("#step-space"))
    low, high = (float(page.locator(f"input[name=form-0-{end}]").input_value()) for end in ("low", "high"))
    assert 1e-5 < low < high <= 1.0
    expect(page.locator("input[name=name]")).to_have_value("typed and left")


def test_the_study_starts_since_its_checks_have_passed(page: Page) -> None:
    start_button(page).click()
    expect(page.get_by_text("The study is running.")).to_be_visible()
    page.get_by_role("link", name="Leaderboard", exact=True).click()
    expect(page.locator("table[data-keys] tbody tr").first).to_be_visible(timeout=CHECKED_MS)
    page.get_by_role("link", name="Setup", exact=True).click()
    expect(page.get_by_role("heading", name="Prediction")).to_be_visible()


def test_a_broken_workload_is_told_and_starts_only_with_a_reason(page: Page) -> None:
    page.goto("/studies/new/?workload=broken_digits")
    page.fill("input[name=name]", "with a hole")
    page.fill("input[name=n_trials]", "2")
    start_button(page).click()
    expect(page.get_by_text("It starts by itself once its preflight has passed.").first).to_be_visible()
    told = page.get_by_text("It has not started. Its preflight has failed:")
    expect(told).to_be_visible(timeout=CHECKED_MS)
    page.get_by_role("link", name="Look at the checks").click()
    expect(page.locator(".check--failed").first).to_contain_text("NaN")
    page.get_by_label("Why the checks do not matter here").fill("one pixel of one image")
    page.get_by_role("button", name="Start without a passed preflight").click()
    expect(page.get_by_text("The study is running.")).to_be_visible()
    page.get_by_role("link", name="Preflight", exact=True).click()
    expect(page.get_by_text("started without a passed preflight: one pixel of one image")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for path in ("/studies/new/", "/studies/new/?workload=digits_mlp", "/workloads/digits_mlp/preflight/"):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_browser_complained_of_nothing(complaints: Complaints) -> None:
    assert complaints == []

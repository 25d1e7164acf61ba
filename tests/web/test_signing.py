"""Signing in and out, the password that must be changed, the theme."""

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.factories import make_study
from tests.web.conftest import browser_of, poll, words
from tuning.models import Account


def test_a_stranger_is_led_to_the_sign_in_page_and_back(client: Client, alice: User) -> None:
    answer = client.get("/workers/")
    assert answer.url == "/sign-in/?next=/workers/"
    answer = client.post(answer.url, {"username": "alice", "password": "alice-password", "next": "/workers/"})
    assert answer.url == "/workers/"


def test_a_wrong_password_is_said_beside_the_form(client: Client, alice: User) -> None:
    answer = client.post("/sign-in/", {"username": "alice", "password": "wrong"})
    assert answer.status_code == 200
    assert "correct username and password" in words(answer)


def test_ten_wrong_passwords_lock_the_name_out(client: Client, alice: User) -> None:
    for _ in range(10):
        answer = client.post("/sign-in/", {"username": "alice", "password": "wrong"})
    assert answer.status_code == 429
    assert "Too many attempts" in words(answer)
    right = client.post("/sign-in/", {"username": "alice", "password": "alice-password"})
    assert right.status_code == 429


def test_signing_out_needs_a_post(as_alice: Client) -> None:
    assert as_alice.get("/sign-out/").status_code == 405
    assert as_alice.post("/sign-out/").url == "/sign-in/"
    assert as_alice.get("/").status_code == 302


def test_a_made_password_must_be_changed_before_anything_else(alice: User) -> None:
    Account.objects.create(user=alice, must_change_password=True)
    browser = browser_of(alice)
    for page in ("studies", "workers", "account"):
        assert browser.get(reverse(page)).url == "/account/password/"
    assert "Choose your own" in words(browser.get("/account/password/"))
    answer = browser.post(
        "/account/password/",
        {"old_password": "alice-password", "new_password1": "a-better-one-9", "new_password2": "a-better-one-9"},
    )
    assert answer.url == "/"
    assert browser.get("/").status_code == 200
    assert not Account.objects.get(user=alice).must_change_password


def test_a_weak_new_password_is_refused_beside_its_field(as_alice: Client) -> None:
    answer = as_alice.post(
        "/account/password/", {"old_password": "alice-password", "new_password1": "123", "new_password2": "123"}
    )
    assert "at least 8 characters" in words(answer)


def test_the_theme_of_the_cookie_is_on_the_page_before_any_script(as_alice: Client) -> None:
    assert b'<html lang="en">' in as_alice.get("/").content
    as_alice.cookies["theme"] = "dark"
    assert b'<html lang="en" data-theme="dark">' in as_alice.get("/").content
    as_alice.cookies["theme"] = '"><script>'
    assert b'<html lang="en">' in as_alice.get("/").content


def test_health_needs_no_account(client: Client, db: None) -> None:
    answer = client.get("/healthz/")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_a_poll_after_the_end_of_a_session_is_told_so_and_spoils_nothing(client: Client, alice: User) -> None:
    answer = poll(client, f"/studies/{make_study(alice).pk}/")
    assert answer.status_code == 401
    assert b"<form" not in answer.content


def test_a_button_pressed_after_the_end_of_a_session_leads_back_to_its_page(client: Client, alice: User) -> None:
    address = f"/studies/{make_study(alice).pk}/"
    ours, foreign = (
        client.post(f"{address}start/", headers={"Referer": f"http://{host}{address}"})
        for host in ("testserver", "example.com")
    )
    assert ours.url == f"/sign-in/?next=http%3A//testserver{address}"
    assert foreign.url == "/sign-in/?next=/"
    data = {"username": "alice", "password": "alice-password"}
    assert client.post(ours.url, data).url == f"http://testserver{address}"


def test_the_address_of_a_button_says_that_it_is_one(as_alice: Client, alice: User) -> None:
    answer = as_alice.get(f"/studies/{make_study(alice).pk}/pause/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "nothing was changed" in words(answer)

"""API tokens, the first administrator, passwords."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tuning.models import Account, ApiToken, AuditEvent
from tuning.services.accounts import create_admin, set_password_changed
from tuning.services.errors import Conflict, Invalid, NotFound
from tuning.services.tokens import create_token, digest_of, revoke_token, user_for_token


def test_a_token_is_shown_once_and_kept_as_a_digest(alice):
    token, secret = create_token(user=alice, name=" laptop ")
    assert (token.name, token.digest, token.prefix) == ("laptop", digest_of(secret), secret[:12])
    assert secret not in str(ApiToken.objects.values().get())
    assert secret not in str(list(AuditEvent.objects.values()))
    assert user_for_token(secret) == alice


def test_tokens_are_never_the_same(alice):
    assert len({create_token(user=alice, name="t")[1] for _ in range(20)}) == 20


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s + "x", lambda s: s[:12] + "y" * 34])
def test_a_changed_secret_is_nobodys(alice, change):
    assert user_for_token(change(create_token(user=alice, name="t")[1])) is None


@pytest.mark.parametrize("secret", ["", "hp_", "hp_\x00", "höhe", "x" * 5000, "\n"])
@pytest.mark.django_db
def test_garbage_is_nobodys(secret):
    assert user_for_token(secret) is None


def test_expired_tokens_and_inactive_people_are_refused(alice):
    token, secret = create_token(user=alice, name="t", expires=timezone.now() + timedelta(hours=1))
    assert user_for_token(secret) == alice
    ApiToken.objects.filter(pk=token.pk).update(expires=timezone.now())
    assert user_for_token(secret) is None
    ApiToken.objects.filter(pk=token.pk).update(expires=None)
    alice.is_active = False
    alice.save()
    assert user_for_token(secret) is None


def test_the_use_is_noted_at_most_once_a_minute(alice, django_assert_num_queries):
    token, secret = create_token(user=alice, name="t")
    user_for_token(secret)
    used = ApiToken.objects.get().last_used
    assert used is not None
    with django_assert_num_queries(1):
        user_for_token(secret)
    ApiToken.objects.filter(pk=token.pk).update(last_used=used - timedelta(minutes=2))
    user_for_token(secret)
    assert ApiToken.objects.get().last_used >= used


@pytest.mark.parametrize(
    ("words", "field"),
    [({"name": " "}, "name"), ({"name": "n" * 101}, "name"), ({"name": "t", "expires": "past"}, "expires")],
)
def test_bad_tokens_are_refused(alice, words, field):
    if "expires" in words:
        words = {**words, "expires": timezone.now() - timedelta(seconds=1)}
    with pytest.raises(Invalid) as caught:
        create_token(user=alice, **words)
    assert list(caught.value.fields) == [field]


def test_only_ones_own_tokens_can_be_revoked(alice, bob):
    token, secret = create_token(user=alice, name="t")
    with pytest.raises(NotFound):
        revoke_token(user=bob, token_id=token.pk)
    revoke_token(user=alice, token_id=token.pk)
    assert user_for_token(secret) is None
    with pytest.raises(NotFound):
        revoke_token(user=alice, token_id=token.pk)
    assert [event.verb for event in AuditEvent.objects.all()] == ["revoked token", "created token"]


@pytest.mark.django_db
def test_the_first_administrator_must_change_the_password():
    user = create_admin(username="admin", password="one-time")
    assert user.is_superuser
    assert user.check_password("one-time")
    assert Account.objects.get(user=user).must_change_password
    set_password_changed(user=user)
    assert not Account.objects.get(user=user).must_change_password
    with pytest.raises(Conflict, match="admin"):
        create_admin(username="admin", password="another")


def test_a_person_without_account_row_gets_one(alice):
    set_password_changed(user=alice)
    assert not Account.objects.get(user=alice).must_change_password

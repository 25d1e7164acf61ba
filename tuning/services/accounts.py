"""People: the first administrator, and the password that must be changed at the first sign-in."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction

from tuning.models import Account
from tuning.services.audit import record
from tuning.services.errors import Conflict


@transaction.atomic
def create_admin(*, username: str, password: str, must_change: bool = True) -> User:
    """Create the installation's administrator. Raises Conflict where the name is taken."""
    users = get_user_model()
    if users.objects.filter(username=username).exists():
        raise Conflict(f"There is already a user named {username!r}; sign in with it, or choose another name.")
    user: User = users.objects.create_superuser(username=username, password=password)
    Account.objects.create(user=user, must_change_password=must_change)
    record(actor=None, verb="created", kind="user", object_id=user.pk, name=username)
    return user


@transaction.atomic
def set_password_changed(*, user: User) -> None:
    """The person has chosen a password of their own."""
    Account.objects.update_or_create(user=user, defaults={"must_change_password": False})
    record(actor=user, verb="changed password", kind="user", object_id=user.pk, name=user.get_username())

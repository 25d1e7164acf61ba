"""Reading people."""

from django.contrib.auth.models import User


def first_administrator() -> User | None:
    """The administrator that was made first; None on a new installation."""
    return User.objects.filter(is_superuser=True).order_by("pk").first()

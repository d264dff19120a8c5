"""The login form of the admin: says no for a while to whoever was wrong too often."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from unfold.forms import AuthenticationForm

from contacts import audit, login_attempts
from contacts.collect.segment import senders


def too_often(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return f"That was wrong too often. Try again in {minutes} {'minute' if minutes == 1 else 'minutes'}."


def note_block(account: str, what: str) -> None:
    """That somebody has to wait, in the audit log. What was typed in is told only where it is somebody's name: else it
    may be a password."""
    user = User.objects.filter(username=account).first()
    with transaction.atomic():
        key, name = (user.pk, user.get_username()) if user else ("unknown", "")
        audit.note("login.blocked", of=("user", key), name=name, after={"wrong": what})


class LoginForm(AuthenticationForm):
    def clean(self) -> dict[str, Any]:
        account = self.cleaned_data.get("username") or ""
        address = senders.address(self.request) if self.request is not None else ""
        if account and (seconds := login_attempts.wait_for(account, address)):
            raise ValidationError(too_often(seconds), code="too_often")
        try:
            cleaned = super().clean()
        except ValidationError:
            if account and login_attempts.note_failure(account, address):
                note_block(account, "password")
            raise
        if user := self.get_user():
            login_attempts.forgive(account, address)
            with transaction.atomic():
                audit.note("user.logged_in", of=("user", user.pk), name=user.get_username())
        return cleaned

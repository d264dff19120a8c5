"""Who may look, and who may act."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from analytics.pages import queue_badge
from contacts import clock
from tests.inhabited import Inhabited, inhabit


@pytest.fixture
def town(db, monkeypatch) -> Inhabited:
    monkeypatch.setattr(queue_badge, "GLANCE_SECONDS", 600)
    queue_badge.keep(0)  # somebody has just looked at the queues: what a page costs is its own
    return inhabit(now=clock.now(), contacts=24)


@pytest.fixture
def maya(town, client) -> Client:
    """May everything."""
    client.force_login(town.superuser)
    return client


@pytest.fixture
def staff(db) -> Callable[..., Client]:
    """`staff("contacts.view_contact", …)`: somebody who may just that."""

    def log_in(*permissions: str) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
        for name in permissions:
            app, codename = name.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        client = Client()
        client.force_login(user)
        return client

    return log_in

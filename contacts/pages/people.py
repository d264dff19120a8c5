"""Users, groups and schedules: other people's models in our clothes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django_celery_beat.admin import PeriodicTaskAdmin as BeatTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as BeatTaskForm
from django_celery_beat.admin import TaskSelectWidget
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from contacts import audit, second_factor
from contacts.pages.cells import link, moment, pill
from contacts.pages.changelists import CarillonAdmin, Empty

# of django-otp's devices nobody sees the secrets: `contacts.pages.second_factor`
for model in (
    User,
    Group,
    PeriodicTask,
    IntervalSchedule,
    CrontabSchedule,
    SolarSchedule,
    ClockedSchedule,
    TOTPDevice,
    StaticDevice,
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class Noted:
    """Changes of accounts and of what groups may are entered into the audit log, in the transaction of the form. Of a
    password only that it changed."""

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        form.stood = facts_of(type(obj).objects.get(pk=obj.pk)) if change else None
        super().save_model(request, obj, form, change)  # type: ignore[misc]

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)  # type: ignore[misc]
        note_account(form.instance, "changed" if change else "created", before=form.stood)

    def delete_model(self, request: Any, obj: Any) -> None:
        note_account(obj, "deleted", before=facts_of(obj), is_gone=True)
        super().delete_model(request, obj)  # type: ignore[misc]

    def delete_queryset(self, request: Any, queryset: Any) -> None:
        with transaction.atomic():
            for one in queryset:
                note_account(one, "deleted", before=facts_of(one), is_gone=True)
            super().delete_queryset(request, queryset)  # type: ignore[misc]

    def user_change_password(self, request: Any, id: str, form_url: str = "") -> HttpResponse:
        with transaction.atomic():
            was = User.objects.filter(pk=id).values_list("password", flat=True).first() if id.isdecimal() else None
            answer = super().user_change_password(request, id, form_url)  # type: ignore[misc]
            if was is not None and (one := User.objects.get(pk=id)).password != was:
                audit.note("user.password_changed", of=("user", one.pk), name=one.username)
        return answer


def facts_of(account: User | Group) -> dict[str, Any]:
    """What an account or a group is allowed, for the audit log."""
    if isinstance(account, Group):
        return {"name": account.name, "permissions": _named(account.permissions)}
    return {
        "username": account.username,
        "staff": account.is_staff,
        "superuser": account.is_superuser,
        "active": account.is_active,
        "groups": sorted(account.groups.values_list("name", flat=True)),
        "permissions": _named(account.user_permissions),
    }


def _named(permissions: Any) -> list[str]:
    return sorted(f"{app}.{name}" for app, name in permissions.values_list("content_type__app_label", "codename"))


def note_account(account: User | Group, deed: str, *, before: dict[str, Any] | None, is_gone: bool = False) -> None:
    kind = "group" if isinstance(account, Group) else "user"
    if is_gone or before is None:
        after = None if is_gone else facts_of(account)
    else:
        before, after = audit.changed(before, facts_of(account))
        if not after:
            return
    audit.note(f"{kind}.{deed}", of=(kind, account.pk), name=str(account), before=before, after=after)


@admin.register(User)
class UserAdmin(Noted, DjangoUserAdmin, CarillonAdmin):  # type: ignore[misc]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_superuser", "is_active")
    readonly_fields = ("second_factor",)
    fieldsets = (*(DjangoUserAdmin.fieldsets or ()), ("Two-factor login", {"fields": ("second_factor",)}))
    hanging_words = {
        "admin.LogEntry": "entries of Django's own history",
        "otp_totp.TOTPDevice": "apps for two-factor login",
        "otp_static.StaticDevice": "sets of recovery codes",
        "otp_static.StaticToken": "recovery codes",
    }

    @admin.display(description="Second factor")
    def second_factor(self, user: User) -> SafeString | str:
        if user.pk is None or not second_factor.has_device(user.pk):
            return "not set up"
        return link("set up: reset it", reverse("second-factor-reset", args=[user.pk]))


@admin.register(Group)
class GroupAdmin(Noted, DjangoGroupAdmin, CarillonAdmin):  # type: ignore[misc]
    hanging_words = {"auth.User_groups": "people who are in it, and stay"}
    empty = Empty("group", "No groups yet", "A group gives the same permissions to everybody in it.")


class TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """Celery's registered tasks, in Unfold's clothes."""


class ScheduleForm(BeatTaskForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


@admin.register(PeriodicTask)
class ScheduleAdmin(BeatTaskAdmin, CarillonAdmin):
    form = ScheduleForm
    change_form_template = None
    date_hierarchy = None
    title_of_list = "Schedules"
    nouns = ("schedule", "schedules")
    list_display = ("name", "every", "last_run", "runs", "standing")
    list_filter = ("enabled",)
    ordering = ("name",)
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "regtask", "task", "enabled", "description")}),
        ("When", {"fields": ("interval", "crontab", "start_time", "one_off", "last_run_at")}),
        ("Arguments", {"fields": ("args", "kwargs", "queue", "expire_seconds")}),
    )
    readonly_fields = ("last_run_at",)
    empty = Empty(
        "schedule", "No schedules yet", "The beat process writes the installation's own ones when it first starts."
    )

    def get_list_display_links(self, request: HttpRequest, list_display: Sequence[str]) -> tuple[str, ...]:
        return ("name",)

    @admin.display(description="When")
    def every(self, task: PeriodicTask) -> str:
        return str(task.scheduler)

    @admin.display(description="Last run")
    def last_run(self, task: PeriodicTask) -> SafeString:
        return moment(task.last_run_at, seconds=True)

    @admin.display(description="Runs")
    def runs(self, task: PeriodicTask) -> str:
        return f"{task.total_run_count:,}"

    @admin.display(description="State")
    def standing(self, task: PeriodicTask) -> SafeString:
        return pill("On", "good") if task.enabled else pill("Off", "plain")


class _Spare(ModelAdmin):
    """Reachable from a schedule's form, but not a page to start from."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(IntervalSchedule)
class IntervalAdmin(_Spare):
    pass


@admin.register(CrontabSchedule)
class CrontabAdmin(_Spare):
    pass

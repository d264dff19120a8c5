"""Users, groups and schedules: other people's models in our clothes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django_celery_beat.admin import PeriodicTaskAdmin as BeatTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as BeatTaskForm
from django_celery_beat.admin import TaskSelectWidget
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from contacts.pages.cells import moment, pill
from contacts.pages.changelists import CarillonAdmin, Empty

for model in (User, Group, PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, CarillonAdmin):  # type: ignore[misc]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_superuser", "is_active")


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, CarillonAdmin):  # type: ignore[misc]
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

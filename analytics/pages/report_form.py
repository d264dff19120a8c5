"""When a report goes to whom: a form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from analytics.reports.rhythm import DAY, MONTH, WEEK, WEEKDAYS, Rhythm
from analytics.reports.subscriptions import BadSubscription
from contacts.zones import known


class SubscriptionForm(forms.Form):
    """`email`: of whoever fills it in."""

    email = forms.CharField(label="To", max_length=320, widget=UnfoldAdminTextInputWidget(attrs={"type": "email"}))
    every = forms.ChoiceField(
        label="Every", choices=[(DAY, "day"), (WEEK, "week"), (MONTH, "month")], initial=WEEK, widget=forms.RadioSelect
    )
    weekday = forms.TypedChoiceField(
        label="On",
        coerce=int,
        required=False,
        choices=list(enumerate(WEEKDAYS, 1)),
        widget=UnfoldAdminSelectWidget,
    )
    day = forms.TypedChoiceField(
        label="On day",
        coerce=int,
        required=False,
        choices=[(day, str(day)) for day in range(1, 29)],
        widget=UnfoldAdminSelectWidget,
    )
    at_hour = forms.TypedChoiceField(
        label="At",
        coerce=int,
        initial=8,
        choices=[(hour, f"{hour:02d}:00") for hour in range(24)],
        widget=UnfoldAdminSelectWidget,
    )
    timezone = forms.CharField(
        label="Time zone",
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "time-zones", "autocomplete": "off"}),
    )

    def __init__(self, data: Any, *, email: str) -> None:
        super().__init__(data, initial={"email": email, "timezone": settings.DEFAULT_TIMEZONE})

    @property
    def zones(self) -> list[str]:
        """To choose from: those that people name."""
        return sorted(name for name in known() if "/" in name and not name.startswith(("Etc/", "SystemV/", "posix/")))

    def rhythm(self) -> Rhythm:
        said = self.cleaned_data
        on_day = {DAY: 1, WEEK: said["weekday"] or 1, MONTH: said["day"] or 1}[said["every"]]
        return Rhythm(said["every"], on_day, said["at_hour"], said["timezone"].strip())

    def refuse(self, error: BadSubscription) -> None:
        """Say what the door refused, each at its field."""
        for fault in error.faults:
            place = str(fault.loc[0]) if fault.loc else None
            self.add_error(place if place in self.fields else None, fault.msg)

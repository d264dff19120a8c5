"""What is asked of an outgoing webhook; the door says itself what it does not take."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from contacts import catalogue
from delivery.models import WebhookEndpoint
from delivery.outgoing import endpoints
from delivery.outgoing.endpoints import BadEndpoint

KNOWN = 60  # types that are offered


class EndpointForm(forms.Form):
    url = forms.CharField(
        max_length=4096,
        label="Address",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "url", "autocomplete": "off"}),
        help_text="https, on the public internet. Hosts of your own network stand in WEBHOOK_ALLOWED_HOSTS.",
    )
    event_types = forms.CharField(
        label="Hears of",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="Exact names of events, one a line. * stands for all.",
    )
    description = forms.CharField(
        max_length=endpoints.LONGEST_DESCRIPTION,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Whose server it is, so that you know later what breaks without it",
    )
    include_personal_data = forms.BooleanField(
        required=False,
        label="Send personal data",
        widget=UnfoldBooleanWidget,
        help_text="The email address and the telephone number of the contact, and the context of the event. Without it "
        "addresses and numbers are masked wherever they stand.",
    )

    def clean_event_types(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["event_types"].splitlines() if line.strip()]

    @staticmethod
    def of(row: WebhookEndpoint) -> dict[str, Any]:
        return {
            "url": row.url,
            "event_types": "\n".join(row.event_types),
            "description": row.description,
            "include_personal_data": row.include_personal_data,
        }


def tell(form: forms.Form, error: BadEndpoint) -> None:
    """Say each fault at its field."""
    for fault in error.faults:
        field = str(fault.loc[0]) if fault.loc and str(fault.loc[0]) in form.fields else None
        form.add_error(field, f"{fault.msg[:1].upper()}{fault.msg[1:]}.")


def known_types() -> list[str]:
    """Types that were seen, for whoever does not know their names by heart."""
    return [each.name for each in catalogue.event_types()[:KNOWN]]

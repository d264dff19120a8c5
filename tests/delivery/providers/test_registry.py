"""What folders say of a provider, together."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from delivery.providers import entries, sandbox
from delivery.providers.base import Entry, Provider
from delivery.webhooks.base import Reading, Vendor

VENDOR = Vendor(lambda knock: False, lambda body, received_at: Reading())


def test_one_folder_may_send_and_another_one_report():
    sends = Entry("both", Provider, channels=frozenset({"sms"}), needed=("KEY", "SHARED"))
    reports = Entry("both", vendor=VENDOR, advised=("SECRET",), needed=("SHARED",))
    for joined in (sends.joined(reports), reports.joined(sends)):
        assert (joined.make, joined.vendor, joined.channels) == (Provider, VENDOR, frozenset({"sms"}))
        assert (set(joined.needed), joined.advised) == ({"KEY", "SHARED"}, ("SECRET",))


def test_two_folders_do_not_do_the_same():
    with pytest.raises(ImproperlyConfigured):
        Entry("x", Provider).joined(Entry("x", Provider))
    with pytest.raises(ImproperlyConfigured):
        Entry("x", vendor=VENDOR).joined(Entry("x", vendor=VENDOR))


def test_every_folder_is_found_and_those_of_one_name_are_one():
    known = entries()
    assert known["sandbox"] is sandbox.ENTRIES[0]
    for name in ("sendgrid", "postmark", "ses", "mailgun", "resend", "brevo", "mailersend", "mailjet", "mandrill",
                 "sparkpost", "twilio", "mailtrap", "unisender_go", "postal"):  # fmt: skip
        assert known[name].make and known[name].vendor, name
    assert known["links"].vendor and not known["links"].make

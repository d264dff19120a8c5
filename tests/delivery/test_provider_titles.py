"""Pages call a provider as it calls itself, not by the key of the settings."""

from __future__ import annotations

import pytest

from delivery import providers


@pytest.mark.parametrize("name", sorted(providers.entries()))
def test_a_provider_has_a_name_for_people(name):
    title = providers.title(name)
    assert title[:1].isupper() and "_" not in title


@pytest.mark.parametrize(
    ("name", "title"),
    [("sendgrid", "SendGrid"), ("ses", "Amazon SES"), ("sparkpost", "SparkPost"), ("mailgun", "Mailgun"),
     ("unisender_go", "Unisender Go"), ("gone", "gone")],
)  # fmt: skip
def test_it_is_the_one_by_which_it_is_known(name, title):
    """Two folders of one provider, of which one sends and one reports, know it by the same."""
    assert providers.title(name) == title

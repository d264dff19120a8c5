"""Every word that a public page or a footer says, so that no language can lack one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PageWords:
    """`preferences_for` holds {address}; nothing else is filled in. `is_rtl`: written from right to left."""

    name: str  # of the language, in the language
    # unsubscribing
    unsubscribe_title: str
    unsubscribe_ask: str
    unsubscribe_explain: str
    unsubscribe_button: str
    unsubscribed_title: str
    unsubscribed_explain: str
    undo_button: str
    undone_title: str
    undone_explain: str
    # preferences
    preferences_title: str
    preferences_for: str
    topics_legend: str
    news_and_offers: str  # where there are no topics
    everything_else: str  # beside topics
    channels_legend: str
    email: str
    sms: str
    push: str
    frequency_legend: str
    as_it_comes: str
    one_a_day: str
    one_a_week: str
    as_it_is: str
    save_button: str
    all_off_button: str
    saved: str
    switched_off: str
    no_channel: str
    blocked: str
    still_sent: str
    unknown_title: str
    unknown_explain: str
    too_many_title: str
    too_many_explain: str
    # below a mail
    footer_question: str
    footer_unsubscribe: str
    footer_preferences: str
    is_rtl: bool = False

"""The pages of the ground floor, and of what belongs to nobody: users, groups, schedules."""

from django.contrib import admin

from contacts.pages import contacts, events, keys, people, tags

__all__ = ["contacts", "events", "keys", "people", "tags"]

admin.site.index_title = "Start"

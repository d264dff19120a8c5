"""The pages of the ground floor, and of what belongs to nobody: users, groups, schedules."""

from django.contrib import admin

from contacts import admin_contacts, admin_events, admin_keys, admin_people, admin_tags

__all__ = ["admin_contacts", "admin_events", "admin_keys", "admin_people", "admin_tags"]

admin.site.index_title = "Start"

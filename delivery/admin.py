"""The pages of the post office."""

from delivery import admin_messages, admin_providers, admin_suppressions, admin_templates, timeline

__all__ = ["admin_messages", "admin_providers", "admin_suppressions", "admin_templates", "timeline"]

"""The pages of the post office."""

from delivery import timeline
from delivery.pages import deliverability as admin_deliverability
from delivery.pages import domains as admin_domains
from delivery.pages import endpoints as admin_endpoints
from delivery.pages import messages as admin_messages
from delivery.pages import providers as admin_providers
from delivery.pages import seeds as admin_seeds
from delivery.pages import suppressions as admin_suppressions
from delivery.pages import templates as admin_templates
from delivery.pages import webhooks as admin_webhooks

__all__ = [
    "admin_deliverability",
    "admin_domains",
    "admin_endpoints",
    "admin_messages",
    "admin_providers",
    "admin_seeds",
    "admin_suppressions",
    "admin_templates",
    "admin_webhooks",
    "timeline",
]

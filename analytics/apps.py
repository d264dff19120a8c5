from datetime import timedelta

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class AnalyticsConfig(AppConfig):
    name = "analytics"
    verbose_name = "Analytics"

    def ready(self) -> None:
        from analytics import holdings, receivers  # noqa: F401  (registers what this floor hears)
        from analytics.health import alerts, alerts_sources
        from analytics.reporting import installing
        from analytics.reports import mails
        from analytics.warehouse import watching

        holdings.declare()
        alerts_sources.declare()
        watching.declare()
        pre_migrate.connect(installing.before_migrations, sender=self, dispatch_uid="reporting views make way")
        post_migrate.connect(installing.after_migrations, sender=self, dispatch_uid="reporting views are made")
        alerts.register(alerts.Source("reports", mails.look, every=timedelta(minutes=5), opens_after=timedelta(0)))

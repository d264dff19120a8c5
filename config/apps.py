from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Front desk"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from config import celery, checks, roles  # noqa: F401  (makes ours the current Celery app; registers the checks)
        from contacts import authority

        authority.grant_scopes(roles.SCOPES)
        post_migrate.connect(roles.after_migrating, dispatch_uid="roles")

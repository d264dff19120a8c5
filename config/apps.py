from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Front desk"

    def ready(self) -> None:
        from config import celery, checks  # noqa: F401  (makes ours the current Celery app; registers the checks)

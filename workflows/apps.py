from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Journeys"

    def ready(self) -> None:
        from workflows import holdings, receivers  # noqa: F401  (registers what this floor hears)

        holdings.declare()

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Journeys"

    def ready(self) -> None:
        from workflows import condition_nodes, holdings, receivers, uses  # noqa: F401  (registers what this floor hears)

        condition_nodes.register()
        holdings.declare()
        uses.register()

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Journeys"

    def ready(self) -> None:
        from workflows import condition_nodes, holdings, receivers, trace_links, uses  # noqa: F401  (receivers only hear)

        condition_nodes.register()
        holdings.declare()
        trace_links.register()
        uses.register()

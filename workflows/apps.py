from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Journeys"

    def ready(self) -> None:
        from contacts import freezing
        from workflows import condition_nodes, holdings, receivers, trace_links, uses  # noqa: F401  (receivers only hear)
        from workflows.errands import webhook_calls

        condition_nodes.register()
        holdings.declare()
        trace_links.register()
        uses.register()
        freezing.leaves_by(webhook_calls.LEAVES)

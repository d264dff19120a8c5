from django.apps import AppConfig


class ScoringConfig(AppConfig):
    name = "scoring"
    verbose_name = "Scoring"

    def ready(self) -> None:
        from scoring import condition_fields, holdings, receivers  # noqa: F401  (registers what this floor hears)
        from scoring.rulesets import uses

        condition_fields.register()
        holdings.declare()
        uses.register()

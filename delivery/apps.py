from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "delivery"
    verbose_name = "Delivery"

    def ready(self) -> None:
        from delivery import holdings, receivers  # noqa: F401  (registers what this floor hears)

        holdings.declare()

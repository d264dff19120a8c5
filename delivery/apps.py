from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "delivery"
    verbose_name = "Delivery"

    def ready(self) -> None:
        from contacts import freezing
        from delivery import frozen, holdings, receivers  # noqa: F401  (registers what this floor hears)

        holdings.declare()
        freezing.leaves_by(*frozen.WAYS)

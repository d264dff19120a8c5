from django.apps import AppConfig


class ContactsConfig(AppConfig):
    name = "contacts"
    verbose_name = "Contacts"

    def ready(self) -> None:
        from contacts import own_holdings, receivers  # noqa: F401  (registers what this floor hears)

        own_holdings.declare()

from django.apps import AppConfig


class ContactsConfig(AppConfig):
    name = "contacts"
    verbose_name = "Contacts"

    def ready(self) -> None:
        from contacts import (
            adapters,
            consent_fields,
            own_holdings,
            receivers,  # noqa: F401  (registers what this floor hears)
        )
        from contacts.audiences import nodes
        from contacts.collect import again

        adapters.register()
        own_holdings.declare()
        again.register()
        nodes.register()
        consent_fields.register()

"""The OpenAPI document of the ground floor's addresses."""

from __future__ import annotations

from django.test import override_settings
from drf_spectacular.generators import SchemaGenerator

from contacts import urls
from contacts.api import schema


@override_settings(ROOT_URLCONF="contacts.urls")
def test_every_address_is_described():
    document = SchemaGenerator(patterns=urls.urlpatterns).get_schema(request=None, public=True)
    document = schema.describe_events(document, None, None, True)
    one = "/api/v1/contacts/{public_id}/"
    api = {path: each for path, each in document["paths"].items() if path.startswith("/api/")}
    assert {path: set(each) & {"get", "post", "patch"} for path, each in api.items()} == {
        "/api/v1/events": {"post"},
        "/api/v1/events/catalogue/": {"get"},
        "/api/v1/conditions/catalogue/": {"get"},
        "/api/v1/conditions/explain/": {"post"},
        "/api/v1/contacts/": {"get", "post"},
        "/api/v1/contacts/bulk/": {"post"},
        one: {"get", "patch"},
        f"{one}timeline/": {"get"},
        f"{one}merges/": {"get"},
        "/api/v1/contacts/merge/": {"post"},
        "/api/v1/contacts/export/": {"get"},
        "/api/v1/imports/": {"post"},
        "/api/v1/imports/{run_id}/": {"get"},
        "/api/v1/merges/{merge_id}/undo/": {"post"},
        f"{one}consents/": {"get", "post"},
        f"{one}opt-in/": {"post"},
        f"{one}export/": {"get"},
        f"{one}erase/": {"post"},
        f"{one}restrict/": {"post"},
        f"{one}unrestrict/": {"post"},
        "/api/v1/tags/": {"get", "post"},
        "/api/v1/tags/{name}/": {"get", "patch"},
        "/api/v1/tags/{name}/contacts/": {"get", "post"},
        "/api/v1/lists/": {"get", "post"},
        "/api/v1/lists/{slug}/": {"get", "patch"},
        "/api/v1/lists/{slug}/contacts/": {"get", "post"},
        "/api/v1/segments/": {"get", "post"},
        "/api/v1/segments/preview/": {"post"},
        "/api/v1/segments/{slug}/": {"get", "patch"},
        "/api/v1/segments/{slug}/contacts/": {"get"},
    }
    schemes = document["components"]["securitySchemes"]
    assert schemes["apiKey"]["scheme"] == "bearer"
    batch = document["paths"]["/api/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert batch["properties"]["events"]["maxItems"] == 1000


def test_the_tracking_api_is_described_too(client):
    document = client.get("/api/v1/schema/?format=json").json()
    for kind in ("track", "page", "screen", "identify", "group", "alias", "batch", "import"):
        post = document["paths"][f"/v1/{kind}"]["post"]
        assert post["security"] == [{"writeKey": []}]
        assert {"200", "400", "401", "413", "429"} <= post["responses"].keys()
    assert document["components"]["schemas"]["SegmentMessage"]["required"] == ["type"]

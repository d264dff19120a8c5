"""`gunicorn tests.bench.peers.plain_rest.app:application`, on the database of DATABASE_URL."""

from __future__ import annotations

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config import env

settings.configure(
    SECRET_KEY="nothing-is-signed-here",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {**env.database(env.text("DATABASE_URL")), "CONN_MAX_AGE": 60}},
    INSTALLED_APPS=["rest_framework", "django_filters", "tests.bench.peers.plain_rest"],
    MIDDLEWARE=[],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
        "PAGE_SIZE": 50,
    },
)
django.setup()

from rest_framework import routers, serializers, viewsets  # noqa: E402

from tests.bench.peers.plain_rest.models import Contact  # noqa: E402


class ContactSerializer(serializers.ModelSerializer):
    tags = serializers.SlugRelatedField(many=True, read_only=True, slug_field="name")

    class Meta:
        model = Contact
        fields = [
            "public_id", "external_id", "email", "phone", "timezone", "locale", "region", "owner_email", "attributes",
            "tags",
        ]  # fmt: skip


class Contacts(viewsets.ModelViewSet):
    queryset = Contact._default_manager.order_by("-id").prefetch_related("tags")
    serializer_class = ContactSerializer
    lookup_field = "public_id"
    filterset_fields = ("email", "tags__name")


router = routers.SimpleRouter()
router.register("contacts", Contacts)
urlpatterns = router.urls
application = get_wsgi_application()

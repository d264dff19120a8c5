"""The product's settings, but Celery's defaults: only the broker, and CELERY_DB_REUSE_MAX where the bench asks."""

from config import env
from config import settings as product

globals().update(
    {name: value for name, value in vars(product).items() if name.isupper() and not name.startswith("CELERY_")}
)
INSTALLED_APPS = [*product.INSTALLED_APPS, "tests.bench.peers.naive"]
CELERY_BROKER_URL = product.CELERY_BROKER_URL
if env.text("NAIVE_DB_REUSE_MAX"):
    CELERY_DB_REUSE_MAX = env.integer("NAIVE_DB_REUSE_MAX", 0)

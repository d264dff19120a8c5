"""The web entrance."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config.bodies import measured
from contacts.garbage import collect_seldom

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = measured(get_wsgi_application())
# The master loads the pages, once for all its workers: else the first callers of each wait a second and more for them.
import_module(settings.ROOT_URLCONF)
collect_seldom()

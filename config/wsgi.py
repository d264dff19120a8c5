"""The web entrance."""

import os

from django.core.wsgi import get_wsgi_application

from config.bodies import measured
from contacts.garbage import collect_seldom

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = measured(get_wsgi_application())
collect_seldom()

"""What each kind of process loads: a worker that loaded every page would start in half again the time."""

import subprocess
import sys

from config.env import BASE_DIR

WORKER = """
import sys, django
django.setup()
from config.celery import app
app.loader.import_default_modules()
print(*sorted(name for name in sys.modules if name.endswith(".admin") or name == "config.urls"))
"""
WEB = """
import sys
import config.wsgi
from django.db import connections
print("config.urls" in sys.modules, any(each.connection for each in connections.all(initialized_only=True)))
"""


def test_a_worker_loads_no_page_of_the_admin():
    said = subprocess.run([sys.executable, "-c", WORKER], cwd=BASE_DIR, capture_output=True, text=True, check=True)
    assert set(said.stdout.split()) <= {"django.contrib.admin"}


def test_the_web_process_has_every_page_before_it_has_children_and_has_asked_nobody_for_anything():
    """Else each child loads them while its first callers wait, or all of them share one connection."""
    said = subprocess.run([sys.executable, "-c", WEB], cwd=BASE_DIR, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "False"]

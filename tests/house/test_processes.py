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


def test_a_worker_loads_no_page_of_the_admin():
    said = subprocess.run([sys.executable, "-c", WORKER], cwd=BASE_DIR, capture_output=True, text=True, check=True)
    assert set(said.stdout.split()) <= {"django.contrib.admin"}

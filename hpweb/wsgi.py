"""The web process: gunicorn loads `application` from here. It never imports torch (tests/test_architecture.py)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hpweb.settings")

application = get_wsgi_application()

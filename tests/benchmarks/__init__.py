"""Benchmarks behind `manage.py bench NAME`: each measures, prints a table, and judges its own marks."""

"""Workloads with one planted fault each, and healthy ones: what the preflight must catch, and what it must let pass."""

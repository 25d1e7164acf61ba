"""One module per group of endpoints. A view reads body and query, calls one service or selector, and
serialises.
"""

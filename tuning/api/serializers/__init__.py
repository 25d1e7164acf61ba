"""What each endpoint takes and gives: one module per group of endpoints, over the strict fields of
`strict`.
"""

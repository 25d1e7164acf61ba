"""The peers, one a file: each puts a space into its own words and searches with its own defaults."""

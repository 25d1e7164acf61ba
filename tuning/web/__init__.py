"""Pages: views, forms, template filters. Reads come from selectors, changes go through services."""

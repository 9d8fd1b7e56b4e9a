"""The checks, one section of a configuration each; check.py calls them."""

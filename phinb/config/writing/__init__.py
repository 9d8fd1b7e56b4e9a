"""Nodes -> text: what has not changed stays as it was written."""

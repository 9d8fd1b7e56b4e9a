"""The text of a configuration -> nodes: JSON and YAML, whole or in pieces."""

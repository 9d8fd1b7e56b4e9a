"""Variants of a model on one's own rows: quality, speed, memory and size, each measured in a process of its own."""

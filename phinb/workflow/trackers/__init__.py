"""Experiment trackers: MLflow, TensorBoard and Weights & Biases as views of a run's events (process.py begins it)."""

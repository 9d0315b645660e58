"""Stages that train, and evidence by training."""

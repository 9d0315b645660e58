"""Stages that make: negatives, candidates, critiques."""

"""Stages that measure, judge and keep."""

"""Rows in and rows out: readers, writers, the Hub, the card, the report."""

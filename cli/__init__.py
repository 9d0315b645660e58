"""The door: one verb a file."""

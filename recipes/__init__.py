"""Recipes that ship with the package, one a method."""

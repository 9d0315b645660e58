"""The machinery, without weights: row, stage, registry, recipe, engine, journal."""

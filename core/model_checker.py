"""Models of a recipe: those it declares, and those its stages name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, final

from pydantic import ValidationError

from . import registry, secrets
from .declared import ModelOf
from .errors import did_you_mean
from .findings import Findings
from .recipe import ModelEntry, Recipe, StageEntry


@final
@dataclass(frozen=True)
class ModelChecker:
    """Finds faults of models; `check_sources` asks for what they import too."""

    recipe: Recipe
    check_sources: bool
    findings: Findings

    def declared(self) -> dict[str, registry.ModelSpec]:
        """Models of the recipe by nickname, those left out that cannot be built."""
        found: dict[str, registry.ModelSpec] = {}
        for entry in self.recipe.models:
            spec = self._declared(entry)
            if spec is not None:
                found[entry.nickname] = spec
        return found

    def refer(
        self, line: int, entry: StageEntry, nickname: str, mark: ModelOf, models: dict[str, registry.ModelSpec]
    ) -> None:
        """Faults of a stage that names the model `nickname`; a registered one joins `models`."""
        spec = models.get(nickname)
        shipped = registry.model_spec(nickname) if spec is None else None
        if shipped is not None:
            try:
                spec = shipped()
            except ValidationError:
                self.findings.fault(
                    line, f"{entry.name}: the model {nickname} needs options", "declare it under `models:`"
                )
                return
            models[nickname] = spec
            self.findings.extra(line, f"the model {nickname}", spec.needs, spec.extra)
        if spec is None:
            if all(m.nickname != nickname for m in self.recipe.models):
                names = [m.nickname for m in self.recipe.models] + list(registry.models_of(mark.kind))
                self.findings.fault(line, f"{entry.name}: no model called {nickname}", did_you_mean(nickname, names))
        elif not mark.takes(spec.kind):
            known = ", ".join(registry.models_of(mark.kind))
            self.findings.fault(
                line, f"{entry.name}: {nickname} is a {spec.kind}, not a {mark.kind}", f"of that kind: {known}"
            )

    def _declared(self, entry: ModelEntry) -> registry.ModelSpec | None:
        options = {key: item.plain() for key, item in entry.options.items()}
        use = options.pop("use", None)
        known = registry.model_spec(use) if isinstance(use, str) else None
        if known is None:
            cause = (
                f"the model {entry.nickname} uses {use!r}, which is not known"
                if use
                else f"the model {entry.nickname} has no `use:`"
            )
            self.findings.fault(entry.line, cause, did_you_mean(str(use or ""), registry.models()))
            return None
        self._secrets(entry, options, known.model_fields)
        spec = self.findings.validated(known, options, entry.options, entry.line, f"models.{entry.nickname}")
        if spec is not None and self.check_sources:
            self.findings.extra(entry.line, f"the model {entry.nickname} ({use})", spec.needs, spec.extra)
        return spec

    def _secrets(self, entry: ModelEntry, options: Mapping[str, Any], known: Collection[str]) -> None:
        for key, value in options.items():
            written = isinstance(value, str) and "${" not in value
            if written and secrets.is_secret_name(key) and key in known:
                secrets.hide(value, key.upper())
                cause = f"models.{entry.nickname}.{key} is a secret written out"
                self.findings.fault(entry.options[key].line, cause, "write ${NAME} and set it in the environment")

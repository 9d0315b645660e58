"""The judge of `rather bench`: a model by name, or told in one argument."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..core import registry
from ..core.errors import InputError, did_you_mean


def judge_options(text: str, file: Path | None) -> dict[str, Any]:
    """The options of a chat model for a recipe's `models:`.

    `text` is `use=openai,name=my-model,url=http://…` (values are YAML, `${NAME}` is filled in from
    the environment), a name from the `models:` of a YAML file, or a chat model that needs no options.
    """
    if "=" in text:
        return _told(text)
    if file is not None:
        known = _models_in(file)
        if text not in known:
            raise InputError(f"no model called {text}", place=str(file), hint=did_you_mean(text, known))
        return known[text]
    specs = {name: spec for name, spec in registry.models().items() if spec.kind == "chat"}
    if text in specs and not any(info.is_required() for info in specs[text].model_fields.values()):
        return {"use": text}
    hint = "--judge use=openai,name=MODEL,url=http://localhost:8000/v1, or --models FILE with a model of that name"
    raise InputError(f"--judge {text} tells no model", hint=hint)


def _told(text: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for part in text.split(","):
        key, mark, value = part.partition("=")
        if not mark or not key.strip():
            raise InputError(f"--judge: {part!r} is not key=value", hint="use=openai,name=MODEL,url=http://…")
        options[key.strip()] = yaml.safe_load(value) if not value.startswith("${") else value
    use, known = options.get("use"), registry.models_of("chat")
    if use not in known:
        raise InputError(f"--judge: no chat model called {use}", hint=did_you_mean(str(use), known))
    return options


def _models_in(file: Path) -> dict[str, dict[str, Any]]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError("this file of models cannot be read", place=str(file), hint=str(error)) from error
    models = found.get("models", found) if isinstance(found, dict) else None
    if not isinstance(models, dict) or not all(isinstance(entry, dict) and "use" in entry for entry in models.values()):
        raise InputError("no models here", place=str(file), hint="needed: models: {judge: {use: openai, name: …}}")
    return models

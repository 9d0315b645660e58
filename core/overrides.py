"""`--set a.b=value`: a stage's name, alias or unique prefix, then the option."""

from __future__ import annotations

from dataclasses import replace

from .errors import Fault, InputError, RecipeError, did_you_mean
from .recipe import ModelEntry, Recipe
from .recipe_parser import SETTINGS, setting
from .stage_parser import IF_TAKES
from .yamlfile import Located, Reader, is_text


def apply_sets(recipe: Recipe, sets: list[str]) -> Recipe:
    """The recipe with every `--set a.b=value` applied; all mistakes in one InputError."""
    mistakes = []
    for text in sets:
        try:
            recipe = _apply_set(recipe, text)
        except InputError as error:
            mistakes.append(Fault(0, error.cause, error.hint, f"--set {text}"))
    if mistakes:
        raise RecipeError(mistakes)
    return recipe


def _apply_set(recipe: Recipe, text: str) -> Recipe:
    target, equals, raw = text.partition("=")
    if not equals or not target:
        raise InputError("not of the form name.option=value")
    if not is_text(text):
        raise InputError("not UTF-8 text")
    reader = Reader(f"--set {target}")
    value = reader.read(raw) or Located(None if raw.strip() in ("", "null", "~") else raw, 0)
    if reader.faults:
        value = Located(raw, 0)
    if target in SETTINGS:
        return _set_setting(recipe, target, value)
    head, _, option = target.rpartition(".")
    if not head:
        raise InputError(f"nothing called {target}", hint="use stage.option=value")
    if head == "models":
        if not isinstance(value.value, dict):
            raise InputError(
                f"models.{option} is a model", hint=f"set models.{option}={{use: …, name: …}} or one option"
            )
        for name, given in value.value.items():
            recipe = _set_model(recipe, option, str(name), given)
        return recipe
    if head.startswith("models."):
        return _set_model(recipe, head.removeprefix("models."), option, value)
    return _set_option(recipe, head, option, value)


def _set_option(recipe: Recipe, stage: str, option: str, value: Located) -> Recipe:
    index = _find_entry(recipe, stage)
    entry = recipe.stages[index]
    if option == "if":
        if not isinstance(value.value, (str, bool)):
            raise InputError(IF_TAKES)
        changed = replace(entry, condition=value.value)
    else:
        changed = replace(entry, options=entry.options | {option: Located(value.value, entry.line)})
    return replace(recipe, stages=(*recipe.stages[:index], changed, *recipe.stages[index + 1 :]))


def _set_setting(recipe: Recipe, key: str, value: Located) -> Recipe:
    reader = Reader(f"--set {key}")
    found = setting(reader, key, value)
    if reader.faults:
        raise InputError(reader.faults[0].cause, hint=reader.faults[0].hint)
    if found is None and key in ("name", "seed"):
        raise InputError(f"{key} needs a value")
    return replace(recipe, **{key: found})


def _set_model(recipe: Recipe, nickname: str, option: str, value: Located) -> Recipe:
    rest = [m for m in recipe.models if m.nickname != nickname]
    entry = next((m for m in recipe.models if m.nickname == nickname), ModelEntry(nickname, 0, {}))
    changed = replace(entry, options=entry.options | {option: Located(value.value, entry.line)})
    order = {m.nickname: k for k, m in enumerate(recipe.models)}
    models = sorted([*rest, changed], key=lambda m: order.get(m.nickname, len(order)))
    return replace(recipe, models=tuple(models))


def _find_entry(recipe: Recipe, wanted: str) -> int:
    names = [entry.name for entry in recipe.stages]
    exact = [i for i, entry in enumerate(recipe.stages) if entry.name == wanted]
    kinds = [i for i, entry in enumerate(recipe.stages) if entry.kind == wanted]
    prefix = [
        i for i, e in enumerate(recipe.stages) if e.name.startswith(f"{wanted}.") or e.kind.startswith(f"{wanted}.")
    ]
    found = exact or kinds or prefix
    if len(found) > 1:
        raise InputError(f"{wanted} may mean {' or '.join(names[i] for i in found)}", hint="use one of these names")
    if not found:
        raise InputError(f"no stage of this recipe is called {wanted}", hint=did_you_mean(wanted, names))
    return found[0]

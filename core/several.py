"""Options that take one name or several: a string alone is a tuple of one."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from .declared import ModelOf


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Several: Final = BeforeValidator(_several)
"""Lets a tuple option be given as one string."""
Names = Annotated[tuple[str, ...], Several, Field(min_length=1)]
"""One name or several."""
Chats = Annotated[tuple[str, ...], Several, ModelOf("chat"), Field(min_length=1)]
"""One chat model or several, by nickname."""
Painters = Annotated[tuple[str, ...], Several, ModelOf("painter"), Field(min_length=1)]
"""One painter or several, by nickname."""

"""The models of a run: loaded when first asked for, and wrapped so that nothing is paid or encoded twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, final

from .caller import throttle_for
from .errors import InputError, RatherError
from .paid import Backend, PaidModel
from .registry import ModelSpec
from .throttle import Throttle
from .vectors import KeptEncoder

if TYPE_CHECKING:
    from .session import Session


@final
class LoadedModels(Mapping[str, Any]):
    """Models by nickname, loaded when first asked for; paid ones wrapped."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loaded: dict[str, Any] = {}
        self._doors: dict[tuple[Any, ...], Throttle] = {}
        self._encoders: dict[str, KeptEncoder] = {}
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._session.plan.models)

    def __iter__(self) -> Iterator[str]:
        return iter(self._session.plan.models)

    def loaded(self) -> list[Any]:
        """Those that have been asked for."""
        return list(self._loaded.values())

    def __getitem__(self, nickname: str) -> Any:
        with self._turn:  # batches of several threads ask at once for a model that takes long to load
            if nickname not in self._loaded:
                spec = self._session.plan.models[nickname]
                self._loaded[nickname] = self._wrapped(spec, self._load(nickname, spec))
            return self._loaded[nickname]

    @staticmethod
    def _load(nickname: str, spec: ModelSpec) -> Any:
        try:
            return spec.load()
        except RatherError:
            raise
        except Exception as error:
            cause = f"the model {nickname} ({spec.use}) does not load: {type(error).__name__}: {error}"
            raise InputError(cause.splitlines()[0], hint="see: rather doctor") from error

    def _throttle(self, backend: Backend) -> Throttle:
        """Nicknames of one endpoint, asked for alike, are admitted together: it sees their sum."""
        door = getattr(backend, "door", None)
        if door is None:
            return throttle_for(backend)
        key = (door, backend.concurrency, backend.requests_per_minute, backend.tokens_per_minute)
        return self._doors.setdefault(key, throttle_for(backend))

    def _wrapped(self, spec: ModelSpec, loaded: Any) -> Any:
        session = self._session
        if spec.paid:
            if hasattr(loaded, "keep_in"):
                loaded.keep_in(session.options.journal_path.parent / "batches")
            return PaidModel(
                loaded, spec.identity(), session.journal, session.meter, session.run_name, session.loop,
                self._throttle(loaded),
            )  # fmt: skip
        if getattr(loaded, "persist", False):
            return self._kept(loaded, spec.identity())
        if hasattr(loaded, "over"):  # a reward on the vectors of an encoder, which are kept in its stead
            return loaded.over(self._kept(loaded.encoder, loaded.encoder_identity))
        return loaded

    def _kept(self, encoder: Any, identity: Mapping[str, Any]) -> KeptEncoder:
        """One store of vectors for one identity, under however many nicknames it goes."""
        name = json.dumps(identity, sort_keys=True)
        if name not in self._encoders:
            folder = self._session.options.journal_path.parent / "vectors"
            self._encoders[name] = KeptEncoder(encoder, identity, folder)
        return self._encoders[name]


@final
class StageModels(Mapping[str, Any]):
    """The models of a run as one stage is handed them: paid ones know whom to charge."""

    def __init__(self, models: LoadedModels, stage: str) -> None:
        self._models, self._stage = models, stage
        self._charged: dict[str, PaidModel] = {}

    def __len__(self) -> int:
        return len(self._models)

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __getitem__(self, nickname: str) -> Any:
        model = self._models[nickname]
        if not isinstance(model, PaidModel):
            return model
        if nickname not in self._charged:
            self._charged[nickname] = model.charged_to(self._stage)
        return self._charged[nickname]

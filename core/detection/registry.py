"""The models on this machine: the bundled one and those the user trained or added. Imports no torch.

A registry is a folder of .safetensors files and one `registry.json` with the history of promotions. The
bundled model is always there, comes first, and is current until another is promoted.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from core.detection.atomic import write_whole
from core.detection.card import ModelCard, file_hash, read_card, verify_model
from core.errors import InputError, ModelDamaged, ModelNotFound

_SUFFIX = ".safetensors"
_STATE = "registry.json"
Names = list[str]  # the class below has a method of that name
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One registered model.

    Attributes:
        name: Unique in the registry.
        path: The file.
        sha256: Of the file, hex.
        card: Its card.
        bundled: Came with Overread.
        current: Used where no model is named.
    """

    name: str
    path: Path
    sha256: str
    card: ModelCard
    bundled: bool
    current: bool


class ModelRegistry:
    """Models by name.

    Args:
        folder: Where added models lie; made on the first `add`.
        bundled: Folder of the models that came with Overread; None for resources/models.
    """

    def __init__(self, folder: Path, bundled: Path | None = None) -> None:
        self._folder = folder
        self._bundled = bundled if bundled is not None else _resources()

    def names(self) -> tuple[str, ...]:
        """Names of all models, bundled first."""
        return tuple(self._paths())

    def list(self) -> tuple[ModelEntry, ...]:
        """All models with a readable card; a damaged file is left out, and `get` says what is wrong."""
        return tuple(self._readable())

    def get(self, name: str) -> ModelEntry:
        """The model of that name.

        Raises:
            ModelNotFound: There is none; the message lists the names.
            ModelDamaged: Its file is damaged.
        """
        path = self._paths().get(name)
        if path is None:
            have = ", ".join(self.names()) or "none"
            raise ModelNotFound(
                f"no model named {name!r}. Registered: {have}. Add one with `overread models add FILE`."
            )
        return self._entry(name, path)

    def add(self, file: Path, name: str | None = None) -> ModelEntry:
        """Copy a model file into the registry. The current model stays current.

        Args:
            file: A model trained by Overread.
            name: Name to go by; None for the card's, with a number where that is taken.

        Raises:
            ModelNotFound: There is no such file.
            ModelDamaged: It is cut short, altered, or not a model.
            InputError: The name is taken by another model or cannot be a file name.
        """
        card = verify_model(file)
        chosen = name if name is not None else self._free_name(card.name, file)
        if not _NAME.fullmatch(chosen):
            raise InputError(
                f"model name {chosen!r}: use letters, digits, dot, plus, minus or underscore, at most 64"
            )
        taken = self._paths().get(chosen)
        if taken is not None:
            if file_hash(taken) == file_hash(file):
                return self._entry(chosen, taken)
            raise InputError(f"a model named {chosen!r} is registered already. Choose another name.")
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / f"{chosen}{_SUFFIX}"
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".tmp", delete=False) as stream:
            temporary = Path(stream.name)
        try:
            shutil.copyfile(file, temporary)
            verify_model(temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return self._entry(chosen, target)

    def promote(self, name: str) -> ModelEntry:
        """Make a model current.

        Raises:
            ModelNotFound: There is none of that name.
            ModelDamaged: Its file is damaged; the current model stays.
        """
        verify_model(self.get(name).path)
        history = self._history()
        if not history or history[-1] != name:
            self._remember([*history, name])
        return self.get(name)

    def rollback(self) -> ModelEntry:
        """Go back to the model that was current before.

        Raises:
            ModelNotFound: Nothing was promoted, or nothing is left to go back to.
        """
        history = self._history()
        if not history:
            raise ModelNotFound("no model was promoted, so there is nothing to go back to.")
        self._remember(history[:-1])
        entry = self.current()
        if entry is None:
            self._remember(history)
            raise ModelNotFound(f"{history[-1]!r} is the only model; there is nothing to go back to.")
        return entry

    def current(self) -> ModelEntry | None:
        """The model in use, or None where there is none. A promoted model that vanished is passed over."""
        name = self._current_name()
        return self._entry(name, self._paths()[name]) if name is not None else None

    def _paths(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in (self._bundled, self._folder):
            if folder.is_dir():
                for path in sorted(folder.glob(f"*{_SUFFIX}")):
                    found.setdefault(path.name.removesuffix(_SUFFIX), path)
        return found

    def _readable(self) -> Iterator[ModelEntry]:
        for name, path in self._paths().items():
            try:
                yield self._entry(name, path)
            except (ModelDamaged, ModelNotFound):
                continue

    def _entry(self, name: str, path: Path) -> ModelEntry:
        card = read_card(path)
        return ModelEntry(
            name=name,
            path=path,
            sha256=file_hash(path),
            card=card,
            bundled=path.parent == self._bundled,
            current=name == self._current_name(),
        )

    def _current_name(self) -> str | None:
        paths = self._paths()
        for name in reversed(self._history()):
            if name in paths:
                return name
        return next(iter(paths), None)

    def _free_name(self, wanted: str, file: Path) -> str:
        base = re.sub(r"[^A-Za-z0-9._+-]+", "-", wanted).strip("-.")[:56] or "model"
        paths = self._paths()
        digest = file_hash(file)
        number, name = 1, base
        while name in paths and file_hash(paths[name]) != digest:
            number += 1
            name = f"{base}-{number}"
        return name

    def _history(self) -> Names:
        try:
            plain: Any = json.loads((self._folder / _STATE).read_text(encoding="utf-8"))
            return [str(name) for name in plain["promoted"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self._folder / _STATE}: cannot be read ({type(error).__name__}). Remove it to start "
                "from the bundled model; no model is lost."
            ) from error

    def _remember(self, history: Names) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._folder / _STATE, json.dumps({"promoted": history}, indent=1).encode())


def _resources() -> Path:
    return Path(str(files("resources"))) / "models"

"""Every error that Overread raises on purpose.

    OverreadError
    ├── InputError              a path or value that was given cannot be used
    │   └── UnreadableFile      this file cannot be opened, and why
    ├── EditConflict            an edit does not fit the annotations it is applied to
    ├── StoreError              the workspace
    │   ├── JournalWriteFailed  the edit is not on disk and was not acknowledged
    │   ├── WorkspaceLocked     another process holds it
    │   ├── WorkspaceTooNew     written by a later Overread; left untouched
    │   └── WorkspaceDamaged    not a workspace, or its journal does not verify
    ├── ModelError              a detector's weights
    │   ├── ModelNotFound
    │   ├── ModelDamaged        cut short, altered, or not a model
    │   └── ModelMismatch       sound, but for other classes
    ├── ExchangeError           export and import
    │   └── VerificationFailed  what was written does not read back as what was meant
    └── TrainingError
        ├── NotEnoughData
        └── TrainingDiverged

`Cancelled` stands outside the tree: a cancelled job is not an error.

A message names the file or field, the value, and the way out. Messages carry no patient data.
"""

from __future__ import annotations

from pathlib import Path


class Cancelled(Exception):  # noqa: N818 - not an error
    """The job was asked to stop and did."""


class OverreadError(Exception):
    """Base of all errors meant for a person to read."""


class InputError(OverreadError):
    """A path or value that was given cannot be used."""


class UnreadableFile(InputError):  # noqa: N818
    """A file cannot be opened.

    Attributes:
        path: The file.
        reason: Why, without the path, for lists that show the path themselves.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason


class EditConflict(OverreadError):  # noqa: N818
    """An edit does not fit the annotations it is applied to."""


class StoreError(OverreadError):
    """The workspace cannot do what was asked."""


class JournalWriteFailed(StoreError):  # noqa: N818
    """The edit is not on disk and was not acknowledged."""


class WorkspaceLocked(StoreError):  # noqa: N818
    """Another process has the workspace open."""


class WorkspaceTooNew(StoreError):  # noqa: N818
    """The workspace was written by a later version; it was left untouched."""


class WorkspaceDamaged(StoreError):  # noqa: N818
    """The file is not a workspace, or its journal does not verify."""


class ModelError(OverreadError):
    """A detector's weights cannot be used."""


class ModelNotFound(ModelError):  # noqa: N818
    """No model of that name is registered."""


class ModelDamaged(ModelError):  # noqa: N818
    """The file is cut short, altered, or not a model."""


class ModelMismatch(ModelError):  # noqa: N818
    """The model is sound but predicts other classes than asked for."""


class ExchangeError(OverreadError):
    """Export or import failed."""


class VerificationFailed(ExchangeError):  # noqa: N818
    """What was written does not read back as what was meant."""


class TrainingError(OverreadError):
    """Training cannot start or go on."""


class DeviceFailed(OverreadError):  # noqa: N818
    """A graphics processor ran out of memory or does not work; the processor does."""


class NotEnoughData(TrainingError):  # noqa: N818
    """Too few read slices or boxes to train on."""


class TrainingDiverged(TrainingError):  # noqa: N818
    """The loss is no longer finite."""

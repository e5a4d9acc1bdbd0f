"""No patient in training and in test: five folds of btod's numbered images, and progression one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.detection_data import FOLDS, btod, deal, numbered
from benchmarks.detection_masks import mask_lesions, read_mask
from benchmarks.detection_runs import Bench, Row, any_class, as_row, figures, judge, pooled, trained
from benchmarks.real_data import by_groups, progression
from core.detection.card import read_card
from core.errors import InputError
from core.evaluation.bootstrap import pair
from core.evaluation.froc import RATES
from core.evaluation.lesions import LesionBoxes, SeriesLesions, lesion_froc
from core.exchange.evaluating import Run
from core.model import Dataset

FOLD_MINUTES = 30.0
PATIENT_MINUTES = 5.0
NEEDED_RATE = 1.0


def measure_folds(
    bench: Bench, *, minutes: float = FOLD_MINUTES, classes: str = "one", folds: int = FOLDS, seed: int = 0
) -> Row:
    """Every numbered image of btod/train judged by a model that never saw its patient.

    The detections of all folds are ranked together; intervals draw patients. A fold that has been trained is
    not trained again.

    Args:
        bench: Where, with what.
        minutes: Time budget of each fold.
        classes: "one" or "all"; with all, any class too.
        folds: How many.
        seed: Of the dealing and of the training.
    """
    every = numbered(btod(bench.data, "train"))
    config = bench.config(classes=classes, budget_minutes=minutes, seed=seed, name="btod-fold")
    runs: list[Run] = []
    rows: list[Row] = []
    for k, members in enumerate(deal((s.group for s in every.slices), folds, seed)):
        rest = by_groups(every, set(members), name=every.name, inside=False)
        fold = by_groups(every, set(members), name=f"{every.name}, fold {k + 1}", inside=True)
        done = trained("folds", f"fold-{k + 1}-{classes}", [rest], config, bench)
        run, _ = judge(fold, done.model, one_class=classes == "one", threads=bench.threads)
        runs.append(run)
        rows.append({**done.as_row(), **_headline(run)})
        print(f"folds: {k + 1} of {folds}: {rows[-1]}", flush=True)
    together = replace(pooled(runs), dataset=every.name)
    row: Row = {
        "minutes": minutes, "classes": classes, "threads": bench.threads, "seed": seed,
        "pooled": figures(together, bench.resamples), "folds": rows,
    }  # fmt: skip
    if classes != "one":
        row["pooled_any_class"] = figures(any_class(together), bench.resamples)
    return row


@dataclass(frozen=True, slots=True)
class Start:
    """A model to go on from.

    Attributes:
        file: The model file.
        name: On its card.
        digest: Of its card and weights.
        classes: "one" where it knows tumours only, else "all".
    """

    file: Path
    name: str
    digest: str
    classes: str

    @classmethod
    def read(cls, file: Path | None, *, never: str) -> Start:
        """A model that must never have been trained on some data.

        Args:
            file: The model file; None for none given.
            never: Name of a data set.

        Raises:
            InputError: None was given, or it was trained on that data by its own card.
        """
        if file is None:
            raise InputError(f"--start: give a model file that was never trained on {never}")
        card = read_card(file)
        seen = [d.name for d in card.data if d.role == "train" and never in d.name]
        if seen:
            raise InputError(
                f"--start {file.name}: was trained on {seen[0]}; what it finds there shows nothing"
            )
        classes = "one" if card.classes == ("tumour",) else "all"
        return cls(file, card.name, card.digest[:12], classes)


def measure_patients(
    bench: Bench, start: Start, *, minutes: float = PATIENT_MINUTES, seed: int = 0, link_from: float = 0.0
) -> Row:
    """Progression, leave one patient out: fine-tuned on the five others, and the model as it was.

    By lesion: true ones from the masks, and for comparison as linked boxes; the detections linked. Intervals
    draw patients.

    Args:
        bench: Where, with what.
        start: What to go on from.
        minutes: Time budget for each patient.
        seed: Of the training.
        link_from: Detections below that score are left out before linking.
    """
    every = progression(bench.data)
    config = bench.config(
        classes=start.classes, budget_minutes=minutes, seed=seed, init_from=start.file, name="progression-loo"
    )
    tuned: list[Run] = []
    as_it_was: list[Run] = []
    rows: dict[str, Row] = {}
    for patient in sorted({s.group for s in every.slices}):
        rest = by_groups(every, {patient}, name="progression", inside=False)
        own = by_groups(every, {patient}, name=f"progression, patient {patient}", inside=True)
        done = trained("patients", f"without-{patient}", [rest], config, bench)
        tuned.append(_judged(own, done.model, bench))
        as_it_was.append(_judged(own, start.file, bench))
        rows[patient] = {**done.as_row(), **_patient_row(tuned[-1], bench.data, link_from)}
        print(f"patients: {patient}: {rows[patient]}", flush=True)
    return {
        "minutes": minutes, "threads": bench.threads, "seed": seed, "link_from": link_from,
        "start": start.name, "start_digest": start.digest,
        "tuned": lesion_row(tuned, bench.data, bench.resamples, link_from),
        "start_alone": lesion_row(as_it_was, bench.data, bench.resamples, link_from),
        "patients": rows,
    }  # fmt: skip


def lesion_row(runs: Sequence[Run], data: Path, resamples: int, link_from: float = 0.0) -> Row:
    """Sensitivity by lesion at rates of false boxes per slice, with intervals; by box beside it.

    True lesions are counted twice: as the masks have them, and as linked boxes.
    """
    together = pooled(runs)
    by_link = linked(together, link_from)
    by_mask = with_mask_lesions(by_link, together, data)
    return {
        "by_mask": _points(by_mask, resamples),
        "by_link": _points(by_link, resamples),
        "by_box": figures(together, resamples),
    }


def linked(run: Run, link_from: float = 0.0) -> tuple[SeriesLesions, ...]:
    """The series of a run, their lesions, and the findings that detections from that score on make."""
    kept = tuple(tuple(d for d in found if d.score >= link_from) for found in run.found)
    return replace(run, found=kept).series


def with_mask_lesions(series: Sequence[SeriesLesions], run: Run, data: Path) -> tuple[SeriesLesions, ...]:
    """The series of progression with the true lesions of its masks.

    Args:
        series: Of the run, in its order.
        run: Over whole series of progression, one after another.
        data: Folder of the public data sets.
    """
    folders = dict.fromkeys(s.ref.path.parent.name for s in run.slices)
    return tuple(
        replace(one, truth=_masked(one, data / "progression" / name / "mask.nii.gz"))
        for one, name in zip(series, folders, strict=True)
    )


def _masked(series: SeriesLesions, mask: Path) -> tuple[LesionBoxes, ...]:
    return mask_lesions(read_mask(mask), {box for lesion in series.truth for box in lesion.boxes})


def _points(series: Sequence[SeriesLesions], resamples: int) -> Row:
    points = lesion_froc(series, RATES, resamples=resamples)
    return {
        "lesions": sum(len(s.truth) for s in series),
        "series": len(series),
        "slices": sum(s.slices for s in series),
        "patients": len({s.patient for s in series}),
        "sensitivity": {
            f"{p.rate:g}": as_row({"value": p.sensitivity, "ci95": pair(p.ci95)}) for p in points
        },
    }


def _judged(dataset: Dataset, model: Path, bench: Bench) -> Run:
    return judge(dataset, model, one_class=True, threads=bench.threads)[0]


def _patient_row(run: Run, data: Path, link_from: float) -> Row:
    series = with_mask_lesions(linked(run, link_from), run, data)
    (point,) = lesion_froc(series, [NEEDED_RATE])
    return as_row({"lesions": sum(len(s.truth) for s in series), "sensitivity_at_1": point.sensitivity})


def _headline(run: Run) -> Row:
    found = figures(run, 0)
    return {name: found[name] for name in ("slices", "boxes", "groups", "ap50", "ap50_95")}

"""The public data sets beside the project, as data sets of ours (see the data folder's README)."""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from core.exchange.datasets import load_dataset
from core.imaging.catalog import scan
from core.model import Box, Dataset, LabelClass, LabelledBox, LabelledSlice, LabelSchema

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CHENG_TERMS = "Cheng 2015, figshare 1512427, CC BY 4.0 as listed there"
PROGRESSION_TERMS = "TCIA Brain-Tumor-Progression, CC BY 3.0"
GLIOMA = LabelSchema("progression", (LabelClass(1, "glioma"),))


def cheng(data: Path, part: str) -> Dataset:
    """`cheng/train` or `cheng/valid`: three tumour types, grouped by block."""
    found = load_dataset(data / "cheng" / part)
    return Dataset(
        f"cheng/{part}", found.schema, found.slices, found.grouped_by, found.notes, {"terms": CHENG_TERMS}
    )


def by_groups(dataset: Dataset, groups: set[str], *, name: str, inside: bool) -> Dataset:
    """The slices whose group is (or is not) among `groups`."""
    kept = tuple(s for s in dataset.slices if (s.group in groups) is inside)
    return Dataset(name, dataset.schema, kept, dataset.grouped_by, dataset.notes, dataset.info)


def progression(data: Path) -> Dataset:
    """The twelve volumes as DICOM, with their boxes; slice k is the k-th by position; grouped by patient."""
    slices: list[LabelledSlice] = []
    for folder in sorted(p for p in (data / "progression-dicom").iterdir() if p.is_dir()):
        boxes: dict[int, list[LabelledBox]] = {}
        listed = json.loads((data / "progression" / folder.name / "boxes.json").read_text())
        for row in listed["boxes"]:
            box = Box(*(float(v) for v in row["box_xyxy"]))
            boxes.setdefault(int(row["slice"]), []).append(LabelledBox(box, 1))
        (series,) = scan([folder]).series
        patient = folder.name.split("-")[0]
        slices += [
            LabelledSlice(ref, tuple(boxes.get(k, ())), patient) for k, ref in enumerate(series.slices)
        ]
    info = {"terms": PROGRESSION_TERMS}
    return Dataset("progression", GLIOMA, tuple(slices), "patient", info=info)


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the options all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public data sets")
    return parser


def machine() -> dict[str, str | int]:
    """When and on what a figure was measured."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        named = [r for r in info.read_text(encoding="utf-8").splitlines() if r.startswith("model name")]
        processor = named[0].split(":", 1)[1].strip() if named else processor
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {"date": date, "cpu": processor, "cores": os.cpu_count() or 1, "python": platform.python_version()}

"""Train the bundled model anew: `make model`, about 70 minutes on two cores.

Trains on cheng/train without four of its blocks (of each class, and next to no other block of train) and on
all of progression; the four blocks choose the best weights. Then measures and writes
resources/models/overread-1.safetensors with its card.

    python -m benchmarks.build_model [--data DIR] [--minutes 70] [--work DIR] [--finish-only]
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file

from benchmarks.first_model import measure
from benchmarks.real_data import arguments, by_groups, cheng, progression
from core.detection.card import ModelCard, verify_model
from core.detection.config import TrainConfig
from core.detection.export import MODEL_FILE, write_model
from core.detection.train import train

NAME = "overread-1"
TARGET = Path(__file__).resolve().parents[1] / "resources" / "models"
HELD_BLOCKS = {f"train: block {n}" for n in (8, 23, 33, 43)}
_LIMITS = (
    "Not a medical device; for research and dataset work.",
    "Figures on progression are in-sample: all its volumes were trained on. No patient of it was held out.",
    "cheng has no patient numbers: its split is by contiguous blocks of slices with ten dropped at each edge "
    "of valid, so an overlap of patients is unlikely but not excluded.",
    "Never tested without contrast agent, on T2, FLAIR or diffusion images, on children, on 7 T, on "
    "skull-stripped slices, or on any disease other than glioma, meningioma and pituitary tumour.",
    "cheng holds a tumour on every slice; the only slices without one are progression's.",
)


def finish(model: Path, data: Path) -> ModelCard:
    """Measure a trained model, write the figures into its card, and put both into resources."""
    card = verify_model(model)
    figures = {**card.figures, **_flat(measure(model, data))}
    TARGET.mkdir(parents=True, exist_ok=True)
    target = TARGET / f"{NAME}.safetensors"
    written = write_model(target, load_file(model), replace(card, name=NAME, figures=figures, limits=_LIMITS))
    (TARGET / f"{NAME}.md").write_text(written.to_markdown(), encoding="utf-8")
    return written


def _flat(measured: dict[str, object]) -> dict[str, object]:
    rows: dict[str, object] = {}
    for name, part in measured.items():
        if not isinstance(part, dict):
            continue
        if "share" in part:
            rows[name] = f"{part['hits']} of {part['slices']} slices"
            continue
        for key in ("ap50", "ap50_95"):
            low, high = part["ci95"][key]
            rows[f"{name}: {key}"] = (
                f"{part[key]:.3f} (95 % {low:.3f} to {high:.3f}, {part['n_images']} slices, blocks resampled)"
            )
        for label, row in part["per_class"].items():
            rows[f"{name}: {label} ap50"] = round(row["ap50"], 3)
    return rows


def main() -> None:
    """Train, measure, write."""
    parser = arguments("Train the bundled model.")
    parser.add_argument("--minutes", type=float, default=70.0)
    parser.add_argument("--work", type=Path, default=Path("build") / "model")
    parser.add_argument("--finish-only", action="store_true", help="measure and write what is in --work")
    options = parser.parse_args()
    if not options.finish_only:
        every = cheng(options.data, "train")
        config = TrainConfig(budget_minutes=options.minutes, name=NAME)
        train(
            [by_groups(every, HELD_BLOCKS, name="cheng/train", inside=False), progression(options.data)],
            config,
            options.work,
            valid=by_groups(every, HELD_BLOCKS, name="cheng/train, blocks 8 23 33 43", inside=True),
            resume=True,
            progress=_tell,
        )
    print(finish(options.work / MODEL_FILE, options.data).to_markdown())


def _tell(done: float, total: float, text: str = "", **metrics: float) -> None:
    if "valid_ap50" in metrics:
        print(f"{done:.0f}/{total:.0f} {text}", {k: round(v, 3) for k, v in metrics.items()}, flush=True)


if __name__ == "__main__":
    main()

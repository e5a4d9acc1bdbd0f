"""Train the bundled model anew: `make model`, about an hour on two cores.

Trains on cheng/train without four of its blocks (of each class, and next to no other block of train) and on
all of progression; the four blocks choose the best weights. Then measures and writes
resources/models/overread-1.safetensors with its card.

    python -m benchmarks.build_model [--data DIR] [--minutes 52] [--work DIR] [--finish-only]
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file

from benchmarks.first_model import measure
from benchmarks.real_data import arguments, by_groups, cheng, progression
from core.detection.calibrate import calibrated
from core.detection.card import ModelCard, verify_model
from core.detection.config import TrainConfig
from core.detection.export import MODEL_FILE, write_model
from core.detection.network import NetworkSpec, build_network
from core.detection.regions import ProposalCache, SliceSource, judged_proposer
from core.detection.samples import prepare_samples
from core.detection.train import train
from core.detection.validate import validate
from core.detection.weights import load_weights
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken, no_progress
from core.settings import home

NAME = "overread-1"
TARGET = Path(__file__).resolve().parents[1] / "resources" / "models"
PROPOSER = "coarse"
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
    """Fit a trained model to its proposals, measure it, and put it with its figures into resources."""
    weights, card = load_file(model), _with_coarse_proposals(model, data)
    target = TARGET / f"{NAME}.safetensors"
    TARGET.mkdir(parents=True, exist_ok=True)
    write_model(target, weights, card)
    figures = {**card.figures, **_flat(measure(target, data))}
    written = write_model(target, weights, replace(card, figures=figures))
    (TARGET / f"{NAME}.md").write_text(written.to_markdown(), encoding="utf-8")
    return written


def _with_coarse_proposals(model: Path, data: Path) -> ModelCard:
    """The card for use with coarse proposals: scores and held-out figures by these.

    Learnt is from the finer ones of "fast": there are more regions near a lesion among them.
    """
    card, token = verify_model(model), CancelToken()
    held = by_groups(cheng(data, "train"), HELD_BLOCKS, name="held", inside=True)
    spec = NetworkSpec(**card.network)
    network = build_network(spec)
    load_weights(network, model, card.classes)
    cache = ProposalCache(home() / "cache" / "proposals", judged_proposer(PROPOSER))
    source = SliceSource(PixelCache(max_bytes=64 << 20).get, cache, spec.image_size, spec.inputs)
    samples, _ = prepare_samples(
        [(0, s) for s in held.slices], [held], card.classes, source, no_progress, token
    )
    found = validate(network, samples, token)
    figures = {**card.figures, "held-out ap50": found.ap50, "held-out ap50_95": found.ap50_95}
    scores = calibrated(network.state_dict(), spec, samples, token)
    return replace(card, name=NAME, proposer=PROPOSER, calibration=scores, figures=figures, limits=_LIMITS)


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
    parser.add_argument("--minutes", type=float, default=52.0)
    parser.add_argument("--work", type=Path, default=Path("build") / "model")
    parser.add_argument("--finish-only", action="store_true", help="measure and write what is in --work")
    options = parser.parse_args()
    if not options.finish_only:
        every = cheng(options.data, "train")
        config = TrainConfig(budget_minutes=options.minutes, proposer="fast", name=NAME)
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

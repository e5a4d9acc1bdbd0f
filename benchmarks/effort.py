"""Actions per box, by a simulated annotator at a real journal: `python -m benchmarks.effort`, minutes.

The policy is stated in `core.evaluation.effort`; manual drawing is 3 actions per box by definition.
Every set is gone through twice: by the policy as stated, and by one that also corrects a prediction by
one corner. The operating point is chosen on blocks of cheng/train that the bundled model never saw
(`--choose`), never on a set that figures are of. Sign-off and going from case to case cost the same
whatever the tool, so figures are given without and with them; over a stack going from slice to slice
counts in both.

    python -m benchmarks.effort --sets dev "cheng valid" "btod valid" progression [--model FILE] [--sample N]

The bundled model may have been trained on progression: for that set give a model that has not seen it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.build_model import HELD_BLOCKS, TARGET
from benchmarks.detection_data import btod
from benchmarks.effort_desk import Annotator, Case
from benchmarks.proposal_sets import evenly
from benchmarks.real_data import arguments, by_groups, cheng, machine, progression
from core.detection.base import Detector, own_schema
from core.detection.detector import load_detector
from core.detection.operating_point import OperatingPoint
from core.detection.requests import make_request
from core.evaluation.effort import MANUAL, Policy
from core.imaging.neighbours import ALONE, beside_each
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import Dataset, LabelSchema
from core.proposals.registry import DEFAULT_PROPOSER, make_proposer
from core.store.workspace import Workspace

RESULT = Path(__file__).parent / "results" / "effort.json"
SCORES = (0.15, 0.2, 0.3, 0.4, 0.5, 0.6)
_PIXEL_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class EffortSet:
    """A set to work through.

    Attributes:
        name: On the command line.
        dataset: The slices.
        one_class: Classes are not looked at (btod's are no lesion types).
        stacks: Slices of one folder are a series.
    """

    name: str
    dataset: Dataset
    one_class: bool = False
    stacks: bool = False


def effort_set(data: Path, name: str) -> EffortSet:
    """One of the sets by name."""
    if name == "dev":
        held = by_groups(cheng(data, "train"), HELD_BLOCKS, name="cheng/train, held blocks", inside=True)
        return EffortSet(name, held)
    if name == "cheng valid":
        return EffortSet(name, cheng(data, "valid"))
    if name == "btod valid":
        return EffortSet(name, btod(data, "valid"), one_class=True)
    return EffortSet(name, progression(data), stacks=True)


SET_NAMES = ("dev", "cheng valid", "btod valid", "progression")


def cases_of(chosen: EffortSet, detector: Detector, schema: LabelSchema) -> Iterator[list[Case]]:
    """The cases with what the detector and the proposer say, a series or a single slice at a time."""
    cache, proposer, cancel = PixelCache(_PIXEL_BYTES), make_proposer(DEFAULT_PROPOSER), CancelToken()
    series: dict[Path, list[Case]] = {}
    around = beside_each([one.ref for one in chosen.dataset.slices])
    for one, beside in zip(chosen.dataset.slices, around, strict=True):
        request = make_request(one.ref, cache.get, beside if detector.neighbours else ALONE)
        image = request.image
        result = detector.detect(request, cancel=cancel)
        # Regions weigh megabytes; candidates are ordered without them.
        proposals = replace(proposer.propose(image, cancel=cancel), regions=None)
        truths = tuple((b.box, _class(chosen, schema, b.label_id)) for b in one.boxes)
        case = Case(one.ref, truths, result, image if chosen.stacks else None, proposals)
        if chosen.stacks:
            series.setdefault(one.ref.path.parent, []).append(case)
        else:
            yield [case]
    yield from series.values()


def _class(chosen: EffortSet, schema: LabelSchema, label_id: int) -> int:
    """The model's class of that name; with `one_class` any will do."""
    if chosen.one_class:
        return schema.classes[0].id
    found = schema.by_name(chosen.dataset.schema.name_of(label_id))
    if found is None:
        raise ValueError(
            f"{chosen.name}: the model does not know {chosen.dataset.schema.name_of(label_id)!r}"
        )
    return found.id


def work_through(
    chosen: EffortSet, cases: Sequence[list[Case]], schema: LabelSchema, point: OperatingPoint, policy: Policy
) -> dict[str, object]:
    """The account of one annotator over all cases, in a workspace of her own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Workspace.open(Path(folder), reader="simulated", schema=schema) as workspace,
    ):
        annotator = Annotator(workspace, point, policy, one_class=chosen.one_class)
        for together in cases:
            if chosen.stacks:
                annotator.stack(together)
            else:
                annotator.collection(together)
        how = {"corrects": policy.corrects, "min_score": point.min_score, "nms_iou": point.nms_iou}
        return {**how, **annotator.account.as_dict()}


def main(arguments_given: Sequence[str] | None = None) -> int:
    """Measure and write the results."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--sets", nargs="+", choices=SET_NAMES, default=["dev"])
    parser.add_argument("--model", type=Path, default=next(iter(sorted(TARGET.glob("*.safetensors")))))
    parser.add_argument("--min-score", type=float, default=OperatingPoint().min_score)
    parser.add_argument("--nms-iou", type=float, default=OperatingPoint().nms_iou)
    parser.add_argument("--choose", action="store_true", help="try several scores, on the dev set only")
    parser.add_argument("--sample", type=int, default=0, help="slices of a set, evenly spaced; 0 for all")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(arguments_given)
    if options.choose and options.sets != ["dev"]:
        parser.error("--choose: an operating point is chosen on the dev set only, give --sets dev")
    detector, policies = load_detector(options.model), (Policy(), Policy(corrects=True))
    schema = own_schema(detector)
    detector.bind(schema)
    report: dict[str, Any] = {}
    for name in options.sets:
        chosen = effort_set(options.data, name)
        if options.sample and not chosen.stacks:
            few = tuple(evenly(chosen.dataset.slices, options.sample))
            chosen = replace(chosen, dataset=replace(chosen.dataset, slices=few))
        cases = list(cases_of(chosen, detector, schema))
        scores = SCORES if options.choose else (options.min_score,)
        rows = [
            work_through(chosen, cases, schema, OperatingPoint(score, options.nms_iou), policy)
            for policy in policies
            for score in scores
        ]
        report[name] = {"model": detector.identity, "manual": MANUAL, "rows": rows}
        for row in rows:
            print(name, json.dumps(row), flush=True)
    _write(options.out, report)
    return 0


def _write(file: Path, report: dict[str, Any]) -> None:
    """Sets that were measured replace their rows; the others stay."""
    kept: dict[str, Any] = {}
    if file.is_file():
        kept = json.loads(file.read_text(encoding="utf-8")).get("sets", {})
    whole = {"machine": machine(), "sets": kept | report}
    file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

"""What a model's scores are worth, learnt on the slices that were held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
from torch import Tensor

from core.detection.inference import Judged
from core.detection.network import NetworkSpec, build_network
from core.detection.samples import Sample
from core.detection.validate import best_of_each, found_in, judged_on
from core.evaluation.calibration import ScoreScale, expected_error, fit_scale, reliability, scored_hits
from core.evaluation.expected import table_of
from core.evaluation.ranking import compared
from core.jobs import CancelToken
from core.model import Detection


def calibrated(
    weights: Mapping[str, Tensor], spec: NetworkSpec, held: Sequence[Sample], cancel: CancelToken
) -> dict[str, object]:
    """The calibration of a card; empty where nothing was held out.

    Raises:
        Cancelled: The token was set.
    """
    network = build_network(spec)
    network.load_state_dict(dict(weights))
    truth = [s.boxes for s in held]
    judged = judged_on(network, held, cancel)
    scores, hits = scored_hits(compared(truth, [found_in(one) for one in judged]))
    if not len(scores):
        return {}
    scale = fit_scale(scores, hits)
    before, after = reliability(scores, hits), reliability(scale.apply(scores), hits)
    return {
        **asdict(scale),
        "error_before": expected_error(before),
        "error": expected_error(after),
        "bins": [asdict(b) for b in after if b.count],
        "points": table_of(truth, [_calibrated(one, scale) for one in judged], [s.group for s in held]),
    }


def _calibrated(judged: Judged, scale: ScoreScale) -> list[Detection]:
    """As the detector hands them out: regions of a slice under their best class, with calibrated scores."""
    found = best_of_each(judged)
    scores = scale.apply(np.array([d.score for d in found], dtype=np.float64))
    return [replace(d, score=float(s)) for d, s in zip(found, scores, strict=True)]

"""What a model's scores are worth, learnt on the slices that were held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from torch import Tensor

from core.detection.network import NetworkSpec, build_network
from core.detection.samples import Sample
from core.detection.validate import found_on
from core.evaluation.calibration import expected_error, fit_scale, reliability, scored_hits
from core.evaluation.ranking import compared
from core.jobs import CancelToken


def calibrated(
    weights: Mapping[str, Tensor], spec: NetworkSpec, held: Sequence[Sample], cancel: CancelToken
) -> dict[str, object]:
    """The calibration of a card; empty where nothing was held out.

    Raises:
        Cancelled: The token was set.
    """
    network = build_network(spec)
    network.load_state_dict(dict(weights))
    scores, hits = scored_hits(compared([s.boxes for s in held], found_on(network, held, cancel)))
    if not len(scores):
        return {}
    scale = fit_scale(scores, hits)
    before, after = reliability(scores, hits), reliability(scale.apply(scores), hits)
    return {
        **asdict(scale),
        "error_before": expected_error(before),
        "error": expected_error(after),
        "bins": [asdict(b) for b in after if b.count],
    }

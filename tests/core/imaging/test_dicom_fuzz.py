"""Five thousand damaged files: nobody dies, nobody waits, every refusal has its reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.core.imaging import dicom_fuzz

COUNT = 5000
DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "dicom"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_random_damage() -> None:
    seed = int(os.environ.get("OVERREAD_FUZZ_SEED", "1"))
    report = dicom_fuzz.run(COUNT, seed)
    assert report.count == COUNT
    assert report.good, report
    assert report.opened > COUNT // 10  # the damage is not so coarse that nothing is ever decoded
    assert report.refused > COUNT // 10
    assert len(report.reasons) > 15  # and not always the same

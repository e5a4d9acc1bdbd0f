"""`make bench`: every measurement that takes no training, in turn; results go to benchmarks/results."""

from __future__ import annotations

import sys

from benchmarks import detection, first_model, hover, imaging, liveness, proposals, window


def main() -> int:
    """Measure.

    Returns:
        Exit status.
    """
    liveness.main()
    window.main()
    hover.main()
    first_model.main()
    imaging.main([])
    proposals.main([])
    return detection.main([])


if __name__ == "__main__":
    sys.exit(main())

"""The R-CNN detector: trunk, heads, training, model cards and registry."""

import os

# torch's threads spin while they wait for each other. Beside a window or another job this burned three times
# the processor time that the work needs (libgomp's OMP_WAIT_POLICY). Read once, when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

"""Clusterbridge: the industry clusters of US and European regions on one taxonomy."""

import os

__version__ = "0.1.0"

# Matrices are small here: threads of the linear algebra library wait for each other, a tenth of the line's CPU time.
# It reads this when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

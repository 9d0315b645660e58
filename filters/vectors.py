"""Vector columns as matrices, whatever rows lack one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..core.row import numpy_vectors


def present_vectors(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Vectors float32 [n, d] with zeros where a row has none, and bool [n]: which rows have one."""
    if not column.null_count:
        return numpy_vectors(column), np.ones(len(column), bool)
    present = column.is_valid().to_numpy(zero_copy_only=False)
    vectors = np.zeros((len(column), column.type.list_size), np.float32)
    vectors[present] = numpy_vectors(column.drop_null())
    return vectors, present

"""Rows under another embedding, from the keypoints that are stored with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from index.errors import DatabaseMismatch
from index.storage.examples import Examples
from pose.embeddings.registry import Embedding

__all__ = ["embed_again"]


def embed_again(examples: Examples, embedding: Embedding) -> NDArray[np.float32]:
    """The R examples' rows under `embedding`, float32 `[R, D]`.

    Raises:
        DatabaseMismatch: the keypoints of some rows are unknown, or do not show enough for that embedding.
    """
    unknown = int(np.isnan(examples.keypoints).any(axis=(1, 2)).sum())
    if unknown:
        raise DatabaseMismatch(
            f"The keypoints of {unknown} of {len(examples)} rows are unknown, so they cannot be embedded again. "
            "Nothing was changed. Build the database anew from its pictures with `stance build --replace`."
        )
    rows = embedding.compute(examples.keypoints)
    untold = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(untold):
        picture = examples.pictures[untold[0]] or f"row {untold[0]}"
        name = embedding.name
        raise DatabaseMismatch(
            f"{len(untold)} of {len(examples)} rows do not show enough for {name}, such as {picture}. Nothing was "
            f"changed. Build anew without these pictures, with `stance build --replace --embedding {name}`."
        )
    return rows

"""The files of a database: `PREFIX` with each of these behind it."""

from __future__ import annotations

from typing import Final

__all__ = ["EXAMPLES", "FAISS", "LABELS", "MANIFEST", "SUFFIXES"]

FAISS: Final = ".faiss"
LABELS: Final = "_labels.pkl"
MANIFEST: Final = ".json"
EXAMPLES: Final = "_examples.npz"
SUFFIXES: Final = (FAISS, LABELS, MANIFEST, EXAMPLES)

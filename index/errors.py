"""The error tree of `index`."""

from pose.errors import StanceError

__all__ = [
    "DatabaseDamaged",
    "DatabaseError",
    "DatabaseExists",
    "DatabaseMismatch",
    "DatabaseMissing",
    "DatabaseUnwritable",
    "EvaluationError",
    "FaissMissing",
    "FolderError",
    "FolderMissing",
    "KeypointsError",
    "NothingAdded",
    "UnsafeLabels",
]


class DatabaseError(StanceError):
    """Root of what `index` raises."""


class DatabaseMissing(DatabaseError, FileNotFoundError):
    """A database that is not there."""


class DatabaseExists(DatabaseError, FileExistsError):
    """A database stands where a new one should go."""


class DatabaseDamaged(DatabaseError, ValueError):
    """Database files that do not belong together or cannot be read."""


class DatabaseMismatch(DatabaseError, ValueError):
    """A database of another kind than was asked for: another embedding, metric or format version."""


class DatabaseUnwritable(DatabaseError, OSError):
    """A database that could not be written; the one on disk is unchanged."""


class UnsafeLabels(DatabaseDamaged):
    """A labels file that holds something other than a list of str. Nothing from it was run."""


class FaissMissing(DatabaseError, ImportError):
    """FAISS is not installed, or what is left of it cannot search."""


class FolderError(DatabaseError, ValueError):
    """A folder of pictures that a database cannot be built from."""


class FolderMissing(DatabaseError, FileNotFoundError):
    """A folder of pictures that is not there."""


class NothingAdded(DatabaseError, ValueError):
    """Not one person in a whole folder could be added."""


class EvaluationError(DatabaseError, ValueError):
    """A database that cannot be judged in the way asked for."""


class KeypointsError(DatabaseError, ValueError):
    """A file of given keypoints that cannot be used."""

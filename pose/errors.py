"""The error tree of `pose`, and the root that every error of Stance shares."""

__all__ = [
    "DeviceError",
    "EvaluatorMissing",
    "ExporterMissing",
    "FetchError",
    "LabelsError",
    "LabelsMissing",
    "PictureError",
    "PoseError",
    "RuntimeMissing",
    "StanceError",
    "TrainingError",
    "WeightsError",
    "WeightsMissing",
    "reason_of",
]


def reason_of(error: OSError | UnicodeError) -> str:
    """Why a file cannot be read or written, in words for a sentence: never `[Errno 13]`."""
    if isinstance(error, UnicodeError):
        return "it is not UTF-8 text"
    return error.strerror or str(error) or type(error).__name__


class StanceError(Exception):
    """A fault the user can cure. The command line prints it as one sentence and exits with code 2."""


class PoseError(StanceError):
    """Root of what `pose` raises."""


class WeightsError(PoseError, ValueError):
    """A weights file that cannot be used: damaged, unsafe, or of another network."""


class WeightsMissing(PoseError, FileNotFoundError):
    """A weights file that is not there."""


class FetchError(PoseError, OSError):
    """Weights that could not be downloaded."""


class DeviceError(PoseError, RuntimeError):
    """A device that is not present or cannot do what was asked."""


class PictureError(PoseError, ValueError):
    """A picture that cannot be read."""


class TrainingError(PoseError, ValueError):
    """A training that cannot start or go on."""


class LabelsError(PoseError, ValueError):
    """Labels of people in pictures that cannot be used; one line for each of the first faults."""


class LabelsMissing(PoseError, FileNotFoundError):
    """Labelled pictures that are not where they should be."""


class EvaluatorMissing(PoseError, ImportError):
    """The library that judges found people by the rules of COCO is not installed."""


class RuntimeMissing(PoseError, ImportError):
    """The library that was to run a network is not installed."""


class ExporterMissing(PoseError, ImportError):
    """The library that writes a network in another format is not installed."""

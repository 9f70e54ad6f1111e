"""How long a classification resembles the ones before it: how much of the smoothing's evidence is new.

    python -m bench.memory_of_classifications CLIP...

Of everybody followed for two seconds or more, the logarithm of the ratio of the two likeliest labels is taken frame by
frame, less its mean. `seconds` is the integral of its autocorrelation up to the first zero: frames within that time
say together what one of them says. The median over people; the shipped weights and the starter database.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.machine import load, machine, write
from bench.network import about, estimator_of, index_of, script_parser

RESULT: Final = Path(__file__).parent / "results" / "memory_of_classifications.json"
LEAST_SECONDS: Final = 2.0
LEAST_SHARE: Final = 0.05  # of a label without votes, as in `stream.people.evidence`


def main() -> int:
    parser = script_parser(__doc__, RESULT)
    parser.add_argument("clips", nargs="+", type=Path)
    args = parser.parse_args()
    before = load()

    from stream.pipeline import scenes
    from stream.settings.model import Settings

    settings = Settings()
    estimator, index = estimator_of(args, settings), index_of(args)
    figures: dict[str, Any] = {}
    for clip in args.clips:
        votes: dict[int, list[tuple[float, dict[str, float]]]] = defaultdict(list)
        for scene in scenes(str(clip), estimator, index, settings):
            for person in scene.people:
                if person.track is not None and person.classification.probabilities:
                    votes[person.track].append((scene.frame.seconds, dict(person.classification.probabilities)))
        memories = [memory for said in votes.values() if (memory := _memory(said)) is not None]
        figures[clip.name] = {
            "people": len(memories),
            "seconds": round(float(np.median(memories)), 2) if memories else None,
        }
        print(clip.name, figures[clip.name], flush=True)
    write(args.out, {**about(estimator), "clips": figures}, before, machine())
    return 0


def _memory(said: list[tuple[float, dict[str, float]]]) -> float | None:
    """Integral of the autocorrelation of one person's votes, seconds; None where too little was said."""
    seconds = np.array([second for second, _ in said])
    if seconds[-1] - seconds[0] < LEAST_SECONDS:
        return None
    sums = Counter[str]()
    for _, shares in said:
        sums.update(shares)
    if len(sums) < 2:
        return None
    (first, _), (second, _) = sums.most_common(2)
    ratio = np.array(
        [math.log(max(one.get(first, 0.0), LEAST_SHARE) / max(one.get(second, 0.0), LEAST_SHARE)) for _, one in said]
    )
    ratio -= ratio.mean()
    if not ratio.any():
        return None
    alike = _autocorrelation(ratio)
    end = int(np.argmax(alike < 0)) if (alike < 0).any() else len(alike)
    return float(np.median(np.diff(seconds)) * (1 + 2 * alike[1:end].sum()))


def _autocorrelation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """At lags of 0 to half as many frames as there are."""
    size = len(values)
    return np.array([(values[: size - lag] * values[lag:]).mean() for lag in range(size // 2)]) / values.var()


if __name__ == "__main__":
    sys.exit(main())

"""`MirrorParts`: squared distances to all rows and to their mirror images, from their even and odd parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mirror", "MirrorParts"]

Mirror = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_ONE_THREAD_PRODUCT: Final = 2**18
"""From more than so many multiplications on, the BLAS under NumPy takes several threads, which wait for each other by
spinning. Five people in 2,000 rows beside two busy cores: 13 ms on average and 5.2 ms of CPU time so, 0.6 and 0.17 ms
in pieces; on cores of their own the two threads would save a few hundredths of a millisecond."""


@dataclass(frozen=True, slots=True, eq=False)
class MirrorParts:
    """R rows, made ready for comparing each of them and its mirror image with people.

    Σ w² (x − q)² = Σ w² x² − 2 Σ w² q x + Σ w² q²: for all people and rows a product of [w², −2 w² q] and [x², x], and
    a number of each person. In some directions a mirror leaves x as it is (the even part), in the others it changes the
    sign (the odd part). So the product with a row is the sum of the products with its two parts, and that with its
    mirror image is their difference: together they cost as much as one side alone.

    Attributes:
        mirrored: turns rows `[N, D]` to those of their mirror images; None where these do not count, and nothing is
            odd.
        even: [x², x] of every row in the directions that stay, float32 `[A, R]`.
        odd: the same in those that change sign, float32 `[B, R]`, A + B = 2 D.
        directions: those that stay, then those that change sign, float32 `[2 D, 2 D]`, orthonormal.
        sides: the rows, and after these their mirror images, float32 `[R or 2 R, D]`.
        noise: what rounding may add to a product with `odd`, over the length of what it is multiplied with.
    """

    mirrored: Mirror | None
    even: NDArray[np.float32]
    odd: NDArray[np.float32]
    directions: NDArray[np.float32]
    sides: NDArray[np.float32]
    noise: float

    @classmethod
    def of(cls, rows: NDArray[np.float32], mirrored: Mirror | None) -> MirrorParts:
        """From rows `[R, D]`. `mirrored` is linear, keeps lengths, and undoes itself."""
        mirror = np.eye(rows.shape[1], dtype=np.float32)
        sides = rows
        if mirrored is not None:
            mirror = mirrored(mirror)
            sides = np.concatenate((rows, mirrored(rows)))
        # Squares change places in the mirror as their numbers do, but never their sign.
        directions = [
            np.concatenate(
                (np.pad(squares, ((0, len(squares)), (0, 0))), np.pad(values, ((len(values), 0), (0, 0)))), 1
            )
            for squares, values in zip(_directions(mirror**2), _directions(mirror), strict=True)
        ]  # [2 D, A] and [2 D, B]
        squares_and_values = np.concatenate((rows**2, rows), axis=1).T
        even, odd = (_product(part.T, squares_and_values) for part in directions)
        longest = float(np.sqrt(np.einsum("br,br->r", odd, odd).max(initial=0.0)))
        noise = len(odd) * float(np.finfo(np.float32).eps) * longest
        return cls(mirrored, even, odd, np.concatenate(directions, axis=1), sides, noise)

    def compared(
        self, queries: NDArray[np.float32], weights: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """The squared distances of N people to all rows, less a number of each person.

        Args:
            queries: q, float32 `[N, D]`, finite.
            weights: w, float32 `[N, D]`.

        Returns:
            middle: `[N, R]`, the mean of a row's and of its mirror image's.
            lean: `[N, R]`, by how much the mirror image's lies below and the row's above that.
            noise: `[N]`: `lean` is known to so much, up to the rounding of what is multiplied.
        """
        squared = weights**2
        asked = _product(np.concatenate((squared, -2 * squared * queries), axis=1), self.directions)  # [N, 2 D]
        in_even, in_odd = asked[:, : len(self.even)], asked[:, len(self.even) :]
        noise = self.noise * np.sqrt(np.einsum("nb,nb->n", in_odd, in_odd))
        return _product(in_even, self.even), _product(in_odd, self.odd), noise


def _directions(mirror: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The directions `[D, …]` in which a mirror `[D, D]` leaves a row as it is, and those whose sign it changes."""
    factors, directions = np.linalg.eigh(mirror.astype(np.float64))
    directions = directions.astype(np.float32)
    return directions[:, factors > 0], directions[:, factors < 0]


def _product(asked: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """`asked @ rows`, on this thread alone: in pieces too small for BLAS to share out."""
    if len(asked) == 1:  # BLAS would share out the product with a vector from 9,216 multiplications on
        return np.einsum("nd,dr->nr", asked, rows)
    step = max(1, _ONE_THREAD_PRODUCT // max(1, asked.size))
    product: NDArray[np.float32] = np.empty((len(asked), rows.shape[1]), np.float32)
    for start in range(0, rows.shape[1], step):
        np.matmul(asked, rows[:, start : start + step], out=product[:, start : start + step])
    return product

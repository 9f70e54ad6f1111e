"""`best_pairs`: who goes with whom so that the sum of all similarities is largest."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_pairs"]


def best_pairs(similarity: NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    """Rows and columns paired, each used at most once, with the largest possible sum of similarities.

    Exact. The table falls into groups that share no allowed pair, mostly of one row and one column; only those within
    a group compete, so a crowd costs little more than its knots.

    Args:
        similarity: float64 `[N, M]`, larger is more alike.
        least: pairs below this are not allowed; above 0.

    Returns:
        Pairs of row and column, in no particular order.
    """
    allowed = similarity >= least
    pairs: list[tuple[int, int]] = []
    for rows, columns in _groups(allowed):
        if len(rows) == 1 or len(columns) == 1:
            part = similarity[np.ix_(rows, columns)]
            row, column = np.unravel_index(part.argmax(), part.shape)
            pairs.append((rows[row], columns[column]))
            continue
        part = np.where(allowed[np.ix_(rows, columns)], similarity[np.ix_(rows, columns)], 0.0)
        turned = len(rows) > len(columns)
        for row, column in enumerate(_assignment((-part.T if turned else -part).tolist())):
            pair = (rows[column], columns[row]) if turned else (rows[row], columns[column])
            if allowed[pair]:
                pairs.append(pair)
    return pairs


def _groups(allowed: NDArray[np.bool_]) -> list[tuple[list[int], list[int]]]:
    """Rows and columns that hang together by allowed pairs."""
    of_row = [np.flatnonzero(row).tolist() for row in allowed]
    of_column = [np.flatnonzero(column).tolist() for column in allowed.T]
    groups, done = [], set()
    for first, reached in enumerate(of_row):
        if first in done or not reached:
            continue
        done.add(first)
        rows, columns, waiting = [], set(), [first]
        while waiting:
            row = waiting.pop()
            rows.append(row)
            for column in of_row[row]:
                if column not in columns:
                    columns.add(column)
                    fresh = [other for other in of_column[column] if other not in done]
                    done.update(fresh)
                    waiting += fresh
        groups.append((sorted(rows), sorted(columns)))
    return groups


def _assignment(cost: list[list[float]]) -> list[int]:
    """The column of every row with the smallest sum of costs, for at least as many columns as rows.

    Shortest augmenting paths with potentials (Jonker and Volgenant, 1987). Plain lists: NumPy's calls cost more than
    they save on tables of this size.
    """
    rows, columns = len(cost), len(cost[0])
    row_potential, column_potential = [0.0] * rows, [0.0] * (columns + 1)
    owner = [-1] * (columns + 1)  # the row that has each column; the last column is where a path starts
    for row in range(rows):
        owner[columns] = row
        distance, before, visited = [math.inf] * columns, [columns] * columns, [False] * (columns + 1)
        column = columns
        while owner[column] >= 0:
            visited[column] = True
            here, shortest, nearest = owner[column], math.inf, -1
            for other in range(columns):
                if visited[other]:
                    continue
                reduced = cost[here][other] - row_potential[here] - column_potential[other]
                if reduced < distance[other]:
                    distance[other], before[other] = reduced, column
                if distance[other] < shortest:
                    shortest, nearest = distance[other], other
            for other in range(columns + 1):
                if visited[other]:
                    row_potential[owner[other]] += shortest
                    column_potential[other] -= shortest
                elif other < columns:
                    distance[other] -= shortest
            column = nearest
        while column != columns:
            owner[column] = owner[before[column]]
            column = before[column]
    found = [-1] * rows
    for column, row in enumerate(owner[:columns]):
        if row >= 0:
            found[row] = column
    return found

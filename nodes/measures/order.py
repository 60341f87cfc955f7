"""Order statistics of scores."""

from math import comb

import numpy as np


def best_of(scores: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """`values` [C, N, m] at the best of n out of m rows, drawn without putting back: means over all such draws, [C, N].

    `scores` [N, m] decide, of equal ones the earlier row wins. The i-th best row is the best of a draw in
    C(m − 1 − i, n − 1) of the C(m, n) draws. Raises ValueError unless 1 ≤ n ≤ m.
    """
    rows = scores.shape[1]
    if not 1 <= n <= rows:
        raise ValueError(f"of {rows} rows no {n} can be drawn")
    shares = np.array([comb(rows - 1 - i, n - 1) / comb(rows, n) for i in range(rows)])
    order = np.argsort(-scores, axis=1, kind="stable")  # [N, m], the best first
    ranked = np.take_along_axis(values, order[None], 2)
    return ranked @ shares

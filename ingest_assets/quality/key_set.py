"""Keys that were seen, as 64-bit hashes: 8 bytes a key, in memory and then in a temporary file.

Among a million keys two different ones have one hash with a chance of 3 in 100 million, among a
hundred million with one of 3 in 10,000; such a row would be taken for a double.
"""

import tempfile

import numpy as np

RUN_KEYS = 4 * 1024**2
"""Of so many keys (32 MB) a sorted run is made that goes to disk, and is merged with no other."""


class KeySet:
    """Hashes in sorted runs. Memory is bounded by some runs of `RUN_KEYS`, whatever comes."""

    def __init__(self, run_keys: int = RUN_KEYS) -> None:
        self._run_keys = run_keys
        self._runs: list[np.ndarray] = []

    def add(self, hashes: np.ndarray) -> None:
        """All of them are in the set."""
        run = np.unique(hashes)
        if not len(run):
            return
        while self._runs and len(self._runs[-1]) <= len(run) < self._run_keys:
            run = np.union1d(self._runs.pop(), run)
        if len(run) >= self._run_keys:
            self._runs.insert(0, _on_disk(run))
        else:
            self._runs.append(run)

    def contains(self, hashes: np.ndarray) -> np.ndarray:
        """Which of them are in the set."""
        found = np.zeros(len(hashes), bool)
        for run in self._runs:
            places = np.searchsorted(run, hashes)
            places[places == len(run)] = 0
            found |= run[places] == hashes
        return found

    def update(self, other: "KeySet") -> None:
        """What the other set has is in this one."""
        for run in other._runs:
            if len(run) >= self._run_keys:
                self._runs.insert(0, run)
            else:
                self.add(run)


def _on_disk(run: np.ndarray) -> np.ndarray:
    with tempfile.TemporaryFile(prefix="ingest-keys-") as file:
        file.write(run.tobytes())
        file.flush()
        return np.memmap(file, dtype=run.dtype, mode="r")


def repeated(hashes: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Which of those that are asked for are there before, at an earlier place that is."""
    places = np.flatnonzero(asked)
    keys = hashes[places]
    order = np.argsort(keys, kind="stable")
    found = np.zeros(len(hashes), bool)
    found[places[order[1:]]] = keys[order[1:]] == keys[order[:-1]]
    return found

"""Which items belong together: groups that grow as one pair after another is joined (Galler and Fischer, 1964)."""

import numpy as np


class Groups:
    """Items 0, 1, …, each in a group of its own at first. Joining and asking take next to no time, however many."""

    def __init__(self, n_items: int):
        self._above = list(range(n_items))
        """For each item another one of its group; for one in each group, its root, the item itself."""
        self._sizes = [1] * n_items

    def root(self, item: int) -> int:
        """Return the item that stands for the group of ``item``."""
        while self._above[item] != item:
            self._above[item] = self._above[self._above[item]]  # half as far the next time
            item = self._above[item]
        return item

    def join(self, item: int, other: int) -> None:
        """Make one group of the groups of two items."""
        small, large = sorted((self.root(item), self.root(other)), key=lambda root: (self._sizes[root], -root))
        if small != large:
            self._above[small] = large
            self._sizes[large] += self._sizes[small]

    def together(self, item: int, other: int) -> bool:
        """Tell whether two items are in one group."""
        return self.root(item) == self.root(other)

    def roots(self) -> np.ndarray:
        """Return the root of each item, int64 (n,): equal for items of one group."""
        return np.array([self.root(item) for item in range(len(self._above))], dtype=np.int64)

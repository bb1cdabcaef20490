"""Groups that grow pair by pair: the same as SciPy's disjoint sets."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import DisjointSet

from skinlib.audit.groups import Groups


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_those_of_disjoint_sets(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    ours, theirs = Groups(n), DisjointSet(range(n))
    for item, other in rng.integers(0, n, (n, 2)).tolist():
        ours.join(item, other)
        theirs.merge(item, other)
        assert ours.together(item, other)
    roots = ours.roots()
    assert roots.dtype == np.int64 and (roots[roots] == roots).all()
    for subset in theirs.subsets():
        assert set(np.flatnonzero(roots == roots[min(subset)]).tolist()) == set(subset)
    item, other = rng.integers(0, n, 2).tolist()
    assert ours.together(item, other) == theirs.connected(item, other)


def test_no_items_are_no_groups():
    assert Groups(0).roots().tolist() == []


def test_a_long_chain_is_one_group_in_no_time():
    groups = Groups(200_000)
    for item in range(199_999):
        groups.join(item, item + 1)
    assert len(set(groups.roots().tolist())) == 1

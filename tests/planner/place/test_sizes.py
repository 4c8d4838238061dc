"""Which part to search anew: every size gets its share, most what gains most."""

from itertools import count

from balancer.planner.place.sizes import CURIOUS, Sizes


def test_sizes_are_powers_of_two_and_all() -> None:
    """So that each is clearly another one, from two sites to everybody."""
    assert Sizes(100).sizes == [2, 4, 8, 16, 32, 64, 100]
    assert Sizes(64).sizes == [2, 4, 8, 16, 32, 64]
    assert Sizes(1).sizes == [1]


def test_what_gains_most_for_its_work_is_chosen_and_none_is_forgotten() -> None:
    """Sizes that cost more work per go get no more of it for that."""
    sizes, gain = Sizes(32), {2: 1, 4: 2, 8: 90, 16: 10, 32: 40}
    for _ in range(3000):
        size = sizes.next()
        sizes.learn(size, gain[size], size * 1000)
    work = sum(sizes.work.values())
    assert sizes.work[8] > (1 - CURIOUS) * work
    others = [done for size, done in sizes.work.items() if size != 8]
    assert all(abs(done * len(sizes.sizes) / work - CURIOUS) < 0.05 for done in others)


def test_what_gains_no_more_is_left_for_others() -> None:
    """What was gained long ago says little about what is left."""
    sizes = Sizes(8)
    for number in count():
        size = sizes.next()
        sizes.learn(size, 1000 if size == 2 and number < 100 else int(size == 4), 10**6)
        if number == 400:
            break
    assert sizes.next() == 4


def test_where_nothing_gains_all_are_tried_alike() -> None:
    """Nothing is known, so nothing is preferred."""
    sizes = Sizes(16)
    for _ in range(400):
        sizes.learn(sizes.next(), 0, 1000)
    assert max(sizes.work.values()) - min(sizes.work.values()) <= 1000

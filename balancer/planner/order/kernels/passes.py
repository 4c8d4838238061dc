"""Serial schedule generation, forwards and backwards, on arrays.

Legs are placed one after the other, each at the earliest instant from which everything it needs is
free, given those placed before. Backwards the same code runs on the mirrored problem, in which a
leg comes from its target: the problem is symmetric in time. A schedule processed in the order of
its own starts (or, mirrored, of its ends) gets no longer, and cannot get stuck: see
docs/decisions/0005.

A *row* is a stock: room of one kind on one host, or places of a group in a domain. A leg takes
from rows when it starts and gives to rows when it ends. A *channel* is a flow: a rate and a number
of legs that it carries at once.

Only `turns` and `mirrored` make arrays beside the three passes: the others are compiled without
counting references (`compiled`).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TINY = 1e-7
"""Rates may exceed a channel by this much; units of rates."""
NEVER = 1e300
NONE = -1


class Legs(NamedTuple):
    """[legs] each. `take` and `give` are row numbers, padded with -1."""

    take: Ints
    take_amount: Ints
    give: Ints
    give_amount: Ints
    channel: Ints
    before: Ints
    """The leg of the same guest that comes before, or -1."""
    after: Ints
    volume: Floats
    dirty: Floats
    hot: Floats
    """Negative: the closed form t0 + V / (r - D) is meant; else rounds over this hot set."""
    setup: Floats
    top: Floats
    """The highest rate; 0 for a leg that always takes `setup`."""
    ratio: Floats
    """Effective rate as a share of the rate allowed."""


class Stock(NamedTuple):
    """[rows] each."""

    level: Ints
    """Taken before anything moves."""
    end: Ints
    """Taken once everything has moved."""
    room: Ints


class Flow(NamedTuple):
    """[channels] each."""

    rate: Floats
    number: Ints


class Book(NamedTuple):
    """Step functions of all rows and channels: where in the long arrays each begins, its length."""

    row_at: Ints
    row_len: Ints
    row_time: Floats
    row_level: Ints
    chan_at: Ints
    chan_len: Ints
    chan_time: Floats
    chan_rate: Floats
    chan_number: Ints


def duration(legs: Legs, j: int, rate: float, pause: float) -> float:
    """Return the seconds that leg `j` takes at `rate`; NEVER if it does not converge."""
    if legs.top[j] <= 0.0:
        return legs.setup[j]
    dirty = legs.dirty[j]
    if legs.hot[j] < 0.0:
        if rate <= dirty:
            return NEVER
        return legs.setup[j] + legs.volume[j] / (rate - dirty)
    rate = rate * legs.ratio[j]
    send = rate * pause
    if legs.hot[j] > send and dirty > 0.7 * rate:
        return NEVER
    chunk = legs.volume[j]
    seconds = legs.setup[j] + chunk / rate
    while chunk > send:
        chunk = min(legs.hot[j], dirty * chunk / rate)
        seconds += chunk / rate
    return seconds


def draw(dice: Ints) -> float:
    """Return the next number in [0, 1) of the sequence that `dice` [1] holds (MINSTD)."""
    dice[0] = dice[0] * 48271 % 2147483647
    return dice[0] / 2147483647.0


def open_book(book: Book, level: Ints) -> None:
    """Forget all that was placed."""
    for r in range(len(level)):
        at = book.row_at[r]
        book.row_len[r] = 1
        book.row_time[at] = 0.0
        book.row_level[at] = level[r]
    for c in range(len(book.chan_len)):
        at = book.chan_at[c]
        book.chan_len[c] = 1
        book.chan_time[at] = 0.0
        book.chan_rate[at] = 0.0
        book.chan_number[at] = 0


def change_row(book: Book, r: int, t: float, amount: int) -> None:
    """Let the level of row `r` be `amount` higher from `t` on."""
    at = book.row_at[r]
    last = at + book.row_len[r] - 1
    p = last
    while book.row_time[p] > t:
        p -= 1
    if book.row_time[p] != t:
        for q in range(last, p, -1):
            book.row_time[q + 1] = book.row_time[q]
            book.row_level[q + 1] = book.row_level[q] + amount
        book.row_time[p + 1] = t
        book.row_level[p + 1] = book.row_level[p] + amount
        book.row_len[r] += 1
    else:
        for q in range(p, last + 1):
            book.row_level[q] += amount


def split_channel(book: Book, c: int, t: float) -> int:
    """Make `t` a step of channel `c`; return its position."""
    at = book.chan_at[c]
    last = at + book.chan_len[c] - 1
    p = last
    while book.chan_time[p] > t:
        p -= 1
    if book.chan_time[p] == t:
        return p
    for q in range(last, p, -1):
        book.chan_time[q + 1] = book.chan_time[q]
        book.chan_rate[q + 1] = book.chan_rate[q]
        book.chan_number[q + 1] = book.chan_number[q]
    book.chan_time[p + 1] = t
    book.chan_rate[p + 1] = book.chan_rate[p]
    book.chan_number[p + 1] = book.chan_number[p]
    book.chan_len[c] += 1
    return p + 1


def occupy(book: Book, c: int, start: float, end: float, rate: float) -> None:
    """Let channel `c` carry one leg more, at `rate`."""
    p = split_channel(book, c, start)
    q = split_channel(book, c, end)
    for k in range(p, q):
        book.chan_rate[k] += rate
        book.chan_number[k] += 1


def rows_free(legs: Legs, stock: Stock, book: Book, j: int) -> tuple[float, int]:
    """Return from when on every row has what leg `j` takes, or NEVER and a row that has not."""
    t = 0.0
    for k in range(legs.take.shape[1]):
        r = legs.take[j, k]
        if r < 0:
            break
        most = stock.room[r] - legs.take_amount[j, k]
        at = book.row_at[r]
        p = at + book.row_len[r] - 1
        if book.row_level[p] > most:
            return NEVER, r
        while p > at and book.row_level[p - 1] <= most:
            p -= 1
        if p > at and book.row_time[p] > t:
            t = book.row_time[p]
    return t, NONE


def channels_free(
    legs: Legs, flow: Flow, book: Book, j: int, t: float, rate: float, length: float
) -> float:
    """Return the earliest instant from `t` on from which all channels carry leg `j` as well."""
    again = True
    while again:
        again = False
        for k in range(legs.channel.shape[1]):
            c = legs.channel[j, k]
            if c < 0:
                break
            most, number = flow.rate[c] - rate + TINY, flow.number[c]
            at = book.chan_at[c]
            last = at + book.chan_len[c] - 1
            low, high = at, last
            while low < high:
                middle = (low + high + 1) // 2
                if book.chan_time[middle] <= t:
                    low = middle
                else:
                    high = middle - 1
            p = low
            while p <= last and book.chan_time[p] < t + length:
                if book.chan_rate[p] > most or book.chan_number[p] >= number:
                    if p == last:
                        return NEVER
                    t = book.chan_time[p + 1]
                    again = True
                p += 1
    return t


def spare_rate(legs: Legs, flow: Flow, book: Book, j: int, t: float, length: float) -> float:
    """Return the rate that all channels have to spare from `t` on, for `length`."""
    spare = legs.top[j]
    for k in range(legs.channel.shape[1]):
        c = legs.channel[j, k]
        if c < 0:
            break
        at = book.chan_at[c]
        p = at + book.chan_len[c] - 1
        while p >= at:
            if book.chan_time[p] < t + length:
                spare = min(spare, flow.rate[c] - book.chan_rate[p])
            if book.chan_time[p] <= t:
                break
            p -= 1
    return spare


def choose(
    legs: Legs, flow: Flow, book: Book, j: int, ready: float, slowest: float, pause: float
) -> tuple[float, float, float]:
    """Return start, end and rate of leg `j`, not before `ready`, so that it ends early.

    `slowest` is the least share of its top rate; 1 leaves no choice.
    """
    top = legs.top[j]
    length = duration(legs, j, top, pause)
    start = channels_free(legs, flow, book, j, ready, top, length)
    end, rate = start + length, top
    if slowest >= 1.0 or start <= ready or top <= 0.0:
        return start, end, rate
    least = max(slowest * top, 1.5 * legs.dirty[j])
    t = ready
    for _ in range(4):
        t = channels_free(legs, flow, book, j, t, least, 0.0 * length + 1e-6)
        if t >= start:
            break
        r = spare_rate(legs, flow, book, j, t, 1e-6)
        for _ in range(3):
            d = duration(legs, j, r, pause)
            lower = spare_rate(legs, flow, book, j, t, d)
            if lower >= r - TINY:
                break
            r = lower
            if r < least:
                break
        if r >= least:
            d = duration(legs, j, r, pause)
            s = channels_free(legs, flow, book, j, t, r, d)
            if s + d < end - 1e-9:
                start, end, rate = s, s + d, r
            break
        # go on to the next change of any of its channels
        following = NEVER
        for k in range(legs.channel.shape[1]):
            c = legs.channel[j, k]
            if c < 0:
                break
            at = book.chan_at[c]
            for p in range(at, at + book.chan_len[c]):
                if book.chan_time[p] > t:
                    following = min(following, book.chan_time[p])
                    break
        if following >= start:
            break
        t = following
    return start, end, rate


def push(heap: Ints, size: int, value: int) -> int:
    """Add `value` to a binary heap; return its new size."""
    i = size
    while i > 0 and heap[(i - 1) // 2] > value:
        heap[i] = heap[(i - 1) // 2]
        i = (i - 1) // 2
    heap[i] = value
    return size + 1


def pop(heap: Ints, size: int) -> tuple[int, int]:
    """Take the least value out of a binary heap; return it and the new size."""
    least, value = heap[0], heap[size - 1]
    size -= 1
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = value
    return least, size


def turns(key: Floats) -> Ints:
    """Return [keys] numbers in the order of `key`, equals in their own order (merge sort)."""
    n = len(key)
    order, other = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for i in range(n):
        order[i] = i
    width = 1
    while width < n:
        for low in range(0, n, 2 * width):
            middle, high = min(low + width, n), min(low + 2 * width, n)
            a, b = low, middle
            for k in range(low, high):
                if b >= high or (a < middle and key[order[a]] <= key[order[b]]):
                    other[k] = order[a]
                    a += 1
                else:
                    other[k] = order[b]
                    b += 1
        order, other = other, order
        width *= 2
    return order


def generate(
    legs: Legs,
    stock: Stock,
    flow: Flow,
    book: Book,
    key: Floats,
    slowest: float,
    pause: float,
    start: Floats,
    end: Floats,
    rate: Floats,
) -> float:
    """Place all legs in the order of `key` as far as rows allow; return the makespan.

    Fills `start`, `end` and `rate`. Returns NEVER if some legs can never start; their `start` is
    then NEVER, too. A leg whose room is not there yet waits until a leg that gives it is placed.
    """
    n = len(key)
    order = turns(key)
    rank = np.empty(n, dtype=np.int64)
    heap = np.empty(n, dtype=np.int64)
    for i in range(n):
        rank[order[i]] = i
        heap[i] = i
        start[i] = NEVER
    size = n
    rows = len(stock.level)
    first = np.full(rows + n, NONE, dtype=np.int64)
    following = np.full(n, NONE, dtype=np.int64)
    open_book(book, stock.level)
    makespan = 0.0
    placed = 0
    while size > 0:
        least, size = pop(heap, size)
        j = order[least]
        before = legs.before[j]
        if before >= 0 and start[before] >= NEVER:
            following[j] = first[rows + before]
            first[rows + before] = j
            continue
        ready, short = rows_free(legs, stock, book, j)
        if short >= 0:
            following[j] = first[short]
            first[short] = j
            continue
        if before >= 0 and end[before] > ready:
            ready = end[before]
        s, e, r = choose(legs, flow, book, j, ready, slowest, pause)
        if e >= NEVER:
            return NEVER
        start[j], end[j], rate[j] = s, e, r
        placed += 1
        makespan = max(makespan, e)
        for k in range(legs.channel.shape[1]):
            c = legs.channel[j, k]
            if c < 0:
                break
            occupy(book, c, s, e, r)
        for k in range(legs.take.shape[1]):
            if legs.take[j, k] < 0:
                break
            change_row(book, legs.take[j, k], s, legs.take_amount[j, k])
        for k in range(legs.give.shape[1]):
            w = legs.give[j, k]
            if w < 0:
                break
            change_row(book, w, e, -legs.give_amount[j, k])
            waiting = first[w]
            first[w] = NONE
            while waiting >= 0:
                size = push(heap, size, rank[waiting])
                waiting = following[waiting]
        waiting = first[rows + j]
        first[rows + j] = NONE
        while waiting >= 0:
            size = push(heap, size, rank[waiting])
            waiting = following[waiting]
    return makespan if placed == n else NEVER


def blocker(
    legs: Legs, room: Ints, left: Floats, places: Ints, j: int, least: float
) -> tuple[int, float]:
    """Return what keeps leg `j` from starting now and the rate it could have.

    Rows come as their number, channels as theirs after the rows, nothing as -1.
    """
    for k in range(legs.take.shape[1]):
        r = legs.take[j, k]
        if r < 0:
            break
        if room[r] < legs.take_amount[j, k]:
            return r, 0.0
    rate = legs.top[j]
    tightest = NONE
    for k in range(legs.channel.shape[1]):
        c = legs.channel[j, k]
        if c < 0:
            break
        if places[c] < 1:
            return len(room) + c, 0.0
        if left[c] < rate - TINY:
            rate, tightest = left[c], c
    if rate < least * legs.top[j] - TINY or (rate < legs.top[j] and rate < 1.5 * legs.dirty[j]):
        return len(room) + tightest, 0.0
    return NONE, rate


def push_end(heap: Ints, size: int, j: int, end: Floats) -> int:
    """Add `j` to a heap ordered by `end`; return its new size."""
    i = size
    while i > 0 and end[heap[(i - 1) // 2]] > end[j]:
        heap[i] = heap[(i - 1) // 2]
        i = (i - 1) // 2
    heap[i] = j
    return size + 1


def pop_end(heap: Ints, size: int, end: Floats) -> tuple[int, int]:
    """Take the number with the least `end` out of a heap; return it and the new size."""
    least, j = heap[0], heap[size - 1]
    size -= 1
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and end[heap[child + 1]] < end[heap[child]]:
            child += 1
        if end[heap[child]] >= end[j]:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = j
    return least, size


def melt(a: int, b: int, rank: Ints, low: Ints, high: Ints) -> int:
    """Make one heap of two (skew heaps: `low` and `high` are the children); return its least."""
    root = NONE
    above = NONE
    while a >= 0 and b >= 0:
        if rank[b] < rank[a]:
            a, b = b, a
        if above < 0:
            root = a
        else:
            low[above] = a
        above = a
        rest = high[a]
        high[a] = low[a]
        a = rest
    if a < 0:
        a = b
    if above < 0:
        return a
    low[above] = a
    return root


def wake(
    ready: Ints,
    size: int,
    first: Ints,
    rows: int,
    c: int,
    via: Ints,
    rank: Ints,
    low: Ints,
    high: Ints,
) -> int:
    """Make the first that waits at channel `c` ready, if any; return how many are."""
    waiting = first[rows + c]
    if waiting < 0:
        return size
    first[rows + c] = melt(low[waiting], high[waiting], rank, low, high)
    via[waiting] = c
    return push(ready, size, rank[waiting])


def step(
    legs: Legs,
    stock: Stock,
    flow: Flow,
    key: Floats,
    slowest: float,
    pause: float,
    start: Floats,
    end: Floats,
    rate: Floats,
) -> float:
    """Go from event to event and start, in the order of `key`, whatever may start.

    Fills `start`, `end` and `rate`; returns the makespan, or NEVER if some legs are stuck: their
    `start` is then NEVER, too. A leg that cannot start waits at what keeps it from starting: at a
    channel in a heap by turn, from which the next is taken only while the channel has places.
    """
    n = len(key)
    rows = len(stock.level)
    order = turns(key)
    rank = np.empty(n, dtype=np.int64)
    ready = np.empty(n, dtype=np.int64)
    size = 0
    first = np.full(rows + len(flow.rate), NONE, dtype=np.int64)
    following = np.full(n, NONE, dtype=np.int64)
    low = np.full(n, NONE, dtype=np.int64)
    high = np.full(n, NONE, dtype=np.int64)
    via = np.full(n, NONE, dtype=np.int64)
    for i in range(n):
        rank[order[i]] = i
        start[i] = NEVER
    for i in range(n):
        if legs.before[order[i]] < 0:
            ready[size] = i
            size += 1
    room = stock.room - stock.level
    left = flow.rate.copy()
    places = flow.number.copy()
    running = np.empty(n, dtype=np.int64)
    busy = 0
    done = 0
    now = 0.0
    while True:
        aside = NONE
        while size > 0:
            least, size = pop(ready, size)
            j = order[least]
            came = via[j]
            via[j] = NONE
            why, speed = blocker(legs, room, left, places, j, slowest)
            length = 0.0 if why >= 0 else duration(legs, j, speed, pause)
            if length >= NEVER:
                why = rows + legs.channel[j, 0]
            if why >= rows:
                via[j] = why - rows
                following[j] = aside
                aside = j
            elif why >= 0:
                following[j] = first[why]
                first[why] = j
            if why >= 0:
                if came >= 0 and places[came] > 0:
                    size = wake(ready, size, first, rows, came, via, rank, low, high)
                continue
            start[j], end[j], rate[j] = now, now + length, speed
            for k in range(legs.take.shape[1]):
                if legs.take[j, k] < 0:
                    break
                room[legs.take[j, k]] -= legs.take_amount[j, k]
            for k in range(legs.channel.shape[1]):
                c = legs.channel[j, k]
                if c < 0:
                    break
                left[c] -= speed
                places[c] -= 1
            busy = push_end(running, busy, j, end)
            if came >= 0 and places[came] > 0:
                size = wake(ready, size, first, rows, came, via, rank, low, high)
        while aside >= 0:
            waiting = aside
            aside = following[waiting]
            low[waiting] = high[waiting] = NONE
            why = rows + via[waiting]
            via[waiting] = NONE
            first[why] = melt(first[why], waiting, rank, low, high)
        if busy == 0:
            break
        now = end[running[0]]
        while busy > 0 and end[running[0]] <= now + 1e-9:
            j, busy = pop_end(running, busy, end)
            now = max(now, end[j])
            done += 1
            for k in range(legs.give.shape[1]):
                w = legs.give[j, k]
                if w < 0:
                    break
                room[w] += legs.give_amount[j, k]
                waiting = first[w]
                first[w] = NONE
                while waiting >= 0:
                    size = push(ready, size, rank[waiting])
                    waiting = following[waiting]
            for k in range(legs.channel.shape[1]):
                c = legs.channel[j, k]
                if c < 0:
                    break
                left[c] += rate[j]
                places[c] += 1
                size = wake(ready, size, first, rows, c, via, rank, low, high)
            if legs.after[j] >= 0:
                size = push(ready, size, rank[legs.after[j]])
    return now if done == n else NEVER


def mirrored(legs: Legs, stock: Stock) -> tuple[Legs, Stock]:
    """Return the same problem in reversed time."""
    back = Legs(
        legs.give,
        legs.give_amount,
        legs.take,
        legs.take_amount,
        legs.channel,
        legs.after,
        legs.before,
        legs.volume,
        legs.dirty,
        legs.hot,
        legs.setup,
        legs.top,
        legs.ratio,
    )
    return back, Stock(stock.end, stock.level, stock.room)


def improve(
    legs: Legs,
    stock: Stock,
    flow: Flow,
    book: Book,
    bound: float,
    weight: Floats,
    shares: Floats,
    pause: float,
    knobs: Floats,
    rounds: int,
    seed: int,
    start: Floats,
    end: Floats,
    rate: Floats,
    asked: Floats,
) -> float:
    """Make the schedule `start`, `end`, `rate` shorter in place; return its makespan.

    `asked` are the rates that legs are to have at most, changed in place, too.

    A walk over schedules: each round shakes the order of the present one a little and goes through
    it in one direction, by events or leg by leg. Slightly longer ones are accepted, too; the best
    is kept. `shares` are the least shares of top rate to try, `weight` how much each leg's busiest
    channel has to carry. Stops at `bound`.
    """
    n = len(start)
    dice = np.full(1, seed % 2147483646 + 1, dtype=np.int64)
    for _ in range(5):
        draw(dice)
    pace = asked.copy()
    gentle = np.zeros(n, dtype=np.int64)
    gentles = 0
    for j in range(n):
        half = duration(legs, j, 0.5 * legs.top[j], pause)
        if legs.top[j] > 0.0 and 0.5 * half < 0.995 * duration(legs, j, legs.top[j], pause):
            gentle[j] = 1
            gentles += 1
    now_pace = pace.copy()
    full = legs.top
    legs = Legs(
        legs.take,
        legs.take_amount,
        legs.give,
        legs.give_amount,
        legs.channel,
        legs.before,
        legs.after,
        legs.volume,
        legs.dirty,
        legs.hot,
        legs.setup,
        pace,
        legs.ratio,
    )
    back, mirror = mirrored(legs, stock)
    s1, e1, r1 = np.empty(n), np.empty(n), np.empty(n)
    s2, e2, r2 = np.empty(n), np.empty(n), np.empty(n)
    now_s, now_e = start.copy(), end.copy()
    best = 0.0
    for j in range(n):
        best = max(best, end[j])
    now = best
    key = np.empty(n)
    forwards = False
    for _ in range(rounds):
        if best <= bound * (1.0 + 1e-9):
            break
        slowest = shares[int(draw(dice) * len(shares))]
        noise, bias = 0.0, 0.0
        if draw(dice) < knobs[0]:
            noise = now * knobs[1] * draw(dice) ** 3
        if draw(dice) < knobs[2]:
            bias = now * 0.5 * draw(dice) ** 2
        blame = 0.0
        if draw(dice) < knobs[7]:
            blame = now * knobs[8] * draw(dice)
        for j in range(n):
            pace[j] = now_pace[j]
        if gentles > 0 and draw(dice) < knobs[5]:
            c = legs.channel[int(draw(dice) * n), int(draw(dice) * legs.channel.shape[1])]
            chance = knobs[6] * draw(dice)
            for j in range(n):
                on = c < 0
                for k in range(legs.channel.shape[1]):
                    on = on or legs.channel[j, k] == c
                if gentle[j] == 1 and on and draw(dice) < (0.1 * chance if c < 0 else chance):
                    pace[j] = 0.5 * full[j] if pace[j] == full[j] else full[j]
        for j in range(n):
            key[j] = now_s[j] if forwards else now - now_e[j]
            key[j] += noise * (draw(dice) - 0.5) - bias * weight[j]
            late = now_e[j] if forwards else now - now_s[j]
            if blame > 0.0 and late > bound:
                key[j] -= blame * draw(dice)
        serial = draw(dice) < knobs[3]
        if forwards:
            if serial:
                length = generate(legs, stock, flow, book, key, slowest, pause, s1, e1, r1)
            else:
                length = step(legs, stock, flow, key, slowest, pause, s1, e1, r1)
        elif serial:
            length = generate(back, mirror, flow, book, key, slowest, pause, s1, e1, r1)
        else:
            length = step(back, mirror, flow, key, slowest, pause, s1, e1, r1)
        if length >= NEVER:
            forwards = not forwards
            continue
        if length <= now or length <= best * (1.0 + knobs[4] * draw(dice) ** 2):
            now = length
            for j in range(n):
                now_pace[j] = pace[j]
                now_s[j] = s1[j] if forwards else length - e1[j]
                now_e[j] = e1[j] if forwards else length - s1[j]
        if length < best:
            if not forwards:
                for j in range(n):
                    key[j] = length - e1[j]
                length = generate(legs, stock, flow, book, key, slowest, pause, s2, e2, r2)
                if length >= best:
                    forwards = not forwards
                    continue
                s1[:] = s2
                e1[:] = e2
                r1[:] = r2
            best = length
            start[:] = s1
            end[:] = e1
            rate[:] = r1
            asked[:] = pace
        forwards = not forwards
    return best

"""Simulated accesses for demonstrations and scale tests; whatever is shown of them says SIMULATED.

Drawn are clicks that come by themselves (organic), clicks that a transmission caused
(self-exciting, as in a Hawkes process), and rare spikes from outside; each may lead to usages. A
share may reach readers on interconnected platforms, a private forward only those of its own.

Level, decay, weekly scatter and usage ratios were fitted on accesses of public preprints and
records; delays and the hub-dominated number of readers follow published retweet cascades; platform
sizes, links and weekends are assumed. The trees are shallower than real ones, and there is no graph
of users: a model tuned on these events only must not be said to work on real cases.

Self-exciting clicks are drawn by generations: the number that a transmission causes, then their
delays. This is exact, and takes time in proportion to the events. The weekly scatter acts on
organic clicks only: on top of self-excitation it would lift the branching ratio above 1 in a busy
week, and cascades would grow without end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cluster.access.simulated_network import SimulatedNetwork, check_distinct, seed_of
from cluster.clock import DAY_S
from cluster.contracts.access import EVENTS
from cluster.errors import InputError

USERS: Final = 20_000  # of all platforms together, shared out by their sizes
BIRTH_DAYS: Final = 28.0  # a case appears within so many days after the start
HOME_SHARE: Final = 0.8  # of the organic clicks come on the case's own platform

# A pair is the mean and the deviation of the logarithm, or of the log odds where it says logit.
MASS_LN: Final = (6.45, 0.42)  # organic clicks of a case over MASS_DAYS
MASS_DAYS: Final = 150.0
DECAY_DAYS: Final = 0.02  # organic clicks fall as 1 / (DECAY_DAYS + age)
BACKGROUND_SHARE: Final = 0.14  # of the organic clicks come evenly, without decay
WEEK_SHAPE: Final = 1.2  # of the gamma factor, mean 1, of each week of age after the first
DAILY_SWING: Final = 0.22  # about the mean of a day
DAILY_PEAK_H: Final = 14.0  # UTC
WEEKEND_LOSS: Final = 0.25

BRANCHING: Final = (0.33, 0.14)  # shares that a share causes, by case; plain mean and deviation
BRANCHING_BOUNDS: Final = (0.02, 0.9)
DOWNLOAD_LOGIT: Final = (-0.76, 0.54)  # a click becomes a download
OPEN_LOGIT: Final = (-2.0, 0.5)  # a click opens the whole record
PASS_LOGIT: Final = (-4.5, 0.9)  # a click becomes a share or a forward
HUB_SHAPE: Final = 0.02  # of the gamma of a share's readers: few shares have nearly all
READERS_MAX: Final = 20_000  # expected clicks of one share at the most
DELAY_LN_S: Final = (9.27, 2.04)  # from a share to a click that it caused, seconds
STAY_SHARE: Final = 0.75  # of the caused clicks come on the platform of the share
PRIVATE_SHARE: Final = 0.3  # of the transmissions are forwards, which never leave their platform
LAG_S: Final = 240.0  # mean time from a click to its usage

SPIKES_PER_YEAR: Final = 0.125
SPIKE_PART: Final = 1 / 20  # of the mass of a case, times a log-normal factor
SPIKE_LN: Final = (1.0, 0.55)
SPIKE_DECAY_DAYS: Final = 20 / 3

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_VIEW, _OPEN, _DOWNLOAD, _SHARE, _FORWARD = range(5)
_KINDS: Final = ("view", "open", "download", "share", "forward")
_SWING_MAX: Final = 1 + DAILY_SWING
_DAYS_PER_YEAR: Final = 365.25
_MONDAY: Final = 4.0
"""Days from 1970-01-01 to the first Monday."""


@dataclass(frozen=True, eq=False)
class _Cases:
    """What is drawn once for each case; arrays are of shape [cases] or [cases, weeks]."""

    birth: Floats  # days after the start
    mass: Floats
    branching: Floats
    download: Floats
    open: Floats
    passed: Floats
    weeks: Floats


@dataclass(frozen=True, eq=False)
class _Events:
    """Events in the order in which they were drawn; times are seconds after the start."""

    case: Ints
    at: Floats
    platform: Ints
    user: Ints
    kind: Ints
    parent: Ints  # place of the parent event, -1 without one

    def __len__(self) -> int:
        return len(self.case)


def simulate_accesses(  # noqa: PLR0913 - each is a separate choice of the caller
    case_ids: Sequence[str],
    *,
    home: str,
    network: SimulatedNetwork,
    start: float,
    days: float,
    seed: int,
    birth_days: float = BIRTH_DAYS,
) -> pa.Table:
    """Draw the accesses to all cases of one home platform; label what shows them SIMULATED.

    A click is an ``open`` with the case's probability of reading on, else a ``view``. It may lead
    to a ``download`` and to being passed on, as a ``share`` or a private ``forward``. Parents are
    set as the contract says: a caused click names its share, a usage its click.

    What is drawn once for a case (level, branching, ratios, birth) depends on the seed, the home
    and the case id alone; its single events depend on the other cases too.

    Args:
        case_ids: distinct ids of the cases.
        home: platform of the cases, one of the network's.
        network: the interconnected platforms.
        start: first instant, seconds since the epoch.
        days: length of the span.
        seed: the same arguments give the same table.
        birth_days: days from the start within which the cases appear, evenly.

    Returns:
        Events within [start, start + days), by time, with the schema ``EVENTS``.

    Raises:
        InputError: a case is named twice, the home is not in the network, or the span
            is out of range.
    """
    check_distinct(case_ids, "case")
    if home not in network.platforms:
        what = f"home platform {home} is not in the network"
        raise InputError(what, remedy=f"Use one of {', '.join(network.platforms)}.")
    if not (0 < days < np.inf and 0 <= birth_days < np.inf):
        what = f"a span of {days} days with births in {birth_days} cannot be simulated"
        raise InputError(what, remedy="Use more than 0 days, and 0 or more for the births.")
    cases = _draw_cases(case_ids, home, days, seed, birth_days)
    accesses = _Simulation(
        cases=cases,
        network=network,
        home=network.platforms.index(home),
        start=start,
        days=days,
        rng=np.random.default_rng(seed_of("accesses", seed, home)),
    )
    return _table(accesses.events(), case_ids, home, network, start)


@dataclass(frozen=True, eq=False)
class _Simulation:
    """One run of the simulator over all cases of a platform."""

    cases: _Cases
    network: SimulatedNetwork
    home: int
    start: float
    days: float
    rng: np.random.Generator

    def events(self) -> _Events:
        """Draw generation after generation, until no share causes a further click."""
        clicks = _joined([self.organic_clicks(), self.spike_clicks()])
        drawn = [_taken(clicks, np.arange(0))]
        n_drawn = 0
        while len(clicks):
            usages, shares = self.usages(clicks, n_drawn)
            drawn += [clicks, usages, shares]
            first_share = n_drawn + len(clicks) + len(usages)
            n_drawn = first_share + len(shares)
            clicks = self.caused_clicks(shares, first_share)
        return _joined(drawn)

    def organic_clicks(self) -> _Events:
        """Draw the clicks that come by themselves, week by week of each case's age."""
        cases, rng = self.cases, self.rng
        n_cases, n_weeks = cases.weeks.shape
        end = (self.days - cases.birth)[:, None]
        begin_week = np.minimum(7.0 * np.arange(n_weeks), end)
        end_week = np.minimum(7.0 * np.arange(1, n_weeks + 1), end)
        low, high = np.log1p(begin_week / DECAY_DAYS), np.log1p(end_week / DECAY_DAYS)
        falling = (1 - BACKGROUND_SHARE) * (high - low) / np.log1p(MASS_DAYS / DECAY_DAYS)
        even = BACKGROUND_SHARE * (end_week - begin_week) / MASS_DAYS
        level = cases.mass[:, None] * cases.weeks * _SWING_MAX
        n_falling, n_even = rng.poisson(level * falling), rng.poisson(level * even)
        cells = np.arange(n_cases * n_weeks)
        cell = np.repeat(cells, n_falling.ravel())
        age_falling = DECAY_DAYS * np.expm1(rng.uniform(low.ravel()[cell], high.ravel()[cell]))
        cell_even = np.repeat(cells, n_even.ravel())
        age_even = rng.uniform(begin_week.ravel()[cell_even], end_week.ravel()[cell_even])
        case = np.concatenate([cell, cell_even]) // n_weeks
        at = (cases.birth[case] + np.concatenate([age_falling, age_even])) * DAY_S
        kept = self.is_awake(at)
        return self.clicks(case[kept], at[kept], self.organic_platforms(int(kept.sum())))

    def spike_clicks(self) -> _Events:
        """Draw the clicks of rare bursts of attention from outside."""
        cases, rng = self.cases, self.rng
        life = self.days - cases.birth
        spikes = rng.poisson(SPIKES_PER_YEAR * life / _DAYS_PER_YEAR)
        case = np.repeat(np.arange(len(life)), spikes)
        begin = cases.birth[case] + life[case] * rng.random(len(case))
        size = cases.mass[case] * SPIKE_PART * rng.lognormal(*SPIKE_LN, len(case))
        spike = np.repeat(np.arange(len(case)), rng.poisson(size))
        at = (begin[spike] + rng.exponential(SPIKE_DECAY_DAYS, len(spike))) * DAY_S
        return self.clicks(case[spike], at, self.organic_platforms(len(at)))

    def usages(self, clicks: _Events, first_click: int) -> tuple[_Events, _Events]:
        """Draw what comes of clicks: the downloads, and the shares and forwards."""
        downloaded = self.rng.random(len(clicks)) < self.cases.download[clicks.case]
        passed = self.rng.random(len(clicks)) < self.cases.passed[clicks.case]
        is_private = self.rng.random(int(passed.sum())) < PRIVATE_SHARE
        downloads = self.following(clicks, downloaded, np.array(_DOWNLOAD), first_click)
        shares = self.following(clicks, passed, np.where(is_private, _FORWARD, _SHARE), first_click)
        return downloads, shares

    def following(self, clicks: _Events, chosen: Mask, kind: Ints, first_click: int) -> _Events:
        """Let usages follow the chosen clicks, by the same user on the same platform."""
        place = np.flatnonzero(chosen)
        lag = 1.0 + self.rng.exponential(LAG_S - 1.0, len(place))
        usages = _Events(
            case=clicks.case[place],
            at=clicks.at[place] + lag,
            platform=clicks.platform[place],
            user=clicks.user[place],
            kind=np.broadcast_to(kind, place.shape),
            parent=first_click + place,
        )
        return self.within(usages)

    def caused_clicks(self, shares: _Events, first_share: int) -> _Events:
        """Draw the clicks that shares cause: their number, their delays, their platforms."""
        rng, case = self.rng, shares.case
        reach = self.cases.branching[case] / self.cases.passed[case]
        mean = rng.gamma(HUB_SHAPE, reach / HUB_SHAPE)
        n_clicks = rng.poisson(np.minimum(mean, READERS_MAX) * _SWING_MAX)
        share = np.repeat(np.arange(len(shares)), n_clicks)
        at = shares.at[share] + rng.lognormal(*DELAY_LN_S, len(share))
        kept = (at < self.days * DAY_S) & self.is_awake(at)
        share, at = share[kept], at[kept]
        platform = self.caused_platforms(shares.platform[share], shares.kind[share] == _FORWARD)
        return self.clicks(case[share], at, platform, first_share + share)

    def clicks(self, case: Ints, at: Floats, platform: Ints, parent: Ints | None = None) -> _Events:
        """Make clicks of users that are drawn evenly from their platforms."""
        n_users = np.maximum(np.round(self.network.sizes * USERS), 1.0)
        opened = self.rng.random(len(case)) < self.cases.open[case]
        clicks = _Events(
            case=case,
            at=at,
            platform=platform,
            user=np.floor(self.rng.random(len(case)) * n_users[platform]).astype(np.int64),
            kind=np.where(opened, _OPEN, _VIEW),
            parent=np.full(len(case), -1) if parent is None else parent,
        )
        return self.within(clicks)

    def organic_platforms(self, n: int) -> Ints:
        """Draw the platforms of organic clicks: mostly the home, the others by their size."""
        others = self.network.sizes.copy()
        others[self.home] = 0.0
        if not others.any():
            return np.full(n, self.home)
        share = (1 - HOME_SHARE) * others / others.sum()
        share[self.home] = HOME_SHARE
        return self.rng.choice(len(share), size=n, p=share)

    def caused_platforms(self, origin: Ints, is_private: Mask) -> Ints:
        """Draw the platforms of caused clicks: that of the share, or one that is linked to it."""
        leaves = ~is_private & (self.rng.random(len(origin)) >= STAY_SHARE)
        leaves &= self.network.weights.sum(axis=1)[origin] > 0
        cumulated = np.cumsum(self.network.weights, axis=1)[origin[leaves]]
        drawn = self.rng.random((len(cumulated), 1)) * cumulated[:, -1:]
        platform = origin.copy()
        platform[leaves] = (drawn >= cumulated).sum(axis=1)
        return platform

    def is_awake(self, at: Floats) -> Mask:
        """Thin clicks to the readers' day and week."""
        day = (self.start + at) / DAY_S
        swing = 1 + DAILY_SWING * np.cos(2 * np.pi * (day - DAILY_PEAK_H / 24))
        is_weekend = (np.floor(day) - _MONDAY) % 7 >= 5
        activity = swing * np.where(is_weekend, 1 - WEEKEND_LOSS, 1.0)
        return self.rng.random(len(at)) * _SWING_MAX < activity

    def within(self, events: _Events) -> _Events:
        """Keep the events before the end, judged by the instant that will be written."""
        return _taken(events, self.start + events.at < self.start + self.days * DAY_S)


def _draw_cases(
    case_ids: Sequence[str], home: str, days: float, seed: int, birth_days: float
) -> _Cases:
    """Draw what belongs to a case, each case from a generator of its own."""
    n_weeks = int(np.ceil(days / 7))
    drawn = np.empty((len(case_ids), 6))
    weeks = np.empty((len(case_ids), n_weeks))
    for row, case_id in enumerate(case_ids):
        rng = np.random.default_rng(seed_of("case", seed, home, case_id))
        drawn[row, 0] = rng.random()
        drawn[row, 1:] = rng.standard_normal(5)
        weeks[row] = rng.gamma(WEEK_SHAPE, 1 / WEEK_SHAPE, n_weeks)
    weeks[:, 0] = 1.0
    birth, mass, branching, download, opened, passed = drawn.T
    return _Cases(
        birth=birth * min(birth_days, days),
        mass=np.exp(MASS_LN[0] + MASS_LN[1] * mass),
        branching=np.clip(BRANCHING[0] + BRANCHING[1] * branching, *BRANCHING_BOUNDS),
        download=_logistic(DOWNLOAD_LOGIT, download),
        open=_logistic(OPEN_LOGIT, opened),
        passed=_logistic(PASS_LOGIT, passed),
        weeks=weeks,
    )


def _table(
    events: _Events,
    case_ids: Sequence[str],
    home: str,
    network: SimulatedNetwork,
    start: float,
) -> pa.Table:
    """Write events by time, with ids that count through each case."""
    order = np.lexsort((events.case, events.at))
    events = _taken(events, order)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    by_case = np.argsort(events.case, kind="stable")
    first = np.searchsorted(events.case[by_case], events.case[by_case])
    number = np.empty(len(order), dtype=np.int64)
    number[by_case] = np.arange(len(order)) - first
    prefixes = pa.array([f"sim-{home}/{case_id}/" for case_id in case_ids], pa.string())
    event_id = _numbered(prefixes, events.case, number)
    columns = {
        "event_id": event_id,
        "case_id": pa.array(case_ids, pa.string()).take(events.case),
        "kind": pa.array(_KINDS).take(events.kind),
        "at": pa.array(start + events.at),
        "platform": pa.array(network.platforms).take(events.platform),
        "user": _numbered(
            pa.array([f"{name}/u" for name in network.platforms]), events.platform, events.user
        ),
        "parent_id": event_id.take(
            pa.array(place[events.parent], pa.int64(), mask=events.parent < 0)
        ),
    }
    return pa.table([columns[name] for name in EVENTS.names], schema=EVENTS)


def _numbered(prefixes: "pa.Array[Any]", code: Ints, number: Ints) -> "pa.Array[Any]":
    """Write a prefix, picked by its code, and a number for each row."""
    texts: list[Any] = [prefixes.take(code), pa.array(number, pa.int64()).cast(pa.string()), ""]
    joined: pa.Array[Any] = pc.binary_join_element_wise(*texts)
    return joined


def _taken(events: _Events, rows: Ints | Mask) -> _Events:
    """Pick events by place or mask."""
    return _Events(**{column.name: getattr(events, column.name)[rows] for column in fields(events)})


def _joined(parts: Sequence[_Events]) -> _Events:
    """Append events to events; there is at least one part."""
    names = [column.name for column in fields(_Events)]
    return _Events(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


def _logistic(log_odds: tuple[float, float], deviate: Floats) -> Floats:
    """Turn standard normal deviates into probabilities with a mean and deviation of log odds."""
    return np.asarray(1 / (1 + np.exp(-(log_odds[0] + log_odds[1] * deviate))))

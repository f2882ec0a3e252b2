"""Platforms, couriers and faults in any order: in the end each case is where it may be, once."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

from builders import a_phenopacket
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.contracts.sharing import Envelope, Receipt, Settlement
from cluster.flow import consents, deliveries
from cluster.sharing.receipt import is_valid
from tests.unit.flow.world import World, audit_actions, held, read, reopened, settlement

NAMES = ("east", "north", "south")
PAIRS = tuple(combinations(NAMES, 2))
REASONS = {"agreement_missing", "attempts_used_up", "case_not_active", "case_withdrawn"}
STEPS = (
    "decide",
    "claim",
    "arrive",
    "arrive",
    "arrive and lose the answer",
    "arrive twice",
    "lose",
    "settle",
    "settle twice",
    "crash",
    "new courier",
    "agreements",
    "agreements",
    "wait",
    "consent",
    "consent",
)
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 63)), min_size=8, max_size=40)


class Faults:
    """A world with envelopes under way and settlements on their way home."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, {"attempts_max": 4})
        for name in NAMES:
            packets = [a_phenopacket(f"{name}-{n}") for n in range(2)]
            self.world.add(name, *packets)
        self.flying: list[Envelope] = []
        self.answers: list[tuple[str, Settlement]] = []
        self.courier = 0
        self.ever_agreed: set[frozenset[str]] = set()
        self.withdrawn: set[str] = set()
        self.agreements(0b011)
        for number, name in enumerate(NAMES):
            self.do("decide", number)
            self.do("claim", NAMES.index(name))

    def agreements(self, number: int) -> None:
        """Let the pairs whose bit is set have an agreement, and no others."""
        self.world.agree(*(pair for bit, pair in enumerate(PAIRS) if number >> bit & 1))
        self.ever_agreed |= self.world.agreed

    def do(self, step: str, number: int) -> None:
        """Take one step, where there is something to take it with."""
        name = NAMES[number % len(NAMES)]
        if step == "decide":
            self.world.decide(name, {f"{name}-0": 0.9, f"{name}-1": 0.9 * (number % 2)})
        elif step == "claim":
            self.flying += self.world.claim(name, f"courier-{self.courier}")
        elif step == "crash":
            self.world.platforms[name] = reopened(self.world.platforms[name])
        elif step == "new courier":
            self.courier += 1
            for platform in self.world.platforms.values():
                deliveries.release_claims(platform, f"courier-{self.courier}")
        elif step in ("agreements", "consent", "wait"):
            self.change(step, number)
        elif step.startswith("settle") and self.answers:
            self.settle(number, repeat=step == "settle twice")
        elif self.flying and not step.startswith("settle"):
            self.carry(step, self.flying.pop(number % len(self.flying)))

    def change(self, step: str, number: int) -> None:
        """Let something happen around the couriers."""
        if step == "agreements":
            self.agreements(number % 2 ** len(PAIRS))
        elif step == "consent":
            name = NAMES[number % len(NAMES)]
            self.consent(name, f"{name}-{number % 2}")
        else:
            self.world.clock.instant += 2.0**number if number < 12 else 61.0

    def consent(self, name: str, case_id: str) -> None:
        """Withdraw a case, or let it go out again."""
        self.withdrawn ^= {case_id}
        state = "withdrawn" if case_id in self.withdrawn else "active"
        platform = self.world.platforms[name]
        consents.set_consent(platform, case_id, state=state, consent="share")

    def settle(self, number: int, *, repeat: bool) -> None:
        """Bring one answer home, at whatever time."""
        name, word = self.answers.pop(number % len(self.answers))
        for _ in range(1 + repeat):
            deliveries.settle(self.world.platforms[name], [word])

    def carry(self, step: str, envelope: Envelope) -> None:
        """Bring an envelope to its receiver, or lose it, or its answer."""
        if step == "lose":
            self.answers.append((envelope.sender, settlement(envelope, None)))
            return
        receiver = self.world.platforms[envelope.receiver]
        before = set(held(receiver))
        answer = self.world.receive(envelope)
        pair = frozenset((envelope.sender, envelope.receiver))
        if pair not in self.world.agreed:
            assert set(held(receiver)) <= before, "taken in without an agreement"
        if step == "arrive twice" and isinstance(answer, Receipt):
            assert self.world.receive(envelope) == answer
        lost = step == "arrive and lose the answer"
        word = settlement(envelope, None if lost else answer)
        self.answers.append((envelope.sender, word))

    def calm(self) -> None:
        """Let what is under way arrive late, then carry until every outbox is settled."""
        for envelope in self.flying:
            self.carry("arrive", envelope)
        for name, word in self.answers:
            deliveries.settle(self.world.platforms[name], [word])
        self.flying, self.answers = [], []
        self.do("new courier", 0)
        for name in NAMES:
            self.do("crash", NAMES.index(name))
        self.world.agree(*map(tuple, map(sorted, self.world.agreed)))  # type: ignore[arg-type]  # pairs
        self.world.deliver()


@contextmanager
def a_world() -> Iterator[Faults]:
    """Open a world in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        faults = Faults(Path(folder))
        yield faults
        for platform in faults.world.platforms.values():
            platform.ledger.close()


@settings(max_examples=25)
@given(steps)
def test_every_case_ends_where_it_may_be_once(plan: list[tuple[str, int]]) -> None:
    """A11 B9: held once where it may be and nowhere else, whatever is lost, doubled or killed."""
    with a_world() as faults:
        for step, number in plan:
            faults.do(step, number)
        faults.calm()
        for name in NAMES:
            _check_sender(faults, name)
            _check_receiver(faults, name)


def _check_sender(faults: Faults, name: str) -> None:
    world = faults.world
    platform = world.platforms[name]
    statuses = world.statuses(name)
    assert len({row.delivery_id for row in statuses}) == len(statuses)
    rounds = dict(read(platform, "SELECT case_id, round FROM cases"))
    uploaded = {
        c for (c,) in read(platform, "SELECT case_id FROM decisions WHERE outcome='upload'")
    }
    peers = {other for other in NAMES if frozenset((name, other)) in world.agreed}
    sent = {(s.case_id, s.peer): s for s in statuses if s.kind == "case"}
    now = {key: row for key, row in sent.items() if row.round == rounds[row.case_id]}
    shareable = uploaded - faults.withdrawn
    assert now.keys() >= {(case_id, peer) for case_id in shareable for peer in peers}
    for row in statuses:
        assert row.case_id in uploaded
        assert row.state == "delivered" or (row.state == "parked" and row.reason in REASONS)
        if row.receipt is not None:
            assert is_valid(
                row.receipt,
                world.platforms[row.peer].keys.public_key,
                delivery_id=row.delivery_id,
                digest=row.receipt.digest,
            )
    for case_id, peer in sent:
        shared_id = platform.shared_id(case_id, peer)
        is_held = (name, shared_id) in held(world.platforms[peer])
        if case_id in faults.withdrawn:
            assert not is_held, "kept what was taken back"
        elif now.get((case_id, peer)) and now[case_id, peer].state == "delivered":
            assert is_held
    audit_actions(platform)


def _check_receiver(faults: Faults, name: str) -> None:
    platform = faults.world.platforms[name]
    got = held(platform)
    imports = read(platform, "SELECT count(*) FROM inbox WHERE kind = 'case'")[0][0]
    erased = read(platform, "SELECT count(*) FROM inbox WHERE kind = 'recall'")[0][0]
    assert len(got) == len(set(got)) <= imports
    for sender, shared_id in got:
        assert frozenset((name, sender)) in faults.ever_agreed
        home = faults.world.platforms[sender]
        own = [case_id for (case_id,) in read(home, "SELECT case_id FROM cases WHERE rev = 1")]
        assert shared_id in {home.shared_id(case_id, name) for case_id in own}
    actions = audit_actions(platform)
    assert (actions.count("import"), actions.count("erasure")) == (imports, erased)
    received = set(platform.index.columns(["case_id"])["case_id"].to_pylist())
    assert {case_id for _, case_id in got} == received - {f"{name}-0", f"{name}-1"}


def test_the_world_delivers_when_nothing_goes_wrong() -> None:
    """A11: the check above is not empty: without faults every agreed pair ends in a delivery."""
    with a_world() as faults:
        faults.world.clock.instant += 1
        for number in (1, 3, 5):
            faults.do("decide", number)
        faults.calm()
        states = [row.state for name in NAMES for row in faults.world.statuses(name)]
        # two pairs of three, both ways, two cases each
        assert states == ["delivered"] * 8
        for name in NAMES:
            _check_sender(faults, name)
            _check_receiver(faults, name)

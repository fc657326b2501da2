"""The GPU pool on a real database: one lease a slice, whatever order things happen in."""

import random
import threading
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, event

from hub.compute.gpu.inventory import class_name, inventory
from hub.compute.gpu.slice import GpuError, GpuRequest, GpuSettings, Hold, Place, QueueLeft, Reservation, Slice
from hub.compute.gpu.store import LEFT_US, Pool
from hub.compute.gpu.tables import metadata
from hub.compute.lease import HOUR_US, MINUTE_US
from hub.db import open_engine

NOW = 1_795_000_000_000_000
STEPS = 10_000


def uuid(number: int) -> UUID:
    return UUID(int=number)


def want(number: int, **changed: object) -> GpuRequest:
    asked = {
        "lease": uuid(number), "learner": f"learner{number}", "site": "main", "cohort": "autumn", "gpu_class": "h100",
        "longest_us": HOUR_US, "requested_us": NOW + number,
    }  # fmt: skip
    return GpuRequest(**{**asked, **changed})  # type: ignore[arg-type]


def pieces(count: int, gpu_class: str = "h100") -> list[Slice]:
    return [
        Slice(uuid=f"GPU-{gpu_class}-{n:04}", kind="whole", gpu_class=gpu_class, memory_mb=81_559) for n in range(count)
    ]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = open_engine(f"sqlite:///{tmp_path / 'pool.db'}")
    metadata.create_all(engine)
    return engine


@pytest.fixture
def pool(engine: Engine) -> Pool:
    return Pool(engine, GpuSettings())


def test_a_free_slice_is_given_at_once_and_again_to_who_asks_again(pool: Pool) -> None:
    pool.sync(pieces(1), NOW)
    first = pool.ask(want(1), NOW)
    assert isinstance(first, Hold)
    assert pool.ask(want(1), NOW + 5) == first


def test_the_second_waits_and_is_told_how_long_at_most(pool: Pool) -> None:
    pool.sync(pieces(1), NOW)
    pool.ask(want(1), NOW)
    place = pool.ask(want(2), NOW + 10 * MINUTE_US)
    assert place == Place(ahead=0, wait_us=50 * MINUTE_US)
    assert isinstance(place, Place)
    assert "50 分钟" in place.in_locale("zh_CN")
    assert "50 min" in place.in_locale("en")
    pool.release(uuid(1))
    assert isinstance(pool.ask(want(2), NOW + 11 * MINUTE_US), Hold)


def test_a_class_that_nobody_has_is_refused_rather_than_waited_for(pool: Pool) -> None:
    pool.sync(pieces(1), NOW)
    with pytest.raises(GpuError, match="a100"):
        pool.ask(want(1, gpu_class="a100"), NOW)


def test_who_cancelled_is_told_and_no_longer_in_the_way(pool: Pool) -> None:
    pool.sync(pieces(1), NOW)
    pool.ask(want(1), NOW)
    pool.ask(want(2), NOW)
    pool.ask(want(3), NOW)
    assert pool.cancel(uuid(2))
    assert [who.lease for who, _ in pool.queue("h100", NOW)] == [uuid(3)]
    with pytest.raises(QueueLeft):
        pool.ask(want(2), NOW + 1)
    assert not pool.cancel(uuid(9))


def test_who_stopped_asking_has_left_the_queue(pool: Pool) -> None:
    pool.sync(pieces(1), NOW)
    pool.ask(want(1), NOW)
    pool.ask(want(2), NOW)
    pool.release(uuid(1))
    assert isinstance(pool.ask(want(3), NOW + 1), Place), "the earlier one is still there"
    assert isinstance(pool.ask(want(3), NOW + LEFT_US + 2), Hold)


def test_first_come_first_served_and_less_use_before_more(pool: Pool) -> None:
    pool.sync(pieces(1), NOW)
    pool.ask(want(1), NOW)
    pool.ask(want(2, used_us=5 * HOUR_US), NOW)
    pool.ask(want(3, used_us=10 * MINUTE_US), NOW)
    pool.ask(want(4, used_us=0), NOW)
    assert [who.lease for who, _ in pool.queue("h100", NOW)] == [uuid(3), uuid(4), uuid(2)]


def test_who_has_waited_long_is_next_however_much_they_used(pool: Pool) -> None:
    pool.sync(pieces(1), NOW)
    pool.ask(want(1), NOW)
    later = NOW + HOUR_US // 2 + 10
    pool.ask(want(2, used_us=500 * HOUR_US), later)
    pool.ask(want(3, requested_us=later), later)
    assert [who.lease for who, _ in pool.queue("h100", later)] == [uuid(2), uuid(3)]


def test_a_site_below_its_floor_goes_first(engine: Engine) -> None:
    pool = Pool(engine, GpuSettings(site_floors={"north": 1}))
    pool.sync(pieces(1), NOW)
    pool.ask(want(1), NOW)
    pool.ask(want(2), NOW)
    pool.ask(want(3, site="north"), NOW)
    assert [who.lease for who, _ in pool.queue("h100", NOW)] == [uuid(3), uuid(2)]


def test_a_reserved_seat_is_kept_for_its_class_even_before_the_window_begins(pool: Pool) -> None:
    pool.sync(pieces(2), NOW)
    soon = NOW + 30 * MINUTE_US
    pool.reserve(
        Reservation(id=uuid(90), gpu_class="h100", cohort="film", seats=1, from_us=soon, until_us=soon + HOUR_US)
    )
    assert isinstance(pool.ask(want(1), NOW), Hold)
    assert isinstance(pool.ask(want(2), NOW), Place), "an hour's session would run into the window"
    assert isinstance(pool.ask(want(3, longest_us=20 * MINUTE_US), NOW), Hold), "a short one would not"
    pool.release(uuid(3))
    assert isinstance(pool.ask(want(4, cohort="film"), soon), Hold)


def test_more_than_there_is_cannot_be_reserved(pool: Pool) -> None:
    pool.sync(pieces(2), NOW)
    window = {"gpu_class": "h100", "from_us": NOW, "until_us": NOW + HOUR_US}
    pool.reserve(Reservation(id=uuid(90), cohort="film", seats=1, **window))
    with pytest.raises(GpuError, match="expected at most 1"):
        pool.reserve(Reservation(id=uuid(91), cohort="autumn", seats=2, **window))
    assert pool.unreserve(uuid(90))
    pool.reserve(Reservation(id=uuid(91), cohort="autumn", seats=2, **window))


def test_a_shared_class_fills_every_slice_before_it_doubles_up(engine: Engine) -> None:
    pool = Pool(engine, GpuSettings(leases_per_slice={"h100": 2}))
    pool.sync(pieces(2), NOW)
    given = [pool.ask(want(number), NOW) for number in range(5)]
    assert [(hold.slice[-1], hold.seat) for hold in given[:4]] == [("0", 0), ("1", 0), ("0", 1), ("1", 1)]
    assert isinstance(given[4], Place)


def test_a_slice_with_two_leases_is_not_given_a_third_when_its_class_stops_being_shared(engine: Engine) -> None:
    shared = Pool(engine, GpuSettings(leases_per_slice={"h100": 2}))
    shared.sync(pieces(1), NOW)
    shared.ask(want(1), NOW)
    shared.ask(want(2), NOW)
    exclusive = Pool(engine, GpuSettings())
    exclusive.release(uuid(1))
    assert isinstance(exclusive.ask(want(3), NOW), Place)
    exclusive.release(uuid(2))
    assert isinstance(exclusive.ask(want(3), NOW), Hold)


def test_a_slice_that_went_away_is_given_to_nobody(pool: Pool) -> None:
    pool.sync(pieces(2), NOW)
    pool.sync(pieces(1), NOW + 1)
    assert isinstance(pool.ask(want(1), NOW), Hold)
    assert isinstance(pool.ask(want(2), NOW), Place)


def test_of_many_that_ask_at_once_exactly_as_many_as_there_are_slices_get_one(engine: Engine) -> None:
    Pool(engine, GpuSettings()).sync(pieces(3), NOW)
    answers: list[Hold | Place] = []

    def ask(number: int) -> None:
        answers.append(Pool(engine, GpuSettings()).ask(want(number), NOW))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [answer.slice for answer in answers if isinstance(answer, Hold)]
    assert len(answers) == 16
    assert sorted(held) == [piece.uuid for piece in pieces(3)]


class World:
    """What is true outside of the pool: which leases are open, and which labs really run on which slice."""

    def __init__(self, engine: Engine, chance: random.Random) -> None:
        self.engine, self.chance, self.now, self.next = engine, chance, NOW, 1
        self.settings = GpuSettings(leases_per_slice={"t4": 2})
        self.there = [*pieces(4), *pieces(3, "t4")]
        self.pool = Pool(engine, self.settings)
        self.pool.sync(self.there, self.now)
        self.open: set[UUID] = set()
        self.asking: dict[UUID, GpuRequest] = {}
        self.running: dict[UUID, Hold] = {}
        self.served = 0

    def step(self) -> None:
        self.now += self.chance.randrange(5_000_000)
        actions = (self.start, self.ask, self.ask, self.ask, self.stop, self.crash, self.restart, self.cancel)
        self.chance.choice(actions)()

    def start(self) -> None:
        gpu_class = self.chance.choice(("h100", "t4"))
        request = want(self.next, gpu_class=gpu_class, requested_us=self.now, used_us=self.chance.randrange(HOUR_US))
        self.next += 1
        self.open.add(request.lease)
        self.asking[request.lease] = request

    def ask(self) -> None:
        for lease in self.chance.sample(sorted(self.asking), min(3, len(self.asking))):
            try:
                answer = self.pool.ask(self.asking[lease], self.now)
            except QueueLeft:
                self.end(lease)
                continue
            if isinstance(answer, Hold):
                self.running[lease] = answer
                self.served += 1
                del self.asking[lease]

    def stop(self) -> None:
        """The lab ends, and the hub gives its slice back."""
        if self.running:
            lease = self.chance.choice(sorted(self.running))
            self.end(lease)
            self.pool.release(lease)

    def crash(self) -> None:
        """The lab ends or its start is abandoned, and nobody gives anything back: the reconciler must."""
        if standing := sorted(self.open):
            self.end(self.chance.choice(standing))

    def restart(self) -> None:
        """The hub is killed and started: it knows nothing but the database, then reconciles."""
        self.pool = Pool(self.engine, self.settings)
        self.pool.sync(self.there, self.now)
        self.pool.reconcile(lambda: frozenset(self.open), self.now)

    def cancel(self) -> None:
        if self.asking:
            self.pool.cancel(self.chance.choice(sorted(self.asking)))

    def end(self, lease: UUID) -> None:
        self.open.discard(lease)
        self.asking.pop(lease, None)
        self.running.pop(lease, None)

    def check(self) -> None:
        """No slice runs more labs than it has seats, and every lab that runs is in the pool's books."""
        on = Counter((hold.slice, hold.gpu_class) for hold in self.running.values())
        for (_, gpu_class), labs in on.items():
            assert labs <= self.settings.seats(gpu_class), "a slice was leased twice"
        booked = {hold.lease: hold for hold in self.pool.holds()}
        for lease, hold in self.running.items():
            assert booked[lease] == hold
        assert len({(hold.slice, hold.seat) for hold in booked.values()}) == len(booked)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3])
def test_ten_thousand_random_steps_lease_nothing_twice_and_leak_nothing(engine: Engine, seed: int) -> None:
    # The rules are the database's and the transaction's; fsync on every commit would only make this slow.
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    engine.dispose()
    world = World(engine, random.Random(seed))  # noqa: S311 -- repeatable steps, no secret
    for number in range(STEPS):
        world.step()
        if number % 10 == 0:
            world.check()
    for lease in sorted(world.open):
        world.end(lease)
    world.restart()
    assert world.pool.holds() == (), "slices leaked"
    assert world.pool.queue("h100", world.now) == ()
    assert world.pool.queue("t4", world.now) == ()
    assert world.served > 200
    world.start()
    world.ask()
    assert len(world.running) == 1, "and everything can be leased again"


def test_slices_named_by_the_configuration_are_the_inventory() -> None:
    settings = GpuSettings.model_validate(
        {
            "inventory": "config",
            "slices": [
                {"uuid": "MIG-41b36db2-5b8c", "gpu_class": "h100-3g", "memory_mb": 40_000},
                {"uuid": "GPU-0a1b2c3d-4e5f", "gpu_class": "h100", "memory_mb": 81_559},
            ],
        }
    )
    assert [(piece.kind, piece.gpu_class) for piece in inventory(settings)] == [("whole", "h100"), ("mig", "h100-3g")]
    assert inventory(GpuSettings()) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"slices": [{"uuid": "0", "gpu_class": "h100", "memory_mb": 1}]},
        {"slices": [{"uuid": "GPU-aaaa-1", "gpu_class": "h100", "memory_mb": 1}] * 2},
        {"leases_per_slice": {"h100": 0}},
        {"site_floors": {"main": -1}},
        {"unknown": 1},
    ],
)
def test_a_wrong_gpu_section_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"got|Input|Extra|pattern"):
        GpuSettings.model_validate(wrong)


def test_products_that_nobody_named_get_a_class_made_from_their_name() -> None:
    assert class_name("NVIDIA H100 80GB HBM3") == "h100-80gb-hbm3"
    assert class_name("3g.40gb") == "3g.40gb"

"""SQL of the roll-up that reports read (:mod:`hub.compute.rollup`): kept with every settlement, and read by reports."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.compute.report import Measured, Present, Summed
from hub.compute.rollup import DAY, MONTH, Place, Span, learners_of, place_of, spans, sums_of
from hub.compute.suppress import hidden_rows
from hub.compute.tables import charge_line, gpu_usage, usage, usage_learner, usage_place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from hub.compute.gpu.usage import GpuEvidence
    from hub.compute.settle import ChargeLine
    from hub.compute.suppress import Cell

MEASURES = ("lines", "amount_uy", "sessions", "estimated_sessions", "billed_us", "gpu_us", "total_uy")
LEARNER_MEASURES = ("lines", "amount_uy")
GPU_MEASURES = ("busy_sum", "rated")
_INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
# No name holds a line break: hub.compute.lease.refuse_bad_name.
_BETWEEN = "\n"


def keep_usage(connection: Connection, lines: Sequence[ChargeLine]) -> None:
    """Count a settlement's lines in; the caller stores the lines themselves in the same transaction."""
    if not lines:
        return
    place = place_of(lines[0])
    row = {"id": place.id, **place._asdict()}
    connection.execute(_INSERT[connection.dialect.name](usage_place).on_conflict_do_nothing(), row)
    sums = sums_of(lines).items()
    _count_in(connection, usage, [key._asdict() | dict(zip(MEASURES, counted, strict=True)) for key, counted in sums])
    who = learners_of(lines).items()
    rows = [key._asdict() | dict(zip(LEARNER_MEASURES, counted, strict=True)) for key, counted in who]
    _count_in(connection, usage_learner, rows)


def keep_gpu_usage(connection: Connection, used: GpuEvidence) -> None:
    """Count the GPU evidence of a session in, under the month in which it began; what has no charge has no month."""
    begins = (charge_line.c.lease == used.lease, charge_line.c.segment == 0, charge_line.c.line == 0)
    line = connection.execute(select(charge_line).where(*begins)).one_or_none()
    if line is None or not used.rated:
        return
    row = {"month": line.day[:7], "place": place_of(line).id, "learner": line.learner}  # type: ignore[arg-type]
    _count_in(connection, gpu_usage, [row | {"busy_sum": used.busy_sum, "rated": used.rated}])


def _count_in(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Add rows to those that stand under the same key."""
    connection.execute(_adding(connection.dialect.name, table), rows)


@cache
def _adding(dialect: str, table: Table) -> Any:
    adding = _INSERT[dialect](table)
    keys = list(table.primary_key.columns)
    more = {column.name: column + adding.excluded[column.name] for column in table.c if not column.primary_key}
    return adding.on_conflict_do_update(index_elements=keys, set_=more)


def sums(connection: Connection, dimensions: tuple[str, ...], from_day: str, until_day: str) -> Iterator[Summed]:
    """Charge lines of a span of days summed by month, dimensions, programme and payer."""
    places = tuple(usage_place.c[name] for name in dimensions if name != DAY)
    measures = [func.sum(usage.c[name]) for name in MEASURES[1:]]
    by = (usage.c.period, usage.c.programme, usage.c.payer, *places)
    for span in _spans(dimensions, from_day, until_day):
        asked = select(*by, *measures).where(*within(usage, span)).group_by(*by)
        if places:
            asked = asked.join(usage_place, usage_place.c.id == usage.c.place)
        for period, programme, payer, *rest in connection.execute(asked):
            key = _key(dimensions, period, rest[: len(places)])
            yield Summed(period[:7], key, programme, payer, Measured._make(map(int, rest[len(places) :])))


def presence(connection: Connection, dimensions: tuple[str, ...], from_day: str, until_day: str) -> Iterator[Present]:
    """Who stands behind these sums, by month, dimensions and programme; some of it in several parts."""
    places = place_values(connection, tuple(name for name in dimensions if name != DAY))
    by = [usage_learner.c.period, usage_learner.c.programme]
    by += [usage_learner.c.place] if set(dimensions) - {DAY} else []
    names = func.aggregate_strings(usage_learner.c.learner, _BETWEEN)
    for span in _spans(dimensions, from_day, until_day):
        asked = select(*by, names).where(*within(usage_learner, span)).group_by(*by)
        for period, programme, *place, who in connection.execute(asked):
            key = _key(dimensions, period, places[place[0]] if place else ())
            yield Present(period[:7], key, programme, who.split(_BETWEEN))


def line_days(
    connection: Connection, where: Mapping[str, str], from_day: str, until_day: str
) -> list[tuple[str, int, int]]:
    """Days with the count and the sum of their charge lines that a report's row comes from, in their order."""
    columns = {name: usage.c[name] for name in ("programme", "payer")} | {DAY: usage.c.period}
    columns |= {name: usage_place.c[name] for name in Place._fields}
    asked = (
        select(usage.c.period, func.sum(usage.c.lines), func.sum(usage.c.amount_uy))
        .join(usage_place, usage_place.c.id == usage.c.place)
        .where(*within(usage, Span(DAY, from_day, until_day)))
        .where(*(columns[name] == value for name, value in where.items()))
        .group_by(usage.c.period)
        .order_by(usage.c.period)
    )
    return [(day, int(lines), int(amount)) for day, lines, amount in connection.execute(asked)]


def spent(connection: Connection, from_day: str, until_day: str) -> dict[Place, int]:
    """List price of a span of days by place."""
    places, found = place_values(connection, Place._fields), Counter[Place]()
    for span in spans(from_day, until_day):
        asked = select(usage.c.place, func.sum(usage.c.amount_uy)).where(*within(usage, span)).group_by(usage.c.place)
        found.update({Place(*places[place]): int(amount) for place, amount in connection.execute(asked)})
    return dict(found)


def homes(connection: Connection, labs: Collection[tuple[str, str]]) -> dict[tuple[str, str, str], Place]:
    """The place where most was charged to a learner in a lab, by course, lab and learner."""
    places = {number: Place(*values) for number, values in place_values(connection, Place._fields).items()}
    there = [number for number, place in places.items() if (place.course, place.lab) in labs]
    most: dict[tuple[str, str, str], tuple[int, Place]] = {}
    by = (usage_learner.c.place, usage_learner.c.learner)
    asked = select(*by, func.sum(usage_learner.c.amount_uy)).where(usage_learner.c.grain == MONTH)
    found = connection.execute(asked.where(usage_learner.c.place.in_(there)).group_by(*by))
    for number, learner, amount in found:
        place = places[number]
        whose = (place.course, place.lab, learner)
        most[whose] = max(most.get(whose, (-1, place)), (int(amount), place))
    return {whose: place for whose, (_, place) in most.items()}


def gpu_use(
    connection: Connection, dimensions: tuple[str, ...], months: tuple[str, str], besides: Collection[Cell]
) -> dict[Cell, float]:
    """Mean percent at work of the GPUs of sessions that began in these months, the last one not included.

    Cells that the rule for reports (:mod:`hub.compute.suppress`) hides are left out; those ``besides`` are hidden too.
    """
    places = place_values(connection, dimensions)
    by = (gpu_usage.c.month, gpu_usage.c.place)
    counted = (func.sum(gpu_usage.c[name]) for name in GPU_MEASURES)
    names = func.aggregate_strings(gpu_usage.c.learner, _BETWEEN)
    asked: Any = select(*by, *counted, names).where(gpu_usage.c.month >= months[0], gpu_usage.c.month < months[1])
    busy: Counter[Cell] = Counter()
    rated: Counter[Cell] = Counter()
    people: dict[tuple[str, Cell], set[str]] = defaultdict(set)
    for month, place, busy_sum, samples, who in connection.execute(asked.group_by(*by)):
        cell = places[place]
        busy[cell] += int(busy_sum)
        rated[cell] += int(samples)
        people[month, cell].update(who.split(_BETWEEN))
    hidden, _ = hidden_rows(people, besides)
    return {cell: busy[cell] / rated[cell] for cell in rated if cell not in hidden}


def place_values(connection: Connection, names: tuple[str, ...]) -> dict[int, tuple[str, ...]]:
    """Every place by its number, as the values of some of its names."""
    asked = select(usage_place.c.id, *(usage_place.c[name] for name in names))
    return {row[0]: tuple(row[1:]) for row in connection.execute(asked)}


def within(table: Table, span: Span) -> tuple[Any, ...]:
    """What picks a span's rows."""
    return table.c.grain == span.grain, table.c.period >= span.first, table.c.period < span.until


def _spans(dimensions: tuple[str, ...], from_day: str, until_day: str) -> tuple[Span, ...]:
    return (Span(DAY, from_day, until_day),) if DAY in dimensions else spans(from_day, until_day)


def _key(dimensions: tuple[str, ...], period: str, values: Sequence[str]) -> tuple[str, ...]:
    rest = iter(values)
    return tuple(period if name == DAY else next(rest) for name in dimensions)

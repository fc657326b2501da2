"""SQL that sums the roll-up anew from the charge lines, day by day: to fill it, and to tell whether it holds.

Day by day, because a database sorts some thousand lines in memory, and a million beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, Table, and_, case, func, insert, literal, or_, select, union_all

from hub.compute.ledger.usage import GPU_MEASURES, LEARNER_MEASURES, MEASURES
from hub.compute.rollup import DAY, MONTH, Place
from hub.compute.tables import charge_line, gpu_evidence, gpu_usage, usage, usage_learner, usage_place

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = charge_line.c
_WHERE = [_LINE[name] for name in Place._fields]
_ESTIMATED = case((_LINE.estimated, _LINE.sessions), else_=0)
_SUMMED = (_LINE.amount_uy, _LINE.sessions, _ESTIMATED, _LINE.billed_us, _LINE.gpu_us, _LINE.total_uy)
_MEASURED = {usage.name: MEASURES, usage_learner.name: LEARNER_MEASURES, gpu_usage.name: GPU_MEASURES}


def fill(connection: Connection) -> None:
    """Sum all of it from the charge lines and the GPU evidence, where nothing of it is stored yet."""
    places = [Place(*row) for row in connection.execute(select(*_WHERE).distinct())]
    if places:
        connection.execute(insert(usage_place), [{"id": place.id, **place._asdict()} for place in places])
    for table, made, _ in _parts(connection):
        connection.execute(insert(table).from_select(list(table.c.keys()), made))


def what_is_wrong(connection: Connection) -> str | None:
    """The first that is not what its lines sum to, in words; None when all of it holds."""
    for row in connection.execute(select(usage_place)):
        if row.id != Place(*row[1:]).id:
            return f"{usage_place.name} {row.id} is not the place of that number"
    for table, made, stored in _parts(connection):
        if (key := _differs(connection, table, made, stored)) is not None:
            return f"{table.name} of {key} is not what its lines sum to"
    return None


def _parts(connection: Connection) -> Iterator[tuple[Table, Select[Any], Select[Any]]]:
    """A table, what a part of it should hold, and what that part holds: days first, then the months made of them."""
    for day in sorted(_days(connection)):
        for table, made in ((usage, _made_usage(day)), (usage_learner, _made_learners(day))):
            yield table, made, select(table).where(table.c.grain == DAY, table.c.period == day)
    for table in (usage, usage_learner):
        yield table, _made_months(table), select(table).where(table.c.grain != DAY)
    yield gpu_usage, _made_gpu(), select(gpu_usage)


def _days(connection: Connection) -> set[str]:
    asked = [select(table.c.period).where(table.c.grain == DAY).distinct() for table in (usage, usage_learner)]
    return {day for days in (select(_LINE.day).distinct(), *asked) for day in connection.execute(days).scalars()}


def _made_usage(day: str) -> Select[Any]:
    keys = (_LINE.programme, _LINE.payer)
    counted = [summed.label(name) for summed, name in zip(_sums(_SUMMED), MEASURES, strict=True)]
    by_name = select(*keys, *_WHERE, *counted).where(_LINE.day == day).group_by(*keys, *_WHERE).subquery()
    made = select(literal(DAY), literal(day), by_name.c.programme, by_name.c.payer, usage_place.c.id)
    return _placed(made.add_columns(*(by_name.c[name] for name in MEASURES)), by_name)


def _made_learners(day: str) -> Select[Any]:
    keys = (_LINE.programme, _LINE.learner)
    counted = [summed.label(name) for summed, name in zip(_sums([_LINE.amount_uy]), LEARNER_MEASURES, strict=True)]
    by_name = select(*keys, *_WHERE, *counted).where(_LINE.day == day).group_by(*keys, *_WHERE).subquery()
    made = select(literal(DAY), literal(day), by_name.c.programme, usage_place.c.id, by_name.c.learner)
    return _placed(made.add_columns(*(by_name.c[name] for name in LEARNER_MEASURES)), by_name)


def _made_months(table: Table) -> Select[Any]:
    month = func.substr(table.c.period, 1, 7)
    keys = [column for column in table.primary_key if column.name not in {"grain", "period"}]
    counted = [func.sum(table.c[name]) for name in _MEASURED[table.name]]
    return select(literal(MONTH), month, *keys, *counted).where(table.c.grain == DAY).group_by(month, *keys)


def _made_gpu() -> Select[Any]:
    keys = (func.substr(_LINE.day, 1, 7), usage_place.c.id, _LINE.learner)
    begins = and_(_LINE.lease == gpu_evidence.c.lease, _LINE.segment == 0, _LINE.line == 0)
    made = select(*keys, *(func.sum(gpu_evidence.c[name]) for name in GPU_MEASURES)).where(gpu_evidence.c.rated > 0)
    return _placed(made.group_by(*keys), gpu_evidence.join(charge_line, begins), charge_line)


def _placed(made: Select[Any], source: Any, named: Any = None) -> Select[Any]:
    """With the number of each place; what has none is found by it, not lost."""
    here = and_(*(usage_place.c[name] == (source if named is None else named).c[name] for name in Place._fields))
    return made.select_from(source.outerjoin(usage_place, here))


def _sums(columns: Any) -> list[Any]:
    return [func.count(), *map(func.sum, columns)]


def _differs(connection: Connection, table: Table, made: Select[Any], stored: Select[Any]) -> str | None:
    """The key of a row that is not stored as it should be: both added up with opposite signs leave nothing."""
    measures = _MEASURED[table.name]
    keys = [column.name for column in table.primary_key]
    there = stored.subquery()
    taken = select(*(there.c[name] for name in keys), *(-there.c[name] for name in measures))
    both = union_all(made, taken).subquery()
    columns = list(both.c)
    left = columns[len(keys) :]
    odd = or_(*(func.sum(column) != 0 for column in left), func.count() == 1)
    asked = select(*columns[: len(keys)]).group_by(*columns[: len(keys)]).having(odd).limit(1)
    found = connection.execute(asked).one_or_none()
    return None if found is None else " ".join(map(str, found))

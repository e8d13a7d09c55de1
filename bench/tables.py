"""The results of stages as Markdown: the goals, and a table of what was measured.

In: `StageResult` of every stage. Out: ``results.md``. A stage of few measurements gets a row for
each contender, with ranges; one of many (serving) a row for each case and a column for each
contender.
"""

import statistics

import msgspec

from bench.harness import Goal, Measurement, Skipped, by_case, own_of, ratios

MANY = 100
"""Measurements of a stage that are too many for a row each."""


class StageResult(msgspec.Struct):
    """What one run of a stage found."""

    name: str
    title: str
    quick: bool
    began: str
    seconds: float
    machine: str
    versions: str
    goals: list[Goal]
    measurements: list[Measurement]
    skipped: list[Skipped]


def number(value: float) -> str:
    """*value* with three significant digits or more."""
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{decimals}f}"


def shown(found: Measurement) -> str:
    """The median, and the range of several samples."""
    text = f"{number(found.median)} {found.unit}"
    if len(found.samples) > 1:
        text += f" ({number(min(found.samples))} to {number(max(found.samples))})"
    return text


def compared(contenders: list[Measurement], against: str) -> tuple[float, str] | None:
    """The median ratio of Inlink to what a goal compares it with, and the name of that."""
    own = own_of(contenders)
    kind = "limit" if against == "limit" else "peer"
    others = [each for each in contenders if each.kind == kind]
    if own is None or not others:
        return None
    return min((statistics.median(ratios(own, other)), other.contender) for other in others)


def judged(goal: Goal, cases: dict[str, list[Measurement]]) -> tuple[bool, str] | None:
    """Whether *goal* is met, and by what figures; None where nothing was measured for it."""
    values: list[tuple[float, str]] = []
    for case, contenders in cases.items():
        if not case.startswith(goal.case):
            continue
        own = own_of(contenders)
        if goal.against == "value" and own is not None:
            values.append((own.median, f"{case}: {number(own.median)} {own.unit}"))
        elif goal.against != "value" and (found := compared(contenders, goal.against)):
            values.append((found[0], f"{case}: {number(found[0])} times {found[1]}"))
    if not values:
        return None
    if goal.against == "geometric mean":
        mean = statistics.geometric_mean(value for value, _ in values)
        values = [(mean, f"{number(mean)} over {len(values)} cases")]
    met = [
        (goal.at_least is None or value >= goal.at_least)
        and (goal.at_most is None or value <= goal.at_most)
        for value, _ in values
    ]
    worst = (min if goal.at_least is not None else max)(values)
    most = f" (the others of {len(values)} cases are better)" if len(values) > 1 else ""
    return all(met), f"{worst[1]}{most}; met in {sum(met)} of {len(met)}"


def tables(results: list[StageResult]) -> str:
    """All results as Markdown."""
    lines = [line for result in results for line in section(result)]
    if results:
        lines += ["Versions: " + results[-1].versions, ""]
    return "\n".join(lines)


def section(result: StageResult) -> list[str]:
    """What one stage found: how it was run, its goals, its figures, and what to know of them."""
    cases = by_case(result.measurements)
    wide = len(result.measurements) > MANY
    left_out = [f"- {each.contender} was left out: {each.reason}" for each in result.skipped]
    notes = dict.fromkeys((m.contender, m.note) for m in result.measurements if m.note)
    return [
        f"## {result.title}",
        "",
        f"`python -m bench{' --quick' if result.quick else ''} {result.name}`,"
        f" {'quick' if result.quick else 'full'} run of {result.seconds / 60:.1f} minutes,"
        f" {result.began}. {result.machine}.",
        "",
        "| goal | met | measured |",
        "|---|---|---|",
        *(goal_row(goal, cases) for goal in result.goals),
        "",
        *(wide_table(cases) if wide else long_table(cases)),
        "",
        *left_out,
        *(f"- {contender}: {note}" for contender, note in notes),
        "",
    ]


def goal_row(goal: Goal, cases: dict[str, list[Measurement]]) -> str:
    """Whether *goal* is met."""
    verdict = judged(goal, cases)
    if verdict is None:
        return f"| {goal.text} | not measured |  |"
    met, figures = verdict
    return f"| {goal.text} | {'yes' if met else '**no**'} | {figures} |"


def long_table(cases: dict[str, list[Measurement]]) -> list[str]:
    """A row for each contender of each case."""
    return [
        "| case | contender | median | range | Inlink is so many times as good | range |",
        "|---|---|---|---|---|---|",
        *(row for contenders in cases.values() for row in rows(contenders)),
    ]


def rows(contenders: list[Measurement]) -> list[str]:
    """The rows of one case."""
    own = own_of(contenders)
    found = []
    for each in contenders:
        spread = f"{number(min(each.samples))} to {number(max(each.samples))}"
        cells = [each.case, each.contender, f"{number(each.median)} {each.unit}"]
        cells.append(spread if len(each.samples) > 1 else "")
        if own is None or each is own:
            cells += ["", ""]
        else:
            factors = ratios(own, each)
            cells.append(number(statistics.median(factors)))
            few = f"{number(min(factors))} to {number(max(factors))}"
            cells.append(few if len(factors) > 1 else "")
        found.append(f"| {' | '.join(cells)} |")
    return found


def wide_table(cases: dict[str, list[Measurement]]) -> list[str]:
    """A row of medians for each case, with a column for each contender and one for the limits."""
    every = [each for contenders in cases.values() for each in contenders]
    names = list(dict.fromkeys(each.contender for each in every if each.kind != "limit"))
    heads = ["case", "unit", *names, "limit", "Inlink is so many times as good as the best peer"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for case, contenders in cases.items():
        medians = {
            "limit" if each.kind == "limit" else each.contender: number(each.median)
            for each in contenders
        }
        best = compared(contenders, "best peer")
        figures = [medians.get(name, "") for name in (*names, "limit")]
        cells = [case, contenders[0].unit, *figures, number(best[0]) if best else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines

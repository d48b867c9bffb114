"""Small charts as SVG: rates by stage with their intervals, losses by step, and shares of a whole.

Contract: a chart is drawn from figures alone, fits any width (its text grows with it), and says in words what it shows.
Colours are the page's: classes, no values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sokrates.metrics import Interval
from sokrates.report.markup import Html, join, tag

WIDTH, HEIGHT = 340, 210
LEFT, RIGHT, TOP, BOTTOM = 40, 14, 22, 34
"""The margins around the axes, in the chart's own units."""


CROWDED = 6
"""With more stages than these, names stand on end and the figures are left to the table."""


@dataclass(frozen=True)
class Mark:
    """A stage's rate. Stages of the loop are joined by a line; baselines stand by themselves."""

    name: str
    rate: Interval
    joined: bool = True


@dataclass(frozen=True)
class Curve:
    """Losses by optimizer step."""

    name: str
    points: Sequence[tuple[int, float]]
    quiet: bool = False
    """Drawn thin: what is beside the point."""


def lowest(rates: Sequence[Interval]) -> float:
    """Where the axes of rates that are to be compared begin: a whole tenth below all of them."""
    return max(0.0, math.floor(10 * min((rate.low for rate in rates), default=0.0)) / 10)


def rate_chart(title: str, marks: Sequence[Mark], bottom: float, reference: Interval | None = None) -> Html:
    """Rates by stage with 95% intervals, from `bottom` to 1; `reference` is a dashed line."""
    step = (WIDTH - LEFT - RIGHT) / max(len(marks), 1)
    places = [LEFT + step * (index + 0.5) for index in range(len(marks))]

    def y(share: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (min(max(share, bottom), 1.0) - bottom) / (1 - bottom))

    crowded = len(marks) > CROWDED
    loop = [(x, mark) for x, mark in zip(places, marks, strict=True) if mark.joined]
    upper = [f"{x:.1f},{y(mark.rate.high):.1f}" for x, mark in loop]
    lower = [f"{x:.1f},{y(mark.rate.low):.1f}" for x, mark in reversed(loop)]
    parts = [_grid(y, [(tick, f"{100 * tick:.0f}") for tick in _ticks(bottom)])]
    if reference is not None and reference.value >= bottom:
        parts.append(_line(LEFT, y(reference.value), WIDTH - RIGHT, y(reference.value), "reference"))
    if len(loop) > 1:
        parts.append(tag("polygon", points=" ".join(upper + lower), class_="band"))
        parts.append(
            tag("polyline", points=" ".join(f"{x:.1f},{y(m.rate.value):.1f}" for x, m in loop), class_="curve")
        )
    for x, mark in zip(places, marks, strict=True):
        parts.append(_line(x, y(mark.rate.low), x, y(mark.rate.high), "whisker"))
        parts.append(tag("circle", cx=f"{x:.1f}", cy=f"{y(mark.rate.value):.1f}", r=4, class_=_dot(mark)))
        if not crowded:
            parts.append(_text(x, y(mark.rate.high) - 5, f"{100 * mark.rate.value:.1f}", "value"))
        parts.append(_name(x, mark.name, crowded))
    said = "; ".join(
        f"{mark.name} {100 * mark.rate.value:.1f} [{100 * mark.rate.low:.1f}, {100 * mark.rate.high:.1f}]"
        for mark in marks
    )
    return _figure(title, f"{title} in percent by stage: {said}", parts, HEIGHT + (34 if crowded else 0))


def loss_chart(title: str, curves: Sequence[Curve]) -> Html:
    """Losses by step."""
    points = [point for curve in curves for point in curve.points if math.isfinite(point[1])]
    ticks = _ticks_over(
        min((value for _, value in points), default=0.0), max((value for _, value in points), default=1.0)
    )
    last = max((step for step, _ in points), default=1)

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / max(last, 1)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - ticks[0]) / (ticks[-1] - ticks[0]))

    parts = [_grid(y, [(tick, f"{tick:.3g}") for tick in ticks])]
    for curve in curves:
        drawn = [(x(step), y(value)) for step, value in curve.points if math.isfinite(value)]
        class_ = "curve quiet" if curve.quiet else "curve"
        parts.append(tag("polyline", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in drawn), class_=class_))
        if not curve.quiet or len(curves) == 1:
            parts += [tag("circle", cx=f"{a:.1f}", cy=f"{b:.1f}", r=3, class_="dot") for a, b in drawn]
    parts.append(_text(LEFT, HEIGHT - BOTTOM + 18, "0", "tick"))
    parts.append(_text(WIDTH - RIGHT, HEIGHT - BOTTOM + 18, f"{last} steps", "tick end"))
    said = "; ".join(f"{c.name} from {c.points[0][1]:.4g} to {c.points[-1][1]:.4g}" for c in curves if c.points)
    return _figure(title, f"{title} by step: {said}", parts)


def histogram(title: str, values: Sequence[float], bins: int = 10) -> Html:
    """How often values fall into equal parts of their range."""
    low, high = min(values), max(values)
    width = (high - low) / bins or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / width), bins - 1)] += 1
    top = max(counts)
    step = (WIDTH - LEFT - RIGHT) / bins

    def y(count: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - count / top)

    parts = [_grid(y, [(0, "0"), (top, str(top))])]
    for index, count in enumerate(counts):
        if count:
            box = {"x": f"{LEFT + step * index + 1:.1f}", "y": f"{y(count):.1f}", "width": f"{step - 2:.1f}"}
            parts.append(tag("rect", height=f"{y(0) - y(count):.1f}", class_="bar", **box))
    parts.append(_text(LEFT, HEIGHT - BOTTOM + 18, f"{low:.2f}", "tick start"))
    parts.append(_text(WIDTH - RIGHT, HEIGHT - BOTTOM + 18, f"{high:.2f}", "tick end"))
    return _figure(title, f"{title}: {len(values)} from {low:.2f} to {high:.2f}", parts)


def bar(share: float, class_: str = "bar") -> Html:
    """A bar for a cell of a table: a share of 1."""
    filled = tag("rect", width=f"{100 * min(max(share, 0.0), 1.0):.1f}", height=8, rx=1, class_=class_)
    return tag("svg", filled, viewBox="0 0 100 8", class_="cellbar", aria_hidden="true", preserveAspectRatio="none")


def _name(x: float, name: str, upright: bool) -> Html:
    y = HEIGHT - BOTTOM + (10 if upright else 18)
    if not upright:
        return _text(x, y, name, "tick")
    return tag("text", name, x=f"{x + 4:.1f}", y=y, class_="tick end", transform=f"rotate(-60 {x + 4:.1f} {y})")


def _figure(title: str, description: str, parts: Sequence[Html], height: int = HEIGHT) -> Html:
    drawing = tag("svg", *parts, viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=description, class_="chart")
    return tag("figure", tag("figcaption", title), drawing)


def _grid(y: object, ticks: Sequence[tuple[float, str]]) -> Html:
    assert callable(y)
    lines = [_line(LEFT, y(tick), WIDTH - RIGHT, y(tick), "grid") for tick, _ in ticks]
    return join(*lines, *(_text(LEFT - 6, y(tick) + 4, label, "tick end") for tick, label in ticks))


def _ticks(bottom: float) -> list[float]:
    span = 0.25 if bottom == 0 else 0.2 if bottom < 0.45 else 0.1
    first = math.ceil(bottom / span - 1e-9)
    return [share for share in (span * index for index in range(first, 20)) if share <= 1 + 1e-9]


def _ticks_over(low: float, high: float) -> list[float]:
    """Three to six round numbers, the first not above `low`, the last not below `high`."""
    span = max(high - low, 0.05 * abs(high), 1e-6)
    power = 10.0 ** math.floor(math.log10(span / 3))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * 5 >= span * (1 + 1e-9))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [step * index for index in range(first, last + 1)]


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Html:
    return tag("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=class_)


def _text(x: float, y: float, text: str, class_: str) -> Html:
    return tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", class_=class_)


def _dot(mark: Mark) -> str:
    return "dot" if mark.joined else "dot alone"

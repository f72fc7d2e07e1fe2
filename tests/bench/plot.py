#!/usr/bin/env python3
"""Draws the figures of ./dev bench (build/bench/*.json) as SVG into docs/benchmarks. Standard library alone.

Usage: tests/bench/plot.py [FOLDER OF THE JSON FILES] [FOLDER FOR THE PLOTS]
"""

import json
import math
import pathlib
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 56, 54
COLOURS = ["#9aa5b1", "#e0a030", "#1f6feb", "#3fb950"]
STYLE = "font-family:sans-serif;font-size:12px;fill:#24292f"


def nice(value):
    """The number as a person would write it on an axis."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    if value >= 1000:
        return f"{value / 1000:g} k"
    return f"{value:.3g}"


def ticks(most):
    """Round numbers from 0 up to at least `most`."""
    step = 10 ** math.floor(math.log10(most or 1))
    step = next(step * part for part in (0.2, 0.5, 1, 2) if most / (step * part) <= 6)
    return [step * i for i in range(math.ceil(most / step - 1e-9) + 1)]


class Plot:
    """One picture: a title, a y axis from 0, and what is drawn onto it."""

    def __init__(self, title, unit, most, series):
        self.ticks = ticks(most)
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        ]
        self.text(LEFT, 20, title, weight="bold")
        for i, name in enumerate(series):
            x = LEFT + 150 * i
            self.parts.append(f'<rect x="{x}" y="30" width="12" height="12" fill="{COLOURS[i]}"/>')
            self.text(x + 18, 40, name)
        for tick in self.ticks:
            y = self.y(tick)
            self.parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
            self.text(LEFT - 6, y + 4, nice(tick), "end")
        self.text(LEFT - 6, TOP - 8, unit, "end")

    def y(self, value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.ticks[-1]

    def text(self, x, y, text, anchor="start", weight="normal"):
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="{STYLE};font-weight:{weight}">'
            f"{escape(str(text))}</text>"
        )

    def write(self, path):
        path.write_text("\n".join([*self.parts, "</svg>\n"]))
        print(path)


def bars(path, title, unit, rows, group, series, value):
    """A group of bars for each value of `group`, in it one for each value of `series`."""
    if not rows:
        return
    groups = list(dict.fromkeys(row[group] for row in rows))
    names = list(dict.fromkeys(row[series] for row in rows)) if series else [""]
    plot = Plot(title, unit, max(row[value] for row in rows), names if series else [])
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    width = min(60, 0.8 * room / len(names))
    for i, name in enumerate(groups):
        middle = LEFT + room * (i + 0.5)
        plot.text(middle, HEIGHT - BOTTOM + 18, name, "middle")
        for j, of in enumerate(names):
            row = next((r for r in rows if r[group] == name and (not series or r[series] == of)), None)
            if row is None:
                continue
            x = middle + width * (j - len(names) / 2)
            y = plot.y(row[value])
            colour = COLOURS[j if series else 2]
            plot.parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 3:.1f}" height="{HEIGHT - BOTTOM - y:.1f}" fill="{colour}"/>'
            )
            plot.text(x + width / 2 - 1, y - 4, nice(row[value]), "middle")
    plot.write(path)


def lines(path, title, unit, rows, x_key, x_title, values):
    """Lines over a logarithmic x axis."""
    if not rows:
        return
    plot = Plot(title, unit, max(row[value] for row in rows for value in values), values)
    xs = [math.log10(float(row[x_key])) for row in rows]
    low, high = min(xs), max(xs)

    def place(x):
        return LEFT + 20 + (WIDTH - LEFT - RIGHT - 40) * (x - low) / ((high - low) or 1)

    for x, row in zip(xs, rows):
        plot.text(place(x), HEIGHT - BOTTOM + 18, nice(float(row[x_key])), "middle")
    plot.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_title, "middle")
    for i, value in enumerate(values):
        points = " ".join(f"{place(x):.1f},{plot.y(row[value]):.1f}" for x, row in zip(xs, rows))
        plot.parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[i]}" stroke-width="2"/>')
        for x, row in zip(xs, rows):
            plot.parts.append(f'<circle cx="{place(x):.1f}" cy="{plot.y(row[value]):.1f}" r="3" fill="{COLOURS[i]}"/>')
    plot.write(path)


def main():
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench")
    target = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "docs/benchmarks")
    target.mkdir(parents=True, exist_ok=True)

    def rows(bench, part):
        path = source / f"{bench}.json"
        return [row for row in json.loads(path.read_text())["rows"] if row["part"] == part] if path.exists() else []

    bars(target / "send.svg", "SendText without a request id: CPU of the server a call", "µs",
         rows("send", "throughput"), "load", "server", "cpu_us/call")
    bars(target / "ids.svg", "SendText with durable request ids and pacing: calls a second", "/s",
         rows("send", "ids"), "with", None, "calls/s")
    bars(target / "webhook.svg", "Durable webhooks: CPU of the server each, by connections", "µs",
         rows("webhook", "durable"), "connections", "server", "cpu_us")
    bars(target / "fanout.svg", "Fan-out to 50 streams: CPU a delivery, by events a frame", "µs",
         rows("fanout", "fan-out"), "events/frame", "server", "cpu_us/delivery")
    lines(target / "idle.svg", "Idle streams: memory of the process", "MB",
          rows("fanout", "idle"), "streams", "streams", ["resident_mb"])
    lines(target / "log.svg", "Size of the log: time to append, resume, open", "ms",
          rows("curves", "log"), "events", "events in the log", ["append_ms", "resume_ms", "open_ms"])
    lines(target / "image.svg", "Sending an image: CPU", "ms",
          rows("curves", "image"), "kilobytes", "kilobytes", ["cpu_ms"])


if __name__ == "__main__":
    main()

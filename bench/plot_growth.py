#!/usr/bin/python3
"""Draws growth.csv as an SVG, with the standard library alone.

usage: bench/plot_growth.py CSV SVG

A panel for each series; both axes are logarithmic. A line that stays level costs the same however
many there are; the dashed one is what the work itself grows by.
"""

import csv
import math
import sys

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 440, 300, 62, 44, 16, 40
COLOURS = {"ns": "#1f5fa8", "limit_ns": "#888888", "instructions": "#b03a2e", "bytes": "#2e7d32"}
LABELS = {"ns": "ns", "limit_ns": "ns, the physical limit", "instructions": "instructions",
          "bytes": "bytes"}


def ticks(low, high):
    return [10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def short(value):
    power = round(math.log10(value))
    return f"{value:g}" if value < 1000 else f"10<tspan dy='-4' font-size='8'>{power}</tspan>"


def panel(title, unit, rows, left, top):
    columns = [c for c in COLOURS if any(row[c] for row in rows)]
    values = [float(row[c]) for c in columns for row in rows if row[c]]
    xs = [float(row["n"]) for row in rows]
    x_low, x_high = min(xs), max(max(xs), min(xs) * 10)
    y_ticks = ticks(min(values), max(values) * 1.01)
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def at_x(x):
        part = math.log(x / x_low) / math.log(x_high / x_low)
        return left + LEFT + part * (WIDTH - LEFT - RIGHT)

    def at_y(y):
        part = math.log(y / y_low) / math.log(y_high / y_low)
        return top + HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    out = [f"<text x='{left + LEFT}' y='{top + 16}' font-weight='bold'>{title}</text>"]
    for y in y_ticks:
        out.append(f"<line x1='{at_x(x_low):.1f}' x2='{at_x(x_high):.1f}' y1='{at_y(y):.1f}' "
                   f"y2='{at_y(y):.1f}' stroke='#dddddd'/>")
        out.append(f"<text x='{left + LEFT - 6}' y='{at_y(y) + 4:.1f}' "
                   f"text-anchor='end'>{short(y)}</text>")
    for x in ticks(x_low, x_high):
        out.append(f"<text x='{at_x(x):.1f}' y='{top + HEIGHT - BOTTOM + 16}' "
                   f"text-anchor='middle'>{short(x)}</text>")
    out.append(f"<text x='{left + (LEFT + WIDTH) / 2}' y='{top + HEIGHT - 6}' "
               f"text-anchor='middle'>{unit}</text>")
    for number, column in enumerate(columns):
        points = [(at_x(float(r["n"])), at_y(float(r[column]))) for r in rows if r[column]]
        dash = " stroke-dasharray='5 4'" if column == "limit_ns" else ""
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        out.append(f"<polyline points='{line}' fill='none' stroke='{COLOURS[column]}' "
                   f"stroke-width='1.6'{dash}/>")
        out.extend(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2.4' fill='{COLOURS[column]}'/>"
                   for x, y in points)
        out.append(f"<text x='{left + LEFT + number * 92}' y='{top + 32}' "
                   f"fill='{COLOURS[column]}'>{LABELS[column]}</text>")
    return out


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    series = {}
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            series.setdefault((row["series"], row["per"], row["of"]), []).append(row)
    across = 2
    down = (len(series) + across - 1) // across
    body = []
    for number, ((name, per, of), rows) in enumerate(series.items()):
        left, top = number % across * WIDTH, number // across * HEIGHT
        body.extend(panel(f"{name}: per {per}", of, rows, left, top))
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(f"<svg xmlns='http://www.w3.org/2000/svg' width='{across * WIDTH}' "
                   f"height='{down * HEIGHT}' font-family='sans-serif' font-size='11'>\n"
                   "<rect width='100%' height='100%' fill='white'/>\n")
        file.write("\n".join(body) + "\n</svg>\n")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Holds measured figures against bench/targets.json and prints a table.

usage: bench/check.py [--timed FILE] [--instructions FILE] [--memory FILE]
       bench/check.py --enforced KIND

The files are those of `bench/run.sh --json`, `bench/instructions.sh --json` and `bench/memory
--json`; targets of a kind that was not measured are left out. Exits with 1 when a target marked
"enforced" is missed or its figure is missing. Only figures that hardly vary from run to run are
enforced: instructions, allocations, bytes. The second form prints the names of what has to be
measured of a kind for its enforced targets: timed, instructions or memory.
"""

import argparse
import json
import os
import sys


def read_timed(path):
    """Name -> counters: the medians where there were repetitions."""
    with open(path, encoding="utf-8") as file:
        runs = json.load(file)["benchmarks"]
    figures = {}
    for run in runs:
        if run["run_type"] == "aggregate" and run["aggregate_name"] != "median":
            continue
        if run["run_type"] == "iteration" and run.get("repetitions", 1) > 1:
            continue
        figures[run["run_name"]] = run
    return figures


def read_list(path):
    with open(path, encoding="utf-8") as file:
        return {entry["name"]: entry for entry in json.load(file)}


def figure_of(target, figures):
    """The figure that the target speaks of; None when it was not measured."""
    value = figures.get(target["name"], {}).get(target["field"])
    if value is None or "of" not in target:
        return value
    other = figures.get(target["of"], {}).get(target["field"])
    return value / other if other else None


def is_met(target, value):
    return value <= target["max"] if "max" in target else value >= target["min"]


def text(value):
    if value >= 100_000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if value < 1000 else f"{value:,.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--timed")
    parser.add_argument("--instructions")
    parser.add_argument("--memory")
    parser.add_argument("--enforced", choices=["timed", "instructions", "memory"])
    arguments = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "targets.json"), encoding="utf-8") as file:
        targets = json.load(file)
    if arguments.enforced:
        wanted = [target for target in targets if target.get("enforced", False)]
        names = [target["name"] for target in wanted if target["source"] == arguments.enforced]
        print("\n".join(dict.fromkeys(names)))
        return 0

    measured = {}
    for source, read in (("timed", read_timed), ("instructions", read_list), ("memory", read_list)):
        path = getattr(arguments, source)
        if path:
            measured[source] = read(path)
    if not measured:
        parser.error("nothing to check: give at least one file")

    failed = 0
    print(f"{'what':66} {'figure':>12} {'target':>14}  met")
    for target in targets:
        if target["source"] not in measured:
            continue
        value = figure_of(target, measured[target["source"]])
        bound = f"<= {text(target['max'])}" if "max" in target else f">= {text(target['min'])}"
        enforced = target.get("enforced", False)
        met = value is not None and is_met(target, value)
        failed += enforced and not met
        word = "yes" if met else "NO" if value is not None else "not measured"
        shown = text(value) if value is not None else "-"
        note = " (enforced)" if enforced else ""
        print(f"{target['what']:66} {shown:>12} {bound:>14}  {word}{note}")
    if failed:
        print(f"{failed} enforced target(s) missed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

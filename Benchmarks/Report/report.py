"""Runs the benchmarks, holds each row against its bar, and prints one table; called by scripts/bench.

What is measured lies in Benchmarks/Engine (Swift) and Benchmarks/RowFiles; what is demanded in Benchmarks/bars.json.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

import document
import peer
import plots

TOP = pathlib.Path(__file__).resolve().parents[2]
RELEASE = TOP / ".build/release"
# A benchmark that allocates now and then while it grows shows a few in a million; one in a hundred is a habit.
NO_ALLOCATIONS = 0.01
LIVE_STEPS = [10_000, 30_000, 100_000, 300_000, 1_000_000, 2_000_000, 5_000_000]
SHARDED_LIVE = 300_000
SHARD_STEPS = [1, 2, 4, 8, 16, 32, 64]


class Failure(Exception):
    """Ends the run; says what is wrong and what to do."""


def run(*command, environment=None):
    """The output of a program, or its end as a Failure."""
    done = subprocess.run(
        [str(word) for word in command], cwd=TOP, capture_output=True, text=True,
        env=dict(os.environ, **(environment or {})))
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


class Rows:
    """What was measured: a row's metrics by its name."""

    def __init__(self):
        self.rows = {}

    def take(self, output):
        for line in output.splitlines():
            if line.startswith("{"):
                row = json.loads(line)
                self.rows.setdefault(row.pop("row"), {}).update(row)

    def benchmark(self, *arguments):
        say(f"measuring: {' '.join(map(str, arguments))}")
        self.take(run(RELEASE / "benchmarks", *arguments))

    def value(self, row, metric):
        return self.rows.get(row, {}).get(metric)


def say(text):
    print(text, file=sys.stderr, flush=True)


def available_bytes():
    for line in open("/proc/meminfo", encoding="ascii"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def measure_engine(rows, options):
    runs = ["--runs", options.runs]
    rows.benchmark("scan", *runs)
    rows.benchmark("regex", *runs)
    for live in (1_000_000,) if options.quick else (1_000_000, 5_000_000):
        rows.benchmark("buffer", "--live", live, *runs)
    rows.benchmark("path", "--live", 1_000_000, *runs)
    if options.quick:
        return
    # The spilled segments of a million traces stay in memory, in the place of a disk.
    if available_bytes() > 8 << 30:
        rows.benchmark("rematch", "--live", 1_000_000)
    else:
        say("rematch is left out: it wants 8 GB of free memory")
    rows.benchmark("turns", "--live", 5_000_000, *(["--minutes", options.minutes] if options.minutes else []))
    # Nothing is kept here: the bytes of five million traces fit no memory, and need not be there.
    for live in LIVE_STEPS if options.plots else (LIVE_STEPS[0], LIVE_STEPS[-1]):
        rows.benchmark("path", "--live", live, "--dropping", 1, *runs)
    for shards in SHARD_STEPS if options.plots else (SHARD_STEPS[0], SHARD_STEPS[-1]):
        rows.benchmark("path", "--live", SHARDED_LIVE, "--shards", shards, "--short", 1, "--dropping", 1, *runs)
    ratio(rows, "spread_live", live_name(LIVE_STEPS[-1]), live_name(LIVE_STEPS[0]))
    ratio(rows, "spread_shards", shards_name(SHARD_STEPS[-1]), shards_name(SHARD_STEPS[0]))


def label(live):
    return f"{live // 1_000_000}m" if live % 1_000_000 == 0 else f"{live // 1000}k"


def live_name(live):
    """The row of the first plot for so many live traces."""
    return f"path_{label(live)}_1_dropping"


def shards_name(shards):
    """The row of the second plot for so many shards."""
    return f"path_{label(SHARDED_LIVE)}_{shards}_short_dropping"


def ratio(rows, row, upper, lower):
    values = [rows.value(each, "cpu_ns") for each in (upper, lower)]
    if all(values):
        rows.rows[row] = {"ratio": values[0] / values[1]}


def measure_parquet(rows, options):
    """Our writer, and pyarrow's on the very same rows; the program ends with a line for us:

        row-files rows_per_cpu_s 400000 bytes_per_row 63 pyarrow 310000
    """
    folder = TOP / ".build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    say("measuring: Parquet")
    output = run(RELEASE / "row-files-benchmark", 25_000, folder, options.runs, TOP / ".venv/query/bin/python")
    words = next((line.split() for line in output.splitlines() if line.startswith("row-files ")), None)
    if words is None:
        raise Failure(f"row-files-benchmark printed no line for programs:\n{output}")
    values = {word: int(value) for word, value in zip(words[1::2], words[2::2])}
    rows.rows["parquet"] = dict(
        values, per="row", runs=options.runs, over_pyarrow=values["rows_per_cpu_s"] / values["pyarrow"])
    for path in folder.glob("rows-*.parquet"):
        path.unlink()


def plotted(rows):
    """The points of both plots: (position, nanoseconds)."""
    live = [(step, rows.value(live_name(step), "cpu_ns")) for step in LIVE_STEPS]
    shards = [(step, rows.value(shards_name(step), "cpu_ns")) for step in SHARD_STEPS]
    return live, shards


def judged(bars, rows):
    """One line of the table for each bar whose row was measured."""
    lines = []
    for bar in bars:
        row = rows.rows.get(bar["row"], {})
        if bar["metric"] not in row:
            continue
        value = row[bar["metric"]] * bar.get("scale", 1)
        line = dict(bar, value=value, verdict="")
        if row.get("is_right") is False:
            line["verdict"] = f"WRONG: {int(row['wrong'])} decisions are not the generator's"
        elif "bar" in bar:
            limit = NO_ALLOCATIONS if bar["bar"] == 0 else bar["bar"]
            holds = value >= limit if bar.get("higher") else value <= limit
            line["verdict"] = "ok" if holds else "missed"
        lines.append(line)
    return lines


def shown(number):
    """Three digits that say something."""
    if number is None:
        return ""
    if number == 0 or abs(number) >= 100:
        return f"{number:.0f}"
    return f"{number:.3g}" if abs(number) >= 0.001 else f"{number:.0e}"


def table(lines):
    head = ["what", "measured", "unit", "bar", "stretch", ""]
    cells = [head] + [
        [line["what"], shown(line["value"]), line["unit"], shown(line.get("bar")), shown(line.get("stretch")),
         line["verdict"]] for line in lines]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    text = []
    for row in cells:
        parts = [row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].ljust(widths[2]), row[3].rjust(widths[3]),
                 row[4].rjust(widths[4]), row[5]]
        text.append("  ".join(parts).rstrip())
    return "\n".join(text)


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo", encoding="ascii") if "MemTotal" in line)
    swift = run("swift", "--version").split("Swift version ")[-1].split()[0]
    commit = run("git", "-c", f"safe.directory={TOP}", "rev-parse", "--short", "HEAD").strip()
    return {"processor": model, "cores": os.cpu_count(), "memory_gb": round(memory / 1e6), "swift": swift,
            "system": platform.release(), "commit": commit, "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "load": round(os.getloadavg()[0], 1)}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures, and prints one table.")
    parser.add_argument("--json", metavar="FILE", help="the rows with all their metrics, too")
    parser.add_argument("--quick", action="store_true", help="only what takes a minute")
    parser.add_argument("--plots", action="store_true", help="draw Documentation/Performance/*.svg")
    parser.add_argument("--document", action="store_true", help="write the table into Documentation/Performance.md")
    parser.add_argument("--minutes", type=float, default=0, help="how long turns are watched (10 is the bar's own)")
    parser.add_argument("--runs", type=int, default=5, help="the best of so many counts")
    options = parser.parse_args()
    if options.quick and (options.plots or options.document):
        parser.error("--plots and --document want every row")
    bars = json.loads((TOP / "Benchmarks/bars.json").read_text(encoding="utf-8"))
    rows = Rows()
    before = machine()
    measure_engine(rows, options)
    instructions(rows)
    if not options.quick:
        measure_parquet(rows, options)
    peer.measure(rows, os.environ.get("PEER", ""), say)
    lines = judged(bars, rows)
    print(table(lines))
    if not rows.rows.get("collector"):
        print("no ratio to another program: PEER=collector with TSS_TEST_SERVERS measures the Collector in the same run")
    if options.json:
        result = {"machine": before, "lines": lines, "rows": rows.rows}
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if options.plots:
        plots.draw(*plotted(rows), TOP / "Documentation/Performance")
    if options.document:
        document.write(TOP / "Documentation/Performance.md", lines, before)
    sys.exit(1 if any(line["verdict"].startswith("WRONG") for line in lines) else 0)


def instructions(rows):
    """Instructions of the cheap rows, where valgrind is."""
    import gates
    for row, values in gates.measure(RELEASE / "benchmarks", say).items():
        if "instructions" in values:
            rows.rows.setdefault(row, {})["instructions"] = values["instructions"]


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"scripts/bench: {failure}")

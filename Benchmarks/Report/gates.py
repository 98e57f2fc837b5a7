"""The gates of CI: instructions and allocations of the cheap rows against Benchmarks/gates.json.

The file holds the last values. A row's limit is the smaller of its bar (Benchmarks/bars.json) and 1.05 times the last
value, and the last value is that of the commit before, so a commit that makes a row dearer cannot raise its own
limit. Whoever means to raise one lands a commit before that changes the file alone: at most to the bar, and with
another "why" in the row.

    python3 Benchmarks/Report/gates.py             measure and compare
    python3 Benchmarks/Report/gates.py --update    write what was measured as the last values
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
FILE = "Benchmarks/gates.json"
TOLERANCE = 1.05
METRICS = ("instructions", "allocations")
# What grows now and then allocates a little; more than one in a hundred is a habit.
FEW_ALLOCATIONS = 0.01


def measure(program, say):
    """row → {"instructions": …, "allocations": …} for one unit; without valgrind there are no instructions."""
    rows, units = {}, {}
    environment = dict(os.environ, SWIFT_DETERMINISTIC_HASHING="1")
    output = subprocess.run([program, "gates"], check=True, capture_output=True, text=True, env=environment).stdout
    for line in output.splitlines():
        row = json.loads(line)
        rows[row["row"]] = {"allocations": round(row["allocations"], 4)}
        units[row["row"]] = row["units"]
    if shutil.which("valgrind") is None:
        say("no instruction counts: there is no valgrind (scripts/setup --tests installs it)")
        return rows
    for row, count in counts(program, environment).items():
        rows[row]["instructions"] = round(count / units[row], 1)
    return rows


def counts(program, environment):
    """row → instructions that callgrind counted between the program's own marks."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        # Without its debugging records, which valgrind cannot read where they come from C and C++.
        stripped = pathlib.Path(folder) / "benchmarks"
        subprocess.run(["strip", "-g", "-o", stripped, program], check=True)
        subprocess.run(
            ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/profile",
             stripped, "gates"], check=True, capture_output=True, env=environment)
        for path in sorted(pathlib.Path(folder).glob("profile.*")):
            text = path.read_text(encoding="utf-8", errors="replace")
            name = re.search(r"^desc: Trigger: Client Request: (\w+)$", text, re.MULTILINE)
            total = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
            if name and total:
                found[name.group(1)] = int(total.group(1))
    return found


def git(*arguments):
    """The output of git, or None where it fails."""
    done = subprocess.run(
        ["git", "-c", f"safe.directory={TOP}", *arguments], cwd=TOP, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def base():
    """The commit whose file counts: where this branch left main, on main the commit before, and with the file
    changed but not committed the last commit."""
    if (git("status", "--porcelain", "--", FILE) or "").strip():
        return "HEAD"
    head = (git("rev-parse", "HEAD") or "").strip()
    for main in ("origin/main", "main"):
        found = (git("merge-base", "HEAD", main) or "").strip()
        if found and found != head:
            return found
    return "HEAD~1"


def last_values(now):
    """The values of the commit before; those of the file where there is none, as in the first commit that has it."""
    commit = base()
    text = git("show", f"{commit}:{FILE}")
    if text is None:
        print(f"{commit} has no {FILE}: the file as it is counts")
        return now
    return json.loads(text)


def limit_of(row, metric, last, bars):
    """The most that a row may need, and None where nothing is known of it."""
    limits = []
    if metric in last.get(row, {}):
        limits.append(last[row][metric] * TOLERANCE)
    if (row, metric) in bars:
        limits.append(bars[row, metric])
    if not limits:
        return None
    return max(min(limits), FEW_ALLOCATIONS) if metric == "allocations" else min(limits)


def raises(now, last, bars):
    """What is wrong with the file itself: values that rose, and may not."""
    wrong = []
    for row, values in now.items():
        before = last.get(row, {})
        for metric in METRICS:
            if metric not in values or metric not in before:
                continue
            if values[metric] <= max(before[metric] * TOLERANCE, FEW_ALLOCATIONS):
                continue
            bar = bars.get((row, metric))
            if bar is None or values[metric] > max(bar, FEW_ALLOCATIONS):
                wrong.append(f"{row}: {metric} rose from {before[metric]} to {values[metric]}, "
                             f"and {'no bar allows it' if bar is None else f'the bar is {bar}'}")
            elif values.get("why") in (None, before.get("why")):
                wrong.append(f"{row}: {metric} rose from {before[metric]} to {values[metric]} without another \"why\"")
    return wrong


def main():
    program = TOP / ".build/release/benchmarks"
    if shutil.which("valgrind") is None:
        sys.exit("gates: no valgrind: scripts/setup --tests installs it")
    measured = measure(program, print)
    path = TOP / FILE
    if "--update" in sys.argv[1:]:
        old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        new = {row: {**{"why": old.get(row, {}).get("why", "")}, **values} for row, values in measured.items()}
        path.write_text(json.dumps(new, indent=1) + "\n", encoding="utf-8")
        print(f"{FILE} holds what was measured")
        return
    now = json.loads(path.read_text(encoding="utf-8"))
    listed = json.loads((TOP / "Benchmarks/bars.json").read_text(encoding="utf-8"))
    bars = {(bar["row"], bar["metric"]): bar["bar"] for bar in listed if "bar" in bar}
    last = last_values(now)
    wrong = raises(now, last, bars)
    for row in sorted(set(now) - set(measured)):
        wrong.append(f"{row} was not measured")
    for row, values in measured.items():
        for metric in METRICS:
            limit = limit_of(row, metric, last, bars)
            if metric not in values:
                wrong.append(f"{row}: {metric} were not counted")
            elif limit is None:
                wrong.append(f"{row} is not in {FILE}: --update writes it")
            else:
                holds = values[metric] <= limit
                print(f"{row:10} {metric:12} {values[metric]:10} limit {limit:10.2f}  {'ok' if holds else 'ABOVE'}")
                if not holds:
                    wrong.append(f"{row} needs {values[metric]} {metric}, above {limit:.2f}")
    if wrong:
        sys.exit("gates: " + "\n       ".join(wrong))


if __name__ == "__main__":
    main()

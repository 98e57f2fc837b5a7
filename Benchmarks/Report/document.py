"""Writes the measured table into Documentation/Performance.md, between its two marks."""

BEGIN = "<!-- measured: begin; written by scripts/bench --document -->"
END = "<!-- measured: end -->"


def write(path, lines, machine):
    text = path.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    path.write_text(head + BEGIN + "\n" + body(lines, machine) + END + tail, encoding="utf-8")


def body(lines, machine):
    from report import shown
    rows = [
        f"{machine['date']}, commit {machine['commit']}: {machine['processor']}, {machine['cores']} cores"
        f" shared with other machines, {machine['memory_gb']} GB, Linux {machine['system']}, Swift {machine['swift']};"
        f" load of the machine when it began {machine['load']}.", "",
        "| what | measured | unit | bar | stretch | |", "|---|--:|---|--:|--:|---|"]
    for line in lines:
        rows.append(f"| {line['what']} | {shown(line['value'])} | {line['unit']} | {shown(line.get('bar'))}"
                    f" | {shown(line.get('stretch'))} | {line['verdict']} |")
    return "\n".join(rows) + "\n"

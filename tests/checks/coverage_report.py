"""What `make coverage` prints: `coverage_report.py LINES.INFO [UNCOVERED.TXT]`.

A table of lines and branches by file, then every line that no test reached, with the reason that
UNCOVERED.TXT gives: lines of the form `file | part of the line's text | reason`, one for each line. Fails when there is less
coverage than asked for, when a line has no reason, and when a reason has no line any more.
"""

import pathlib
import sys

LINES, BRANCHES = 98.0, 92.0  # percent


def files(info):
    """path -> {"lines": {number: hits}, "branches": [hits]}"""
    found, path = {}, None
    for row in pathlib.Path(info).read_text(encoding="utf-8").splitlines():
        kind, _, rest = row.partition(":")
        if kind == "SF":
            path = "ext/" + rest.rpartition("/ext/")[2]
            found.setdefault(path, {"lines": {}, "branches": {}})
        elif kind == "DA":
            number, hits = rest.split(",")[:2]
            lines = found[path]["lines"]
            lines[int(number)] = lines.get(int(number), 0) + int(hits)
        elif kind == "BRDA":
            *branch, hits = rest.split(",")
            branches = found[path]["branches"]
            key = tuple(branch)
            branches[key] = branches.get(key, 0) + (0 if hits == "-" else int(hits))
    return found


def percent(hits):
    return 100 * sum(hit > 0 for hit in hits) / len(hits) if hits else 100.0


def print_table(found):
    print(f"{'':<32} lines          branches")
    every = {"lines": [], "branches": []}
    for path, counts in [*sorted(found.items()), ("all", every)]:
        cells = []
        for kind in ("lines", "branches"):
            hits = counts[kind] if path == "all" else list(counts[kind].values())
            cells.append(f"{len(hits):5} {percent(hits):5.1f} %")
            if path != "all":
                every[kind] += hits
        print(f"{path:<32} {cells[0]}  {cells[1]}")
    return percent(every["lines"]), percent(every["branches"])


def reasons(path):
    found = []
    for row in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        if row and not row.startswith("#"):
            file, text, reason = (cell.strip() for cell in row.split(" | "))
            found.append({"file": file, "text": text, "reason": reason, "used": False})
    return found


def print_uncovered(found, known):
    """Returns what is wrong with the list of reasons."""
    wrong = []
    for path, counts in sorted(found.items()):
        source = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
        for number, hits in sorted(counts["lines"].items()):
            if hits:
                continue
            text = source[number - 1].strip()
            matches = [e for e in known if not e["used"] and e["file"] == path and e["text"] in text][:1]
            for entry in matches:
                entry["used"] = True
            reason = matches[0]["reason"] if matches else "NO REASON GIVEN"
            print(f"{path}:{number}: {text}\n    {reason}")
            if not matches:
                wrong.append(f"{path}:{number} is reached by no test, and tests/checks/uncovered.txt does not say why")
    wrong += [f"tests/checks/uncovered.txt: {e['file']} | {e['text']}: is reached" for e in known if not e["used"]]
    return wrong


def main():
    found = files(sys.argv[1])
    lines, branches = print_table(found)
    if len(sys.argv) < 3:  # of a part of the tests
        return 0
    print()
    wrong = print_uncovered(found, reasons(sys.argv[2]))
    if lines < LINES:
        wrong.append(f"{lines:.1f} % of the lines, expected at least {LINES} %")
    if branches < BRANCHES:
        wrong.append(f"{branches:.1f} % of the branches, expected at least {BRANCHES} %")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

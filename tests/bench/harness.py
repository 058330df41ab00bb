"""What every case uses: sides in processes of their own, alternated; readings; the table with its bars.

Alternation: a repetition runs every side once, one after the other, and the ratio is taken inside the
repetition. So what slows the machine down for a while slows both sides, and the median of the ratios is
steadier than the ratio of the medians.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
REPETITIONS_MAX = 25
SECONDS_PER_MEASUREMENT = 6
PAUSE = 0.1  # seconds


class Failed(Exception):
    """A side that should have worked did not."""


class Side:
    """A process that does one thing each time it is asked. `cores` caps the threads of BLAS, OpenMP and the
    extension; None = as many as there are."""

    def __init__(self, function, cores=None, **arguments):
        self.spec = {"function": function, "arguments": arguments}
        self.environment = dict(os.environ)
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "WHITEN_THREADS"):
            self.environment.pop(name, None)
            if cores is not None:
                self.environment[name] = str(cores)
        self.process = None
        self.missing = None

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), json.dumps(self.spec)],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{self.spec['function']} ended with status {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        self.missing = answer.get("missing")
        return answer

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def stop(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()


class Readings:
    """What the sides of one comparison read, repetition by repetition."""

    def __init__(self, missing):
        self.missing = missing
        self.rows = []

    def of(self, side, key="seconds", scale=1):
        """A list with one number per repetition, or the reason why there is none."""
        if side in self.missing:
            return self.missing[side]
        return [row[side][key] * scale for row in self.rows]

    def text(self, side, key="seconds"):
        """The median as text."""
        values = self.of(side, key)
        return values if isinstance(values, str) else time_text(statistics.median(values))

    def peak(self, side):
        return self.of(side, "peak", 1e-6)


def _settled(side):
    """A run after a pause: the threads of a BLAS spin on for a while after a call, on the cores of who comes next."""
    time.sleep(PAUSE)
    return side.go()


def compare(options, **sides):
    """Alternates the sides: one run to warm up, then at least options.repeat, more if they are quick."""
    try:
        for side in sides.values():
            side.start()
            if side.missing is None:
                side.go()
        present = {name: side for name, side in sides.items() if side.missing is None}
        readings = Readings({name: side.missing for name, side in sides.items() if side.missing is not None})
        begin = time.monotonic()
        while len(readings.rows) < options.repeat or (
            len(readings.rows) < REPETITIONS_MAX
            and time.monotonic() - begin < SECONDS_PER_MEASUREMENT * options.share
        ):
            readings.rows.append({name: _settled(side) for name, side in present.items()})
        return readings
    finally:
        for side in sides.values():
            side.stop()


def time_text(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


class Bar:
    """What a row must reach. `at least` is in times faster (peer / ours), `at most` in times the peer (ours /
    peer), `below` (in MB), `up to` (in seconds) and `from` are bounds on ours alone."""

    def __init__(self, kind, value):
        self.kind, self.value = kind, value

    def __str__(self):
        if self.kind == "up to":
            return f"<= {time_text(self.value)}"
        forms = {"at least": ">= {}", "at most": "<= {}", "below": "<= {} MB", "within": "1 +- {}", "from": ">= {:,}"}
        return forms[self.kind].format(self.value)

    def ratios(self, ours, theirs):
        if self.kind in ("at most", "within"):
            return [a / b for a, b in zip(ours, theirs)]
        return [b / a for a, b in zip(ours, theirs)]

    def is_reached(self, ours, ratio):
        if self.kind == "at least":
            return ratio >= self.value
        if self.kind == "at most":
            return ratio <= self.value
        if self.kind == "within":
            return abs(ratio - 1) <= self.value
        if self.kind == "from":
            return ours >= self.value
        return ours <= self.value


def at_least(value):
    return Bar("at least", value)


def at_most(value):
    return Bar("at most", value)


def below(value):
    return Bar("below", value)


def within(value):
    return Bar("within", value)


def up_to(seconds):
    return Bar("up to", seconds)


def no_less(value):
    return Bar("from", value)


class Table:
    """A Markdown table, printed row by row as the figures come."""

    COLUMNS = [
        ("case", 48),
        ("ours", 8),
        ("peer", 46),
        ("ratio: median (min - max)", 25),
        ("bar", 10),
        ("", 6),
        ("limits of the machine", 0),
    ]

    def __init__(self):
        self.reached = self.missed = self.skipped = self.failed = 0
        self._print(name for name, _ in self.COLUMNS)
        self._print("-" * (width or 21) for _, width in self.COLUMNS)

    def _print(self, cells):
        padded = (f"{cell:<{width}}" for cell, (_, width) in zip(cells, self.COLUMNS))
        print("| " + " | ".join(padded) + " |", flush=True)

    def row(self, case, ours, peer, theirs, bar=None, limits="", text=time_text):
        """ours and theirs are lists of equal length, or texts that say why there are none."""
        if isinstance(ours, str) or isinstance(theirs, str):
            figures = ["-" if isinstance(x, str) else text(statistics.median(x)) for x in (ours, theirs)]
            reason = ours if isinstance(ours, str) else theirs
            self.skipped += 1
            self._print([case, figures[0], f"{peer} {figures[1]}", "-", str(bar or ""), "skip", reason])
            return
        ratios = (bar or at_least(0)).ratios(ours, theirs)
        ratio, mine = statistics.median(ratios), statistics.median(ours)
        verdict = self._verdict(bar, mine, ratio)
        figures = f"{_digits(ratio)} ({_digits(min(ratios))} - {_digits(max(ratios))})"
        self._print(
            [
                case,
                text(mine),
                f"{peer} {text(statistics.median(theirs))}",
                figures,
                str(bar or ""),
                verdict,
                limits,
            ]
        )

    def figure(self, case, ours, bar=None, limits="", text=time_text):
        """A figure that has no peer; a text says why there is none."""
        if isinstance(ours, str):
            self.skipped += 1
            self._print([case, "-", "", "-", str(bar or ""), "skip", ours])
            return
        mine = statistics.median(ours)
        self._print([case, text(mine), "", "-", str(bar or ""), self._verdict(bar, mine), limits])

    def _verdict(self, bar, ours, ratio=0):
        if bar is None:
            return ""
        verdict = "ok" if bar.is_reached(ours, ratio) else "MISSED"
        self.reached += verdict == "ok"
        self.missed += verdict == "MISSED"
        return verdict

    def failure(self, case, error):
        self.failed += 1
        self._print([case, "-", f"FAILED: {error}", "", "", "", ""])


def _digits(ratio):
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"

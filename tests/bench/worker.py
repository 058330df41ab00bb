"""One side of a comparison, in a process of its own: sets itself up, then measures once for each line on
stdin.

The argument is JSON: {"function": "module:name", "arguments": {...}}. The function returns a callable that
does the work once and returns seconds, or a dictionary of readings. `peak` is the most memory the process
held while it measured, above what it held when it was set up.
"""

import importlib
import json
import os
import sys

from client import Missing


def _memory(key):
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0


def _forget_peak():
    with open("/proc/self/clear_refs", "w", encoding="ascii") as control:
        control.write("5")


def _measure(measure, idle):
    try:
        _forget_peak()
    except OSError:
        pass  # then the peak is the one since the process began
    readings = measure()
    if not isinstance(readings, dict):
        readings = {"seconds": readings}
    if sys.platform == "linux":
        readings["peak"] = _memory("VmHWM") - idle
    return readings


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print

    def answer(content):
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    spec = json.loads(sys.argv[1])
    module, name = spec["function"].split(":")
    try:
        measure = getattr(importlib.import_module(module), name)(**spec["arguments"])
        answer({})
        idle = _memory("VmRSS") if sys.platform == "linux" else 0
        for _ in sys.stdin:
            answer(_measure(measure, idle))
    except Missing as reason:
        answer({"missing": str(reason)})
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})


main()

"""The fuzz targets (tests/fuzz) on their seeds and on every input that once found something: without libFuzzer, so
on every machine; `make fuzz` searches on. Builds nothing."""

import subprocess

import pytest
from conftest import PATIENCE, ROOT

FUZZ = ROOT / "tests" / "fuzz"
TARGETS = sorted(path.name for path in (FUZZ / "seeds").iterdir())


def replay(target, *paths):
    program = ROOT / "build" / "replay" / target
    if not program.exists():
        pytest.skip("not built (make test)")
    return subprocess.run(
        [str(program), *map(str, paths)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        errors="replace", timeout=PATIENCE,
    )  # fmt: skip


def inputs(kind):
    return [
        pytest.param(target, path, id=f"{target}-{path.name}")
        for target in TARGETS
        if (FUZZ / kind / target).is_dir()
        for path in sorted((FUZZ / kind / target).iterdir())
    ]


def test_targets():
    """Each target has seeds, and the Makefile builds it."""
    sources = {path.stem for path in FUZZ.glob("*.c") if "LLVMFuzzerTestOneInput(const" in path.read_text()}
    assert sources - {"replay"} == set(TARGETS)
    makefile = (ROOT / "tests" / "checks" / "checks.mk").read_text(encoding="utf-8")
    (line,) = [line for line in makefile.splitlines() if line.startswith("FUZZ ")]
    assert sorted(line.split("=")[1].split()) == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target):
    paths = sorted((FUZZ / "seeds" / target).iterdir())
    done = replay(target, FUZZ / "seeds" / target)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == f"{len(paths)} replayed\n"


@pytest.mark.parametrize("target, path", inputs("regressions"))
def test_regressions(target, path):
    done = replay(target, path)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_target_can_fail(tmp_path):
    """A file that cannot be read ends the replay, as a finding does."""
    assert replay("vectors", tmp_path / "nothing").returncode != 0

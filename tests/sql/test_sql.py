"""Pairs of files: tests/sql/NAME.sql runs in the sqlite3 shell and must print tests/sql/NAME.expected, and no
error.

Adding a test is adding two files. What is expected is written by hand or computed elsewhere, never copied
unseen.
"""

import pytest
from conftest import ROOT

PAIRS = sorted((ROOT / "tests" / "sql").glob("*.sql"))


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_sql(shell, path):
    done = shell(path.read_text(encoding="utf-8"))
    assert done.stderr == ""
    assert done.stdout.split("\n") == path.with_suffix(".expected").read_text(encoding="utf-8").split("\n")
    assert done.returncode == 0


def test_every_expected_has_its_sql():
    folder = ROOT / "tests" / "sql"
    assert {p.stem for p in folder.glob("*.expected")} == {p.stem for p in PAIRS}

"""Each example of sql/contract.sql is a test, named by its function and its place under it.

The format (see the head of contract.sql): `-- name(args): ...` opens a function, with an empty database; a
statement runs to the line that ends in `;`; the `--> ` lines after it are its rows, each value a SQL literal,
columns separated by ` | `; `~ x` is within 1e-6 of x, relative; `error: text` is the whole message. A
statement without rows prepares those behind it.
"""

import re
import sqlite3

import pytest
from conftest import ROOT, connect

CONTRACT = ROOT / "sql" / "contract.sql"


def read_contract(path=CONTRACT):
    """Yields (function, statement, expected rows) for each example."""
    function, sql, examples = None, "", []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("--> "):
            assert not sql and examples, f"line {number}: an expected row without a statement"
            examples[-1][2].append(line[4:])
        elif line.startswith("--"):
            assert not sql, f"line {number}: the statement before it has no end"
            heading = re.match(r"-- (\w+)\(.*?\): ", line)
            function = heading.group(1) if heading else function
        elif line.strip():
            sql += line + "\n"
            if line.endswith(";"):
                examples.append((function, sql, []))
                sql = ""
    assert not sql, "the last statement has no end"
    return examples


def cases():
    seen, prepared = {}, {}
    for function, sql, expected in read_contract():
        if not expected:
            prepared.setdefault(function, []).append(sql)
            continue
        seen[function] = seen.get(function, 0) + 1
        before = tuple(prepared.get(function, ()))
        yield pytest.param(function, before, sql, expected, id=f"{function}-{seen[function]}")


def matches(want, value):
    if want.startswith("~ "):
        return isinstance(value, float) and abs(value - float(want[2:])) <= 1e-6 * abs(float(want[2:]))
    return literal(value) == want


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


@pytest.mark.parametrize("function, before, sql, expected", cases())
def test_contract(function, before, sql, expected):
    used = sql, *(s for s in before if f"USING {function}(" in s)
    assert any(function in s for s in used), "an example must use its function, or a table of its making"
    connection = connect()
    try:
        for statement in before:
            connection.execute(statement)
        rows = connection.execute(sql).fetchall()
    except sqlite3.Error as error:
        assert [f"error: {error}"] == expected
        return
    finally:
        connection.close()
    shown = [" | ".join(literal(value) for value in row) for row in rows]
    assert len(rows) == len(expected), shown
    for row, want, text in zip(rows, expected, shown):
        wants = want.split(" | ")
        assert len(wants) == len(row), text
        assert all(matches(w, v) for w, v in zip(wants, row)), f"{text}, expected {want}"


def test_every_function_has_examples():
    """A normal case, NULL and an error for everything that takes an argument."""
    shown = {}
    for function, _, expected in read_contract():
        shown.setdefault(function, []).extend(expected)
    for function, rows in shown.items():
        if function in ("whiten_version", "whiten_config"):
            continue
        if function != "embedding_valid":  # never an error
            assert any(row.startswith("error: ") for row in rows), f"{function}: no error is shown"
        assert any("NULL" in row.split(" | ") for row in rows) or "NULL" in " ".join(
            rows
        ), f"{function}: no NULL"

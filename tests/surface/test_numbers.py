"""Numbers as clients bind them. JavaScript, R and others have one kind of number, and bind 5 as REAL 5.0: it is taken
as the integer that it is, in every argument and option. (What is no integer, and TEXT: test_errors.py.)"""

import json
import sqlite3

import pytest
from conftest import fill

VECTOR = "embedding('[3,1,4,1,5,9]')"
# An argument that is an integer: SQL of one value, ? in its place, and the integer.
ARGUMENTS = {
    "embedding_truncate": (f"embedding_truncate({VECTOR}, ?)", 2),
    "pool_position_mean": ("(SELECT pool_position_mean(v, id * ?) FROM t)", 3),
    "pool_cls": ("(SELECT pool_cls(v, ? - id) FROM t)", 7),
    "pool_last, negative": ("(SELECT pool_last(v, ? + id) FROM t)", -40),
    "pool_tokens": (f"pool_tokens({VECTOR}, ?, 'mean')", 3),
    "whiten_fit": ("(SELECT whiten_fit(v, ?) FROM t)", 2),
    "whiten_fit, one": ("(SELECT whiten_fit(v, ?) FROM t)", 1),
    "whiten_solve": ("(SELECT whiten_solve(whiten_stats(v), ?) FROM t)", 2),
    "cosine_topk": ("(SELECT json_group_array(rowid) FROM cosine_topk('t', 'v', '[1,2,3]', ?))", 4),
    "cosine_join": ("(SELECT json_group_array(rowid) FROM cosine_join('t', 'v', 't', 'v', ?))", 2),
}


@pytest.fixture
def table(db, rng):
    fill(db, rng.standard_normal((12, 3)))
    return db


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_real_without_fraction_is_an_integer(table, name):
    sql, number = ARGUMENTS[name]
    answers = [table.execute(f"SELECT {sql}", (bound,)).fetchone() for bound in (number, float(number))]
    assert answers[0] == answers[1] and answers[0] != (None,)


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("wrong", [2.5, 1e300, -1e300, float("inf"), float("-inf"), 2.0**63])
def test_any_other_real_is_refused(table, name, wrong):
    sql, _ = ARGUMENTS[name]
    with pytest.raises(sqlite3.OperationalError, match=rf"^{name.split(',')[0]}: .* is -?[0-9I][^ ]*, expected"):
        table.execute(f"SELECT {sql}", (wrong,)).fetchone()


def test_ends_of_the_integers(table):
    sql = "SELECT pool_last(v, CASE id WHEN 5 THEN ?1 ELSE 0 END) = (SELECT v FROM t WHERE id = 5) FROM t"
    assert table.execute(sql, (2.0**62,)).fetchone() == (1,)
    sql = "SELECT pool_cls(v, CASE id WHEN 5 THEN ?1 ELSE 0 END) = (SELECT v FROM t WHERE id = 5) FROM t"
    assert table.execute(sql, (-(2.0**63),)).fetchone() == (1,)


def test_options(table):
    """JSON of a number that is an integer: 1, 1.0, 1e0."""
    sql = "SELECT whiten_fit(v, NULL, ?) FROM t"
    models = {table.execute(sql, (f'{{"remove": {text}}}',)).fetchone() for text in ("1", "1.0", "1e0")}
    assert len(models) == 1
    for wrong, found in ((1.5, "1.5"), ("1", '"1"'), (-1.0, "-1.0")):
        with pytest.raises(sqlite3.OperationalError, match=f"options.remove is {found}, expected an integer"):
            table.execute(sql, (json.dumps({"remove": wrong}),)).fetchone()


def test_a_share_is_below_one(table):
    """0.5 is a share of the variance, 1.0 one component."""
    sql = "SELECT whiten_info(whiten_fit(v, ?)) ->> 'k' FROM t"
    assert table.execute(sql, (1.0,)).fetchone() == (1,)
    assert table.execute(sql, (1 - 2**-53,)).fetchone() == (3,)

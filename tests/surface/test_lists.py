"""Registration, contract, README and tests name the same functions with the same arguments; the flags of
each."""

import re
import sqlite3

import pytest
from conftest import ROOT, load_into

DETERMINISTIC, DIRECTONLY, INNOCUOUS = 0x800, 0x80000, 0x200000
TABLES = {
    "embedding_rows", "whiten_spectrum", "whiten_rows", "cosine_topk", "cosine_join", "cosine_pairs",
    "whiten_index", "whiten_index_recall", "whiten_index_join",
}  # fmt: skip
CHANGING = {"whiten_config"}  # says something else from call to call
SETTING = {"whiten_config"}
WRITING = {"whiten_batch", "whiten_pending", "whiten_index_info"}  # tables by name: for top-level SQL alone
WINDOWS = {"pool_mean"}


@pytest.fixture(scope="module")
def registered():
    """name -> (argument counts, types, flags), from what loading adds."""
    db = sqlite3.connect(":memory:")
    functions = "SELECT name, narg, type, flags FROM pragma_function_list"
    modules = "SELECT name FROM pragma_module_list"
    before = set(db.execute(functions)), set(db.execute(modules))
    load_into(db)
    names = {}
    for name, narg, kind, flags in set(db.execute(functions)) - before[0]:
        counts, kinds, all_flags = names.setdefault(name, (set(), set(), set()))
        counts.add(narg)
        kinds.add(kind)
        all_flags.add(flags)
    tables = {name for (name,) in set(db.execute(modules)) - before[1]}
    db.close()
    return names, tables


def signature(args):
    """Argument counts of `a, b [, c [, d]]`."""
    optional = args.count("[")
    names = [name for name in re.split(r"[\s,\[\]]+", args) if name]
    return set(range(len(names) - optional, len(names) + 1))


def signatures(text, pattern):
    return {name: signature(args) for name, args in re.findall(pattern, text, re.MULTILINE)}


@pytest.fixture(scope="module")
def contract():
    text = (ROOT / "sql" / "contract.sql").read_text(encoding="utf-8")
    return signatures(text, r"^-- (\w+)\((.*?)\): ")


def test_contract(registered, contract):
    names, tables = registered
    assert set(contract) == set(names) | tables
    for name, counts in contract.items():
        if name in names:
            assert names[name][0] == counts, name


def test_readme(contract):
    """The table of functions: every `name(args)` in the first cell of a row."""
    text = (ROOT / "sql" / "README.md").read_text(encoding="utf-8")
    listed = {}
    for row in re.findall(r"^\|(.+?)\|", text, re.MULTILINE):
        listed.update(signatures(row, r"`(\w+)\((.*?)\)`"))
    assert listed == contract


def test_tests(registered):
    """Each function is in the pairs of tests/sql; none there is unknown."""
    names, tables = registered
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests" / "sql").glob("*.sql"))
    )
    used = set(re.findall(r"\b(\w+)\(", text))
    assert (set(names) | tables) - used == set()
    ours = {name for name in used if re.match(r"(embedding|pool|whiten|cosine)_", name)}
    assert ours - set(names) - tables == set()


@pytest.mark.parametrize("path, form", [("oom/statements.c", '{{"{}",'), ("fuzz/sql*", "{}(")], ids=["oom", "fuzz"])
def test_every_function_is_run_without_memory_and_with_anything(registered, path, form):
    names, tables = registered
    text = "".join(found.read_text(encoding="utf-8") for found in (ROOT / "tests").glob(path) if found.is_file())
    assert {name for name in set(names) | tables if form.format(name) not in text} == set()


def test_tables(registered):
    assert registered[1] == TABLES


def test_kinds(registered):
    """Aggregates are the functions that the contract calls so."""
    names, _ = registered
    kinds = {name: kinds for name, (_, kinds, _) in names.items()}
    aggregates = {name for name, kind in kinds.items() if kind <= {"a", "w"}}
    assert aggregates == {
        "pool_mean", "pool_position_mean", "pool_max", "pool_mean_sqrt_len", "pool_cls", "pool_last",
        "whiten_fit", "whiten_stats", "whiten_pair_stats", "whiten_merge", "mean_cosine", "isotropy", "spearman", "pearson",
        "whiten_tune",
    }  # fmt: skip
    assert {name for name, kind in kinds.items() if kind == {"w"}} == WINDOWS
    assert all(len(kind) == 1 for kind in kinds.values())


def test_flags(registered):
    """Scalars can stand in an index, a generated column, a view of a schema that is not trusted."""
    names, _ = registered
    for name, (_, kinds, flags) in names.items():
        if name in SETTING:  # with its last argument, for top-level SQL alone
            assert sum(bool(value & DIRECTONLY) for value in flags) == 1, name
            flags = {value for value in flags if not value & DIRECTONLY}
        assert len(flags) == 1, name
        (value,) = flags
        if name in WRITING:
            assert value & DIRECTONLY and not value & (INNOCUOUS | DETERMINISTIC), name
            continue
        assert value & INNOCUOUS, name
        assert not value & DIRECTONLY, name
        if kinds == {"s"}:
            assert bool(value & DETERMINISTIC) == (name not in CHANGING), name


def test_names_keep_out_of_the_way(registered):
    """vec_*, vec1_*, vector_* and vss_* belong to other extensions."""
    names, tables = registered
    own = re.compile(r"(embedding|cosine_|pool_|whiten_)")
    others = {name for name in set(names) | tables if not own.match(name)}
    assert others == {"dot_product", "l2_distance", "l1_distance", "mean_cosine", "isotropy", "spearman", "pearson"}


def test_loading_leaves_the_database_alone(tmp_path):
    db = sqlite3.connect(tmp_path / "w.db")
    changes = db.total_changes
    load_into(db)
    assert db.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM sqlite_temp_schema").fetchone() == (0,)
    assert db.total_changes == changes
    db.close()
    assert (tmp_path / "w.db").stat().st_size == 0

"""How the scripts of sql/ are started, what they refuse, and what they leave of the shell's session.

Everything here runs the shell as its users do: a command line, `.read`, or a script on its standard input.
"""

# ruff: noqa: F811 (fixtures are imported and named as arguments)

import os
import re
import subprocess

import numpy
import pytest
from conftest import PATIENCE, ROOT, SHELL, WHITEN_SO
from test_scripts import base, command, done, draw, fill, parameter, run  # noqa: F401

SCRIPTS = ("fit", "apply", "export_npy", "export_pgvector", "tune", "index", "report", "migrate_model")
DEFINITION = "(name TEXT PRIMARY KEY, model BLOB)"


@pytest.fixture
def ready(base, rng, tmp_path):
    """A database for every script, the scripts in ./sql, no extension."""
    fill(base, draw(rng, 90, 4))
    base.execute("CREATE TABLE pairs AS SELECT id AS a, id % 90 + 1 AS b, id % 7 AS gold FROM documents")
    base.execute("CREATE TABLE sample AS SELECT id, embedding FROM documents")
    (tmp_path / "sql").symlink_to(ROOT / "sql")
    return tmp_path


def installed(folder):
    """The environment in which `.load whiten` finds the extension."""
    (folder / "lib").mkdir(exist_ok=True)
    (folder / "lib" / "whiten.so").symlink_to(WHITEN_SO)
    path = [str(folder / "lib"), *os.environ.get("LD_LIBRARY_PATH", "").split(":")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(path)}


def shell(folder, *arguments, script=None, env=None):
    with open(folder / "sql" / f"{script}.sql" if script else os.devnull, encoding="utf-8") as text:
        return subprocess.run(
            [SHELL, "-init", "/dev/null", *arguments],
            stdin=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            cwd=folder,
            env=env,
            timeout=PATIENCE,
        )


# The extension


@pytest.mark.parametrize("way", ["stdin", "read", "stdin, bail", "read, bail"])
@pytest.mark.parametrize("place", ["installed", "in the folder"])
def test_scripts_find_the_extension(base, ready, place, way):
    """By its bare name, as `make install` leaves it, or in the current folder; without a word about it."""
    if place == "installed":
        env = installed(ready)
    else:
        env = None
        (ready / "whiten.so").symlink_to(WHITEN_SO)
    for script in SCRIPTS:
        read = () if "stdin" in way else (f".read sql/{script}.sql",)
        bail = ("-bail",) if "bail" in way else ()
        ran = shell(ready, *bail, "my.db", *read, script=None if read else script, env=env)
        assert (ran.returncode, ran.stderr) == (0, ""), script
    assert len(done(base)) == 90


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_say_that_there_is_no_extension(ready, script):
    ran = shell(ready, "my.db", f".read sql/{script}.sql")
    assert ran.returncode != 0
    assert f"{script}: the extension whiten is neither installed nor in this folder" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_an_extension_that_is_loaded_stays(ready):
    """Whatever lies in the folder: an installed copy is not put over the one that the user chose."""
    (ready / "whiten.so").write_bytes(b"no library")
    ran = shell(ready, "my.db", f".load '{WHITEN_SO}' sqlite3_whiten_init", ".read sql/fit.sql")
    assert (ran.returncode, ran.stderr) == (0, "")


# Nothing is planted


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_need_no_folder_to_write_to(run, base, ready, script):
    """They run where no file can be made: no commands go through a file that somebody else could write."""
    run("fit")
    files = {"kernel": str(ready / "k.npy"), "bias": str(ready / "b.npy"), "file": str(ready / "r.html")}
    run(script, cwd="/proc", database=ready / "my.db", replace=1, **files)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_leave_no_file(run, base, ready, script):
    run("fit")
    before = {path.name for path in ready.iterdir()}
    run(script, replace=1)
    made = {path.name for path in ready.iterdir()} - before
    files = {"export_npy": {"kernel.npy", "bias.npy"}, "export_pgvector": {"vectors.sql"}, "report": {"report.html"}}
    assert made == files.get(script, set())


# One definition of the table whitening


def test_whitening_is_defined_once():
    """Wherever the table is made: scripts, documents, examples."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("sql/*"), *ROOT.glob("examples/**/*.*")]
    found = {}
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        for columns in re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(?:main\.)?whitening ?(\([^)]*\))", text):
            found.setdefault(columns, []).append(path.name)
    assert set(found) == {DEFINITION}, found
    assert {"README.md", "fit.sql", "search.py", "search.c", "search.mjs"} <= set(found[DEFINITION])


def test_fit_goes_on_with_the_table_of_the_readme(run, base, ready):
    base.execute("CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB)")
    base.execute("INSERT INTO whitening VALUES ('docs', x'00')")
    run("fit", model="m")
    assert base.execute("SELECT name FROM whitening").fetchall() == [("docs",), ("m",)]
    base.execute("ALTER TABLE whitening ADD COLUMN note TEXT")
    base.execute("UPDATE whitening SET note = 'mine'")
    run("fit", model="m", k=2, replace=1)
    assert base.execute("SELECT name, note FROM whitening").fetchall() == [("docs", "mine"), ("m", "mine")]


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB, n INTEGER NOT NULL)",
        "CREATE TABLE whitening (id, v)",
        "CREATE VIEW whitening AS SELECT id AS name, embedding AS model FROM documents",
    ],
)
def test_fit_refuses_another_table(run, base, ready, made):
    base.execute(made)
    assert "fit: whitening is not (name TEXT PRIMARY KEY, model BLOB)" in run("fit", fails=True)


def test_fit_takes_the_columns_of_old_once_they_are_dropped(run, base, ready):
    base.execute("CREATE TABLE whitening (name TEXT PRIMARY KEY NOT NULL, model BLOB NOT NULL, n INTEGER NOT NULL)")
    base.execute("ALTER TABLE whitening DROP COLUMN n")
    run("fit")


@pytest.mark.parametrize(
    "settings, view, message",
    [
        ({"model": "m"}, None, "whitening has a model of the name in @model"),
        ({"k": 9}, None, "k is 9, expected 1 to 4"),
        ({}, "CREATE TEMP VIEW my_vectors AS SELECT 1 AS id, NULL AS v", "my_vectors has no vectors"),
        ({"modle": "x"}, None, "a parameter is unknown"),
    ],
    ids=["taken", "k", "empty", "unknown"],
)
def test_fit_fails_before_it_takes_a_lock(run, base, ready, settings, view, message):
    """While another writer holds the lock, which is not waited for."""
    run("fit", model="m")
    base.execute("BEGIN IMMEDIATE")
    views = [view] if view else []
    assert message in run("fit", ".timeout 0", *views, fails=True, **settings)
    base.execute("ROLLBACK")


def test_fit_that_fails_leaves_no_table(run, base, ready):
    assert "k is 9, expected 1 to 4" in run("fit", fails=True, k=9)
    assert base.execute("SELECT 1 FROM sqlite_schema WHERE name = 'whitening'").fetchall() == []


@pytest.mark.parametrize(
    "break_it, message",
    [
        ("CREATE TRIGGER t BEFORE INSERT ON whitening BEGIN SELECT RAISE(ABORT, 'not this one'); END", "not this one"),
        ("INSERT INTO whitening VALUES ('default', x'00')", "has a model of the name"),
    ],
)
def test_fit_that_fails_at_the_prompt_leaves_no_transaction(base, ready, break_it, message):
    base.execute(f"CREATE TABLE whitening {DEFINITION}")
    base.execute(break_it)
    lines = [f".load '{WHITEN_SO}' sqlite3_whiten_init", ".read sql/fit.sql", "BEGIN;", "SELECT 'fr' || 'ee';", ".quit"]
    ran = subprocess.run(
        [SHELL, "-interactive", "-init", "/dev/null", "my.db"],
        input="\n".join(lines) + "\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=ready,
        timeout=PATIENCE,
    )
    assert message in ran.stderr and "within a transaction" not in ran.stderr
    assert "free" in ran.stdout


# Parameters


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("name", ["@modle", ":model", "model", "$k", "@Model"])
def test_unknown_parameters_are_refused(run, base, ready, script, name):
    run("fit")
    setting = f"INSERT INTO temp.sqlite_parameters (key, value) VALUES ('{name}', 'x')"
    before = base.execute("SELECT * FROM whitening").fetchall()
    loaded = command(script, ready / "my.db", setting)
    ran = subprocess.run(loaded, capture_output=True, encoding="utf-8", cwd=ready, timeout=PATIENCE)
    assert ran.returncode != 0 and f"{script}: a parameter is unknown, nothing was done" in ran.stderr
    assert f"{script}: {name} is no parameter of the scripts" in ran.stdout
    assert base.execute("SELECT * FROM whitening").fetchall() == before


def test_parameters_of_ones_own_are_left_alone(run, base, ready):
    setting = "INSERT INTO temp.sqlite_parameters (key, value) VALUES (':query', 'x'), ('$mine', 1), ('?1', 2)"
    run("fit", setting)


def header(script):
    """The command in a script's first lines."""
    text = (ROOT / "sql" / f"{script}.sql").read_text(encoding="utf-8")
    found = re.search(r"^--   (sqlite3 my\.db .*?\.read sql/\w+\.sql\")$", text, re.MULTILINE | re.DOTALL)
    return re.sub(r"\\\n--\s*", "", found.group(1))


@pytest.mark.parametrize("name", ["docs256", "2024-11-20", "it is 'so'"])
def test_the_commands_in_the_headers(base, ready, name):
    """As they stand, and with a name that the shell would compute: every text is quoted, every lock waited for."""
    env = installed(ready)
    for script in SCRIPTS:
        text = header(script)
        assert '".timeout 60000"' in text
        text = text.replace("docs256", name.replace("'", "''")).replace("@k 256", "@k 2")
        text = re.sub(r"^sqlite3", f"{SHELL} -init /dev/null", text)
        ran = subprocess.run(text, shell=True, capture_output=True, encoding="utf-8", cwd=ready, env=env)
        assert (ran.returncode, ran.stderr) == (0, ""), text
    names = base.execute("SELECT name FROM whitening ORDER BY name").fetchall()
    assert sorted(names) == sorted([(name,), ("shared_new",), ("shared_old",)])
    assert len(done(base, "documents_white")) == len(done(base, "documents_shared")) == 90


@pytest.mark.parametrize("script", ["fit", "apply", "export_npy", "export_pgvector"])
def test_a_name_that_the_shell_computed_is_refused(run, base, ready, script):
    run("fit")
    assert "is not text, expected" in run(script, ".parameter set @model 2024-11-20", fails=True)
    assert base.execute("SELECT name FROM whitening").fetchall() == [("default",)]


# The session


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("modes", [(), (".mode csv",), (".mode box", ".headers off"), (".mode json", ".headers on")])
def test_modes_and_headers_stay(run, base, ready, script, modes):
    run("fit")
    text = run(script, *modes, ".show", replace=1)
    setting = re.compile(r"^ *(?:mode|headers|colseparator|rowseparator|nullvalue): .*$", re.MULTILINE)
    before = setting.findall(text)
    read = f".read '{ROOT}/sql/{script}.sql'"
    text = run("fit", *modes, parameter("replace", 1), read, ".show", replace=1)
    assert len(before) == 5 and setting.findall(text)[:5] == before


def test_scripts_follow_each_other_in_one_session(run, base, ready):
    read = f".read '{ROOT}/sql/%s.sql'"
    scripts = ("tune", "tune", "fit", "apply", "apply")
    run("export_npy", *(read % script for script in scripts))
    assert len(done(base)) == 90
    assert (ready / "kernel.npy").exists()


# Imports


def test_the_import_of_the_readme(base, ready, rng):
    """The statements of sql/README.md, in the shell, on a matrix twice and on a column of JSON."""
    x = draw(rng, 20, 768)
    numpy.save(ready / "vectors.npy", x)
    x.tofile(ready / "vectors.f32")
    base.execute("UPDATE documents SET embedding = '[1, 2]'")
    text = (ROOT / "sql" / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```text\n(CREATE TABLE imported.*?)```", text, re.DOTALL)
    ran = shell(ready, "-bail", "my.db", f".load '{WHITEN_SO}' sqlite3_whiten_init", block)
    assert (ran.returncode, ran.stderr) == (0, "")
    found = base.execute("SELECT id, v FROM imported ORDER BY id").fetchall()
    assert [i for i, _ in found] == list(range(1, 41))
    assert b"".join(v for _, v in found) == x.tobytes() * 2
    wanted = numpy.array([1, 2], "<f4").tobytes()
    assert base.execute("SELECT DISTINCT embedding FROM documents").fetchall() == [(wanted,)]
    base.execute("DELETE FROM imported")
    x[7, 3] = numpy.nan
    x.tofile(ready / "vectors.f32")
    ran = shell(ready, "-bail", "my.db", f".load '{WHITEN_SO}' sqlite3_whiten_init", block.split(";")[2])
    assert "embedding_rows: rowid 8: data[3] is NaN" in ran.stderr
    assert base.execute("SELECT * FROM imported").fetchall() == []


def test_the_loader_that_scripts_ask_for_takes_no_rc_file(ready, tmp_path):
    """A broken ~/.sqliterc is the user's own affair, not that of the shell which tries the extension."""
    (tmp_path / ".sqliterc").write_text("SELECT nonsense;\n")
    env = {**installed(ready), "HOME": str(tmp_path)}
    ran = shell(ready, "my.db", ".read sql/fit.sql", env=env)
    assert (ran.returncode, ran.stderr) == (0, "")

"""The fit: against numpy's recipe, against its own parts, against faiss and scikit-learn; memory and error
too."""

import data
from harness import Side, at_least, at_most, below, compare
from peers import COMPONENTS

DIM = 768
SQL = f"SELECT whiten_fit(v, {COMPONENTS}) FROM t"
SINGLE_OPTIONS = '{"precision":"single"}'
SINGLE = f"SELECT whiten_fit(v, {COMPONENTS}, '{SINGLE_OPTIONS}') FROM t"


def _megabytes(value):
    return f"{value:.0f} MB"


def _parts(r, *names):
    return " + ".join(f"{name} {r.text('parts', name)}" for name in names)


def _against_numpy(options, table, threads, bar):
    database = data.vectors(options.rows, DIM)
    r = compare(
        options,
        ours=Side("sides:python_query", threads, database=database, sql=SQL),
        numpy=Side("peers:numpy_fit", threads, database=database, dim=DIM, k=COMPONENTS),
        parts=Side(
            "sides:fit_parts", threads, database=database, rows=options.rows, dim=DIM, threads=threads
        ),
    )
    case = f"whiten_fit, k = {COMPONENTS}, {threads} thread{'s'[:threads - 1]}"
    limits = _parts(r, "read", "convert", "syrk", "eigen")
    table.row(case, r.of("ours"), "numpy recipe", r.of("numpy"), at_least(bar), limits)
    table.row(
        case, r.of("ours"), "sum of its parts", r.of("parts"), at_most(1.15) if threads == 1 else None, limits
    )
    table.row(
        f"{case}: peak memory", r.peak("ours"), "numpy recipe", r.peak("numpy"), below(60), text=_megabytes
    )


def single(options, table):
    database = data.vectors(options.rows, DIM)
    r = compare(
        options,
        ours=Side("sides:query", 2, database=database, sql=SINGLE),
        faiss=Side("peers:faiss_fit", 2, database=database, dim=DIM, k=COMPONENTS, threads=2),
        parts=Side("sides:fit_parts", 2, database=database, rows=options.rows, dim=DIM, threads=2),
    )
    case = 'whiten_fit, "precision":"single", 2 threads'
    limits = _parts(r, "read", "syrk_f32", "eigen")
    table.row(case, r.of("ours"), "faiss PCAMatrix, in memory", r.of("faiss"), at_least(1), limits)


def sklearn(options, table):
    database = data.vectors(options.rows, DIM)
    r = compare(
        options,
        ours=Side("sides:query", database=database, sql=SQL),
        sklearn=Side("peers:sklearn_fit", database=database, dim=DIM, k=COMPONENTS),
    )
    table.row(
        f"whiten_fit, k = {COMPONENTS}", r.of("ours"), "sklearn PCA(whiten=True), in memory", r.of("sklearn")
    )


def errors(options, table):
    database = data.vectors(options.rows, DIM)
    fits = {"single": SINGLE_OPTIONS, "double": "{}"}
    once = options.with_repeat(1)
    r = compare(once, errors=Side("peers:fit_errors", database=database, dim=DIM, k=COMPONENTS, options=fits))
    for name in fits:
        case = f"error of the whitened covariance, {name}"
        table.row(
            case,
            r.of("errors", name),
            "faiss PCAMatrix",
            r.of("errors", "faiss"),
            at_least(100) if name == "single" else None,
            "float64 covariance",
            text="{:.2g}".format,
        )


def one(options, table):
    _against_numpy(options, table, 1, 1.5)


def two(options, table):
    _against_numpy(options, table, 2, 2)


CASES = {"fit_one": one, "fit_two": two, "fit_single": single, "fit_error": errors, "fit_sklearn": sklearn}

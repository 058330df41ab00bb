"""sqlite-whiten: better, smaller, searchable embeddings in SQLite.

    import sqlite3, sqlite_whiten
    db = sqlite3.connect("my.db")
    sqlite_whiten.load(db)

SQLAlchemy loads it into every connection:

    sqlalchemy.event.listen(engine, "connect", sqlite_whiten.load)
"""

from pathlib import Path
from typing import Any, Optional

__all__ = ["load", "loadable_path", "sql_folder", "vector"]

_HERE = Path(__file__).resolve().parent

sql_folder: Path = _HERE / "sql"
"""The folder of the SQL scripts: fit.sql, apply.sql, index.sql ..."""


def loadable_path() -> str:
    """The path of the extension, as load_extension() and .load take it."""
    return str(_HERE / "whiten.so")


def load(connection: Any, _record: Optional[Any] = None) -> None:
    """Loads whiten into a connection of sqlite3 or apsw, and leaves loading disabled as SQLite has it.

    Raises the driver's error if the extension does not load, and NotImplementedError where Python was built without
    loadable extensions. The second argument is what SQLAlchemy's connect event passes besides.
    """
    for enable, load_extension in (("enable_load_extension", "load_extension"), ("enableloadextension", "loadextension")):
        if hasattr(connection, enable):
            break  # the second names are those of older versions of apsw
    else:
        raise NotImplementedError(
            f"sqlite_whiten: {type(connection).__module__}.{type(connection).__name__} has no enable_load_extension: "
            "this Python was built without loadable extensions; apsw, pysqlite3 or another Python have them")
    getattr(connection, enable)(True)
    try:
        getattr(connection, load_extension)(loadable_path())
    finally:
        getattr(connection, enable)(False)


def vector(array: Any) -> bytes:
    """The bytes of a vector as SQLite stores it: little-endian float32.

    Takes a one-dimensional array of float32 - numpy's, array.array('f'), whatever has a buffer of that type. Other
    types are refused: float64, numpy's default, would be read as twice as many wrong numbers.
    """
    view = memoryview(array)
    if view.ndim != 1:
        raise ValueError(f"sqlite_whiten.vector: the array has {view.ndim} dimensions, expected 1: a row at a time")
    if view.format not in ("f", "<f"):
        kind = {"d": "float64", "<d": "float64", "e": "float16", "<e": "float16"}.get(view.format or "", view.format)
        raise TypeError(f"sqlite_whiten.vector: the array is of {kind}, expected float32: array.astype('<f4') converts it")
    return view.tobytes()

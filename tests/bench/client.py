"""SQLite and BLAS through C, by way of ctypes: the time of a statement or of a routine without the time of
Python.

The C files beside this one are compiled into build/bench when they or build/libcore.a are newer than what is
there.
"""

import ctypes
import os
import pathlib
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
WHITEN_SO = pathlib.Path(os.environ.get("WHITEN_SO") or ROOT / "whiten.so").resolve()
PEERS = pathlib.Path(os.environ.get("BENCH_PEERS") or ROOT / "build" / "peers")
HERE = pathlib.Path(__file__).resolve().parent
FLAGS = "-std=c11 -O3 -march=native -Wall -Wextra -Werror=implicit-function-declaration -fPIC -shared"
EXTENSIONS = {"sqlite-vec": "vec0", "sqlite-vector": "vector"}


class Missing(Exception):
    """What a side needs is not here; the reason is shown in the table, and the bench goes on."""


def extension(name):
    """The path of an extension: `whiten`, or a peer."""
    if name == "whiten":
        return WHITEN_SO
    for suffix in ("so", "dylib"):
        for path in sorted(PEERS.glob(f"**/{EXTENSIONS[name]}.{suffix}")):
            return path
    raise Missing(f"{name} is not installed")


def _compile(name, packages, objects=()):
    source, target = HERE / f"{name}.c", BUILD / f"{name}.so"
    inputs = [source, *objects]
    if target.exists() and all(target.stat().st_mtime > path.stat().st_mtime for path in inputs):
        return target
    BUILD.mkdir(parents=True, exist_ok=True)
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", *packages], text=True)
    temporary = target.with_suffix(f".{os.getpid()}")
    command = [os.environ.get("CC") or "cc", *FLAGS.split(), f"-I{ROOT / 'ext'}", "-o", str(temporary)]
    command += [*map(str, inputs), *shlex.split(flags), "-Wl,--exclude-libs,ALL", "-lpthread", "-lm"]
    subprocess.run(command, check=True)
    temporary.rename(target)
    return target


def build():
    """Compile the libraries, so that no side does it while another is measured."""
    _compile("client", ["sqlite3"])
    _compile("limits", ["openblas", "lapacke", "sqlite3"], [ROOT / "build" / "libcore.a"])
    _compile("codes", ["openblas", "lapacke"], [ROOT / "build" / "libcore.a"])


class _Run(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_double), ("rows", ctypes.c_int64), ("sum", ctypes.c_uint64)]


def limits():
    """The functions of limits.c."""
    library = ctypes.CDLL(_compile("limits", ["openblas", "lapacke", "sqlite3"], [ROOT / "build" / "libcore.a"]))
    size = ctypes.c_size_t
    signatures = {
        "limit_memory": [size],
        "limit_syrk_f64": [size] * 3,
        "limit_syrk_f32": [size] * 3,
        "limit_convert": [size] * 3,
        "limit_eigen": [size],
        "limit_gemm": [size] * 4,
        "limit_apply": [ctypes.c_void_p, size, size, ctypes.c_char_p],
    }
    for name, arguments in signatures.items():
        getattr(library, name).argtypes = arguments
        getattr(library, name).restype = ctypes.c_double
    library.limit_transform.argtypes = [size] * 4 + [ctypes.POINTER(ctypes.c_double)]
    return library


def codes():
    """The functions of codes.c."""
    library = ctypes.CDLL(_compile("codes", ["openblas", "lapacke"], [ROOT / "build" / "libcore.a"]))
    library.codes_bench_make.argtypes = [ctypes.c_size_t] * 3
    library.codes_bench_make.restype = ctypes.c_void_p
    library.codes_bench_bytes.argtypes = [ctypes.c_void_p]
    library.codes_bench_bytes.restype = ctypes.c_uint64
    library.codes_bench_ask.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_double, ctypes.c_void_p]
    return library


class Connection:
    """A connection through C."""

    def __init__(self, database, extensions=(), setup=()):
        self.c = ctypes.CDLL(_compile("client", ["sqlite3"]))
        self.c.sqlite3_errmsg.restype = ctypes.c_char_p
        self.c.sqlite3_errmsg.argtypes = [ctypes.c_void_p]
        self.db = ctypes.c_void_p()
        self._check(self.c.sqlite3_open(str(database).encode(), ctypes.byref(self.db)))
        self._check(self.c.sqlite3_enable_load_extension(self.db, 1))
        for name in extensions:
            message = ctypes.c_char_p()
            path = str(extension(name)).encode()
            if self.c.sqlite3_load_extension(self.db, path, None, ctypes.byref(message)):
                raise RuntimeError((message.value or b"cannot load").decode())
        for sql in setup:
            self.execute(sql)

    def _check(self, code):
        if code:
            raise RuntimeError(self.c.sqlite3_errmsg(self.db).decode())

    def execute(self, sql):
        self._check(self.c.sqlite3_exec(self.db, sql.encode(), None, None, None))

    def prepare(self, sql, values=()):
        """The handle of a prepared statement; values (bytes or str) are bound and kept."""
        statement = ctypes.c_void_p()
        self._check(self.c.sqlite3_prepare_v2(self.db, sql.encode(), -1, ctypes.byref(statement), None))
        self.bind(statement, values)
        return statement

    def bind(self, statement, values):
        for index, value in enumerate(values, 1):
            bind = self.c.sqlite3_bind_text if isinstance(value, str) else self.c.sqlite3_bind_blob
            data = value.encode() if isinstance(value, str) else value
            self._check(bind(statement, index, data, len(data), ctypes.c_void_p(-1)))

    def run(self, statement):
        """Seconds and rows of one run of a statement, every byte of its result read."""
        run = _Run()
        self._check(self.c.client_run(statement, ctypes.byref(run)))
        return run.seconds, run.rows

"""A host that flushes denormal numbers to zero (FTZ and DAZ of x86's MXCSR, FZ of ARM's FPCR; what -ffast-math in one of
its libraries is enough for): it changes what contract.sql says it changes, and no bit of ordinary numbers.

The flag is set in a process of its own, by a library that is compiled here, before the extension starts a thread.
"""

import os
import pathlib
import subprocess
import sys

import bits
import pytest
from conftest import ROOT, WHITEN_SO

FLUSH = """
void flush(void) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#elif defined(__aarch64__)
  unsigned long fpcr;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
  __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | 1ul << 24));
#endif
}
"""
# Of what bits.sql runs, the functions that the contract names: their inputs there have denormals.
NAMED = {
    "embedding", "embedding_as", "embedding_norm", "embedding_normalize", "embedding_scale", "cosine_sim",
    "dot_product", "l2_distance", "l1_distance", "embedding_rows",
}  # fmt: skip
ORDINARY = """
SELECT id, embedding(a), embedding_as(a, 'f64'), embedding_as(a, 'json'), embedding_norm(a), embedding_normalize(a),
  embedding_scale(a, 0.703125), cosine_sim(a, b), dot_product(a, b), l2_distance(a, b), l1_distance(a, b)
FROM pairs WHERE kind IN ('ordinary', 'near', 'sparse', 'large') ORDER BY id
"""
CHILD = """
import ctypes, sys
database, extension, library, *paths = sys.argv[1:]
sys.path[:0] = paths
import bits, sqlite3, hashlib
if library:
    ctypes.CDLL(library).flush()
    assert sys.float_info.min / 2 == 0
for name, value in bits.results(database, extension).items():
    print(name, value)
db = sqlite3.connect(database)
db.enable_load_extension(True)
db.execute("SELECT load_extension(?, ?)", (extension, bits.ENTRY))
digest = hashlib.sha256()
for row in db.execute(ORDINARY):
    digest.update(b"".join(map(bits.image, row)))
print("ordinary", digest.hexdigest())
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    path = tmp_path_factory.mktemp("flush") / "inputs.db"
    bits.write_database(str(path))
    return path


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flush")
    (folder / "flush.c").write_text(FLUSH, encoding="utf-8")
    command = [os.environ.get("CC") or "cc", "-shared", "-fPIC", "-O1", "-o", folder / "flush.so", folder / "flush.c"]
    subprocess.run(command, check=True)
    return folder / "flush.so"


def hashes(inputs, library):
    paths = [str(ROOT / "tests" / part) for part in ("bits", "surface", "")]
    child = CHILD.replace("ORDINARY", repr(ORDINARY))
    arguments = [str(inputs), str(pathlib.Path(WHITEN_SO)), str(library), *paths]
    done = subprocess.run([sys.executable, "-c", child, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())


def test_a_host_that_flushes_denormals_changes_what_the_contract_says(inputs, library):
    plain, flushed = hashes(inputs, ""), hashes(inputs, library)
    assert plain["ordinary"] == flushed["ordinary"]
    changed = {name.split()[0] for name in plain if plain[name] != flushed[name]}
    assert changed == NAMED


def test_the_contract_names_them():
    contract = (ROOT / "sql" / "contract.sql").read_text(encoding="utf-8")
    head = " ".join(contract.split("-- EMBEDDING:")[0].replace("\n--", " ").split())
    sentence = next(part for part in head.split(". ") if "flush-to-zero" in part)
    assert all(name in sentence for name in NAMED), sentence

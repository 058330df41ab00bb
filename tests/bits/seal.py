"""The hash that a BLOB of ours carries, computed here: to make models and stats by hand, and to forge them."""

import struct


def xxh64(data, seed=0):
    """XXH64, from its specification: to forge BLOBs whose hash is right."""
    p1, p2, p3, p4, p5 = (
        0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5,
    )  # fmt: skip
    mask = 2**64 - 1

    def rotate(x, r):
        return ((x << r) | (x >> (64 - r))) & mask

    def step(acc, lane):
        return rotate((acc + lane * p2) & mask, 31) * p1 & mask

    at = 0
    if len(data) >= 32:
        v = [(seed + p1 + p2) & mask, (seed + p2) & mask, seed, (seed - p1) & mask]
        while at + 32 <= len(data):
            v = [step(acc, lane) for acc, lane in zip(v, struct.unpack_from("<4Q", data, at))]
            at += 32
        h = (rotate(v[0], 1) + rotate(v[1], 7) + rotate(v[2], 12) + rotate(v[3], 18)) & mask
        for acc in v:
            h = ((h ^ step(0, acc)) * p1 + p4) & mask
    else:
        h = (seed + p5) & mask
    h = (h + len(data)) & mask
    while at + 8 <= len(data):
        h = (rotate(h ^ step(0, struct.unpack_from("<Q", data, at)[0]), 27) * p1 + p4) & mask
        at += 8
    if at + 4 <= len(data):
        h = (rotate(h ^ (struct.unpack_from("<I", data, at)[0] * p1 & mask), 23) * p2 + p3) & mask
        at += 4
    for byte in data[at:]:
        h = rotate(h ^ (byte * p5 & mask), 11) * p1 & mask
    h = (h ^ (h >> 33)) * p2 & mask
    h = (h ^ (h >> 29)) * p3 & mask
    return h ^ (h >> 32)


def sealed(blob):
    """The BLOB with the hash that its content asks for (see ext/core/model.h: at 24, of all the rest)."""
    return blob[:24] + struct.pack("<Q", xxh64(blob[32:], seed=xxh64(blob[:24]))) + blob[32:]

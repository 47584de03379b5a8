"""A client of the link in plain Python, written from docs/link.md and docs/registers.md alone.

    python minimal_client.py HOST PORT

Trains a tiny least-squares set on the board that listens there, and prints JSON: what it sent, and what came of it.
"""

import json
import math
import random
import socket
import struct
import sys
import time
import zlib

SYNC, WRITE, READ, FENCE, SAMPLES, ACK, DATA = 0x01, 0x02, 0x03, 0x04, 0x05, 0x81, 0x82
MAGIC, VERSION, LANES, UPDATE_LANES, P_MAX, MODEL_BITS, Q3_BITS, RX_BYTES = 0, 1, 3, 4, 7, 8, 9, 13
FEATURES, STEP, SEED, CONTROL, SAMPLES_COUNT, STATUS, SESSION = 0x1C, 0x3B, 0x3D, 0x3E, 0x3F, 0x43, 0x53
MODEL, LOAD, CLEAR, ABORT = 0x10000, 1, 2, 4
SILENCE, PATIENCE = 0.2, 10.0  # seconds after which frames are sent again, and the board is given up


def cobs(data):
    out = b""
    for block in data.split(b"\0"):
        while len(block) >= 254:
            out, block = out + b"\xff" + block[:254], block[254:]
        out += bytes([len(block) + 1]) + block
    return out


def uncobs(data):
    out = b""
    while data:
        code = data[0]
        if code > len(data):
            return b""
        out, data = out + data[1:code], data[code:]
        if code < 255 and data:
            out += b"\0"
    return out


def coded(kind, number, payload=b""):
    body = bytes([kind, number]) + payload
    return cobs(body + struct.pack("<I", zlib.crc32(body))) + b"\0"


class Link:
    """Frames in order, with credit, sent again when nothing moves (go-back-N)."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), 5)
        self.socket.settimeout(0.02)
        self.waiting = []  # frames that are not acknowledged: number, bytes, their share of the receive buffer
        self.received, self.answers = b"", {}
        self.room, self.freed = 1024, 0  # bytes of the receive buffer, and of those freed since SYNC
        for number in range(100):
            self.next = (number + 1) % 256
            self.socket.sendall(b"\0\0" + coded(SYNC, number))
            end = time.monotonic() + SILENCE
            while time.monotonic() < end:
                if (ACK, self.next, bytes([0, 0, number])) in self.frames():
                    return
        sys.exit("no answer")

    def frames(self):
        try:
            self.received += self.socket.recv(4096)
        except TimeoutError:
            return
        *parts, self.received = self.received.split(b"\0")
        for body in map(uncobs, parts):
            if len(body) >= 6 and body[-4:] == struct.pack("<I", zlib.crc32(body[:-4])):
                yield body[0], body[1], body[2:-4]

    def look(self):
        """Take what has come; whether anything has moved."""
        moved = False
        for kind, number, payload in self.frames():
            if kind == DATA:
                self.answers[number] = payload
                moved = True
            elif kind == ACK:
                arrived = (number - self.waiting[0][0]) % 256 if self.waiting else 0
                moved |= 0 < arrived <= len(self.waiting)
                if arrived <= len(self.waiting):
                    del self.waiting[:arrived]
                (freed,) = struct.unpack_from("<H", payload)
                self.room += (freed - self.freed) % 65536
                self.freed = freed
        return moved

    def until(self, condition):
        """Look until ``condition``; send again what may be lost. False if all has arrived, and it still does not hold."""
        moved = begun = time.monotonic()
        while not condition():
            now = time.monotonic()
            if self.look():
                moved = begun = now
            elif now > begun + PATIENCE:
                sys.exit("the board does not go on")
            elif now > moved + SILENCE:
                if not self.waiting:
                    return False
                self.socket.sendall(b"\0" + b"".join(frame for _, frame, _ in self.waiting))
                moved = now
        return True

    def send(self, kind, payload):
        cost = 4 + len(payload)
        while not self.until(lambda: self.room >= cost and len(self.waiting) < 64):
            pass
        number, self.next = self.next, (self.next + 1) % 256
        self.room -= cost
        self.waiting.append((number, coded(kind, number, payload), cost))
        self.socket.sendall(self.waiting[-1][1])
        return number

    def write(self, address, *words):
        self.send(WRITE, struct.pack(f"<{1 + len(words)}I", address, *(word & 0xFFFFFFFF for word in words)))

    def read(self, address, count, kind=READ):
        while True:
            self.answers.clear()
            number = self.send(kind, struct.pack("<II", address, count))
            if self.until(lambda number=number: number in self.answers):
                return struct.unpack(f"<{count}I", self.answers[number])


def quantised(value, p, m, rng):
    """Base and up bits of a value in [-1, 1]: level k below it, and m times the one above with the right probability."""
    place = value * 2 ** (p - 1)
    base = min(math.floor(place), 2 ** (p - 1) - 1)
    return base, [int(rng.random() < place - base) for _ in range(m)]


def packed(label, row, p, lanes):
    """A sample's bytes: the label, then chunk by chunk base planes and up planes."""
    data, halves = struct.pack("<h", label), []
    for at in range(0, len(row), lanes):
        chunk = row[at : at + lanes]
        planes = [[base >> p - 1 - plane & 1 for base, _ in chunk] for plane in range(p)]
        planes += [list(bits) for bits in zip(*(ups for _, ups in chunk))]
        words = [sum(bit << lane for lane, bit in enumerate(plane)) for plane in planes]
        if lanes == 4:
            halves += words
        else:
            data += b"".join(word.to_bytes(-(-len(chunk) // 8), "little") for word in words)
    halves += [0] * (len(halves) % 2)
    return data + bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2]))


def main(host, port):
    rng = random.Random(1)
    p, m, batch, rows, features, epochs = 2, 2, 4, 150, 11, 3
    truth = [rng.uniform(-0.2, 0.2) for _ in range(features)]
    link = Link(host, port)
    build = link.read(0, FEATURES)
    if (build[MAGIC], build[VERSION]) != (0x4453475A, 10):
        sys.exit(f"no device of version 10: {build}")
    link.room += build[RX_BYTES] - 1024
    session = rng.randrange(1, 1 << 32)
    link.write(SESSION, session)
    link.write(CONTROL, ABORT)
    link.write(FEATURES, features, p, m, batch, 0, 1, 0, 0)  # the device makes the last feature, always 1
    padded = -(-features // build[LANES]) * build[LANES]
    for at in range(0, padded, 64):
        link.write(MODEL + at, *[0] * min(64, padded - at))
    unit = 2.0 ** (-2 * max(15, build[Q3_BITS] - 4 + build[P_MAX] - 1))
    done = []
    for _ in range(epochs):
        values = [[rng.uniform(-1, 1) for _ in range(features - 1)] + [1.0] for _ in range(rows)]
        labels = [round(sum(map(float.__mul__, row, truth)) * 2**14) for row in values]
        codes = [[quantised(value, p, m, rng) for value in row] for row in values]
        seeds = [rng.randrange(1, 1 << 31) for _ in range(build[UPDATE_LANES] + 1)]
        link.write(STEP, 4096, 0)  # step / batch = 4096 * 2^-16
        for word in reversed(seeds):  # the loss unit's first, then the update lanes' from the last one down
            link.write(SEED, word)
        link.write(CONTROL, CLEAR | LOAD)
        link.write(SAMPLES_COUNT, rows)
        stream = b"".join(packed(label, row[:-1], p, build[LANES]) for label, row in zip(labels, codes))
        for at in range(0, len(stream), 500):
            link.send(SAMPLES, stream[at : at + 500])
        _, flags, low, high, samples, *_, last = link.read(STATUS, SESSION - STATUS + 1, FENCE)
        if last != session or samples != rows:
            sys.exit("the board was reset")
        (loss,) = struct.unpack("<q", struct.pack("<II", low, high))
        given = {"labels": labels, "codes": codes, "seeds": seeds}
        done.append({**given, "flags": flags, "loss_sum": loss, "loss": loss * unit / rows})
    model = struct.unpack(f"<{features}i", struct.pack(f"<{features}I", *link.read(MODEL, features, FENCE)))
    weights = [word / 2 ** (build[MODEL_BITS] - 4) for word in model]
    result = {"p": p, "m": m, "batch": batch, "step": [4096, 0], "build": build, "truth": truth}
    print(json.dumps({**result, "epochs": done, "model": model, "weights": weights}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

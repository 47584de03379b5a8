"""The bad line itself: what a schedule says is what happens to the bytes."""

import random
import select
import socket
import threading
import time
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from zipsgd_sim.faults import Fault, Faults, Line, random_faults
from zipsgd_sim.faulty_link import FaultyLink

DATA = random.Random(5).randbytes(20_000)
LONGEST = 60.0
"""Seconds after which something hangs, on a busy machine as well."""


def passed(line, data=DATA, size=None):
    """What comes out when ``data`` goes in, in pieces of ``size`` bytes; seconds that it is held up, Nones among them."""
    out, seconds = b"", []
    for start in range(0, len(data), size or len(data)):
        for part, held in line.spoil(data[start : start + (size or len(data))]):
            out += part
            seconds.append(held)
    return out, seconds


def test_a_good_line_changes_nothing():
    line = Line(Faults(), "there")
    assert passed(line, size=7) == (DATA, [0.0] * -(-len(DATA) // 7))
    assert not line.hits


@pytest.mark.parametrize("kind", ["corrupt", "drop", "insert", "duplicate"])
def test_bytes_are_hit_as_often_as_asked_for(kind):
    line = Line(Faults(**{kind: 0.01}, seed=3), "there")
    out, _ = passed(line)
    hits = line.hits[Fault(kind)]
    assert line.hits.total() == hits
    assert 150 < hits < 250
    assert len(out) - len(DATA) == {"corrupt": 0, "drop": -hits, "insert": hits, "duplicate": hits}[kind]
    if kind == "corrupt":
        assert sum(a != b for a, b in zip(out, DATA, strict=True)) == hits
    if kind == "duplicate":
        kept = (byte for at, byte in enumerate(out) if at == 0 or byte != out[at - 1])
        assert bytes(kept) == bytes(b for at, b in enumerate(DATA) if at == 0 or b != DATA[at - 1])


def test_faults_depend_on_seed_and_direction_and_not_on_how_bytes_are_grouped():
    faults = Faults(corrupt=0.003, drop=0.003, insert=0.003, duplicate=0.003, junk=40, seed=1)
    whole, _ = passed(Line(faults, "there"))
    assert passed(Line(faults, "there"), size=11)[0] == whole
    assert passed(Line(faults, "back"))[0] != whole
    assert passed(Line(Faults(corrupt=0.012, seed=2), "there")) != passed(
        Line(Faults(corrupt=0.012, seed=3), "there")
    )


def test_junk_comes_first():
    out, _ = passed(Line(Faults(junk=40), "there"))
    assert out[40:] == DATA
    assert len(set(out[:40])) > 20


def test_stalls_and_disconnections_lose_no_byte():
    line = Line(Faults(stall=0.002, disconnect=0.001, longest_stall=0.5), "there")
    out, seconds = passed(line)
    assert out == DATA
    assert seconds.count(None) == line.hits[Fault.DISCONNECT] > 5
    stalls = [held for held in seconds if held]
    assert len(stalls) == line.hits[Fault.STALL] > 20
    assert 0.3 < max(stalls) <= 0.5


def test_random_schedules():
    drawn = [random_faults(seed) for seed in range(300)]
    assert random_faults(7) == drawn[7]
    assert all(1e-5 <= faults.hit <= 0.01 for faults in drawn)
    assert max(faults.hit for faults in drawn) > 0.009
    for name in ("corrupt", "drop", "insert", "duplicate", "stall", "disconnect", "junk", "reopen"):
        assert 0.2 < sum(getattr(faults, name) > 0 for faults in drawn) / 300 < 0.9


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"drop": -0.1}, "drop must not be negative"),
        ({"drop": 0.6, "insert": 0.4}, "less than 1"),
        ({"junk": -1}, "junk"),
    ],
)
def test_no_schedule(wrong, says):
    with pytest.raises(ValueError, match=says):
        Faults(**wrong)


# The proxy


@contextmanager
def echoing():
    """A board that says what it is told; its URL, and the connections that it has had."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections = []

    def serve():
        with suppress(OSError):
            while True:
                end, _ = listener.accept()
                connections.append(end)
                with suppress(OSError):
                    while data := end.recv(4096):
                        end.sendall(data)
                end.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"socket://127.0.0.1:{listener.getsockname()[1]}", connections
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for end in connections:
        end.close()


def connect(line):
    return socket.create_connection(("127.0.0.1", urlsplit(line.url).port), timeout=LONGEST)


def received(host, count):
    data = b""
    while len(data) < count and (part := host.recv(4096)):
        data += part
    return data


def test_bytes_pass_both_ways():
    with echoing() as (url, _), FaultyLink(url, Faults()) as line, connect(line) as host:
        host.sendall(DATA)
        assert received(host, len(DATA)) == DATA


def test_one_host_at_a_time():
    with echoing() as (url, connections), FaultyLink(url, Faults()) as line:
        with connect(line) as host:
            with connect(line) as other:
                assert other.recv(1) == b""
            host.sendall(b"still there")
            assert received(host, 11) == b"still there"
        with connect(line) as host:
            host.sendall(b"again")
            assert received(host, 5) == b"again"
        assert len(connections) == 1  # the board has noticed nothing


@pytest.mark.parametrize("reopen", [False, True])
def test_a_disconnected_host_comes_back(reopen):
    faults = Faults(disconnect=0.999, longest_absence=2, reopen=reopen, seed=1)
    with echoing() as (url, connections), FaultyLink(url, faults) as line:
        with connect(line) as host:
            host.sendall(b"x")
            assert host.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(line)
        end = time.monotonic() + LONGEST
        while True:
            with suppress(ConnectionRefusedError), connect(line):
                break
            assert time.monotonic() < end
            time.sleep(0.01)
        assert len(connections) == 1 + reopen


def test_a_stall_holds_up_one_direction():
    faults = Faults(stall=0.999, longest_stall=0.3, seed=4)
    with echoing() as (url, _), FaultyLink(url, faults) as line, connect(line) as host:
        begun = time.monotonic()
        host.sendall(b"abc")
        assert received(host, 3) == b"abc"
        assert time.monotonic() - begun > 0.1
        assert line.hits[Fault.STALL] >= 5
        assert not select.select([host], [], [], 0.05)[0]


def test_a_board_that_has_gone_takes_the_host_along():
    with echoing() as (url, connections), FaultyLink(url, Faults()) as line:
        with connect(line) as host:
            host.sendall(b"x")
            assert host.recv(1) == b"x"
            connections[0].shutdown(socket.SHUT_RDWR)
            assert host.recv(1) == b""
        with connect(line) as host:  # and a new one finds the board again
            host.sendall(b"y")
            assert host.recv(1) == b"y"

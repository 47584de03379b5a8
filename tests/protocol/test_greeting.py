"""The greeting between a host and the server of a board."""

import pytest

from zipsgd.protocol.greeting import (
    MOST_BYTES,
    VERSION,
    Answer,
    GreetingError,
    Hello,
    Verdict,
    Word,
    new_number,
)

TOKEN = "a token of this test"


def test_each_line_is_read_back() -> None:
    hello = Hello(new_number())
    answer = Answer.of(TOKEN, hello, new_number())
    assert Hello.parse(hello.line()) == hello
    assert Answer.parse(answer.line()) == answer
    for word in Word:
        verdict = Verdict(word, "some details" * (word != Word.WELCOME))
        assert Verdict.parse(verdict.line()) == verdict
    assert hello.version == VERSION
    for line in (hello.line(), answer.line()):
        assert line.endswith(b"\n")
        assert TOKEN.encode() not in line


def test_a_proof_is_of_one_token_one_connection_and_one_session() -> None:
    hello, session = Hello(new_number()), new_number()
    answer = Answer.of(TOKEN, hello, session)
    assert answer.proves(TOKEN, hello)
    assert not answer.proves(TOKEN + "!", hello)
    assert not answer.proves(TOKEN, Hello(new_number()))
    assert not Answer(new_number(), answer.proof).proves(TOKEN, hello)
    assert not Answer(session, "0" * 64).proves(TOKEN, hello)


def test_the_proof_as_another_client_would_make_it() -> None:
    """From ``printf 'zipsgd-serve 1 NONCE SESSION' | openssl dgst -sha256 -hmac TOKEN``, with 64 zeros and 64 ones."""
    answer = Answer.of("secret", Hello("0" * 64), "1" * 64)
    assert answer.proof == "deb80bf6acd6f807a5dce356129f28642a70d9226bde3aa5ea3184375eeade66"


def test_a_server_of_another_version_may_say_anything_behind_it() -> None:
    assert Hello.parse(b"zipsgd-serve 7 and more\n").version == 7


@pytest.mark.parametrize("kind", [Hello, Answer, Verdict])
@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\xff" * MOST_BYTES,
        b"zipsgd-serve\n",
        b"zipsgd-serve 1\n",
        b"zipsgd-serve 1 abc\n",
        b"zipsgd-serve 99999999999 abc\n",
        b"answer\n",
        b"answer abc def\n",
        b"answer " + 64 * b"0" + b" " + 63 * b"0" + b"\n",
        b"answer " + 64 * b"0" + b" " + 63 * b"0" + b"G\n",
        b"perhaps\n",
    ],
)
def test_what_is_no_line_of_the_greeting(kind: type[Hello], line: bytes) -> None:
    with pytest.raises(GreetingError):
        kind.parse(line)


def test_details_are_cut_and_clean() -> None:
    line = Verdict(Word.AWAY, "why\n\x1b[31mä " * MOST_BYTES).line()
    assert len(line) <= MOST_BYTES
    assert line.count(b"\n") == 1
    assert Verdict.parse(line).details.startswith("why [31mä why [31mä")

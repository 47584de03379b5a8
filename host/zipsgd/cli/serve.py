"""The command ``zipsgd serve``."""

import argparse
import secrets
import signal
import threading
from datetime import datetime
from urllib.parse import urlsplit

from zipsgd.driver.served import TOKEN_VARIABLE, token_of_environment
from zipsgd.driver.server import LEAST_TOKEN, BoardServer
from zipsgd.protocol.greeting import DEFAULT_PORT

from .command import Commands, add_command
from .progress import messages

__all__ = ["add"]

_EXAMPLES = f"""\
  zipsgd serve /dev/ttyUSB1                               prints a URL and a token; then, from another terminal:
  export {TOKEN_VARIABLE}=...
  zipsgd train cadata --backend tcp://127.0.0.1:{DEFAULT_PORT}

  ssh -L {DEFAULT_PORT}:127.0.0.1:{DEFAULT_PORT} lab                          from elsewhere, encrypted: the same URL there
  zipsgd serve /dev/ttyUSB1 --listen 0.0.0.0              for all computers on the network, not encrypted:
  zipsgd train cadata --backend tcp://lab:{DEFAULT_PORT}

  {TOKEN_VARIABLE}=$(cat token) zipsgd serve /dev/ttyUSB1     the same token each time
  zipsgd serve socket://127.0.0.1:4000                    a virtual board of 'zipsgd sim --port 4000'
"""


def add(commands: Commands) -> None:
    """Add the command ``serve``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "serve",
        run,
        summary="make a board of this computer reachable for others",
        description="Open the board on a port, print the URL at which other computers reach it, and serve them one at a time "
        "until Ctrl-C. Whatever takes a port takes this URL, also zipsgd.train. A host must know the token, which it takes "
        f"from the environment variable {TOKEN_VARIABLE}; the token itself never crosses the line. What is sent to the board "
        "and back is not encrypted: across a network that others use, listen on 127.0.0.1, which is the default, and let hosts "
        "come through ssh -L.",
        examples=_EXAMPLES,
    )
    command.add_argument("port", metavar="PORT", help="serial port or URL of the board")
    command.add_argument(
        "--listen",
        type=_place,
        default=("127.0.0.1", DEFAULT_PORT),
        metavar="HOST[:PORT]",
        help=f"address of this computer at which to listen: 127.0.0.1 for this computer alone, 0.0.0.0 for all networks; and a "
        f"TCP port, 0 for any free one (default 127.0.0.1:{DEFAULT_PORT})",
    )
    command.add_argument(
        "--token",
        metavar="TOKEN",
        help=f"the token, at least {LEAST_TOKEN} characters. Others can see it in this computer's list of processes, so rather "
        f"set {TOKEN_VARIABLE} (default: that variable, or else a new random one, which is printed)",
    )
    command.add_argument(
        "--baud",
        type=int,
        default=3_000_000,
        metavar="RATE",
        help="baud rate of a serial port (default 3,000,000)",
    )


def _place(text: str) -> tuple[str, int]:
    """Host and port of ``HOST[:PORT]``."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise argparse.ArgumentTypeError(
            f"it takes HOST or HOST:PORT, such as 0.0.0.0:{DEFAULT_PORT}, not {text!r}"
        )
    return host, DEFAULT_PORT if port is None else port


def run(arguments: argparse.Namespace) -> int:
    """Serve hosts until it is interrupted, see :func:`zipsgd.cli.main.main`."""
    console = messages()

    def say(message: str) -> None:
        console.print(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {message}", markup=False)

    given = arguments.token if arguments.token is not None else token_of_environment()
    token = given or secrets.token_urlsafe(24)
    host, port = arguments.listen
    stop = threading.Event()
    with BoardServer(
        arguments.port, token, host=host, port=port, baud=arguments.baud, progress=say
    ) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        print(server.url)
        if not given:
            print(f"export {TOKEN_VARIABLE}={token}")
        print(end="", flush=True)
        console.print(
            f"serving {arguments.port}; hosts need "
            f"{f'the token in {TOKEN_VARIABLE}' if given else 'the line above'}; Ctrl-C ends it",
            markup=False,
        )
        server.serve(stop)
    say("ended")
    return 0

"""Stands in for a program that loads bitstreams, and does what STAND_IN says, words that are separated by blanks.

    python stand_in_loader.py NAME ARGUMENTS

It writes its name and its arguments into the file STAND_IN_SAID first.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

Path(os.environ["STAND_IN_SAID"]).write_text(json.dumps(sys.argv[1:]))
for word in os.environ.get("STAND_IN", "").split():
    if word == "progress":
        for percent in (0, 50, 100):
            print(f"\rLoading {percent}%", end="", flush=True)
        print(flush=True)
    elif word == "wait":  # with a helper, as wrappers of programs have
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as helper:
            print(f"half done, helper {helper.pid}", flush=True)
            time.sleep(600)
    elif word.isdigit():
        sys.exit(int(word))
    else:
        print(word.replace("_", " "), file=sys.stderr, flush=True)

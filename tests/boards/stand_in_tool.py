"""Stands in for yosys, nextpnr and the packer in a test, and writes files such as theirs.

    python stand_in_tool.py TOOL MEGAHERTZ,MEGAHERTZ,... ARGUMENTS

Seed 1 reaches the first of the frequencies, seed 2 the second one, and so on. What else it does, the environment says:

STAND_IN_RUNS
    A file to which it adds a line for each run but those with --version: the tool, and the seed if there is one.
STAND_IN_WAITS
    Tools and seeds, such as "yosys nextpnr-2", that say "half done", write half a file, and wait for minutes, with a helper.
STAND_IN_SLOW
    Tools and seeds that take a second.
STAND_IN_VERSION
    Its version, in place of 1.0.
"""

import json
import os
import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

tool, rates, *arguments = sys.argv[1:]
given = dict(pairwise(arguments)) | {"cst": "top.cst"}  # which stands in an option of its own
name = f"{tool}-{given['--seed']}" if "--seed" in given else tool
if arguments == ["--version"]:
    print(f"{tool} {os.environ.get('STAND_IN_VERSION', '1.0')}")
    sys.exit()
if arguments == ["-V"]:  # Amaranth looks for a Yosys by which to write Verilog
    sys.exit()
if "STAND_IN_RUNS" in os.environ:
    with open(os.environ["STAND_IN_RUNS"], "a") as runs:
        runs.write(f"{name}\n")
if name in os.environ.get("STAND_IN_WAITS", "").split():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as helper:
        Path(arguments[-1]).write_text("half a file")
        print(f"Info: Routing..\nhalf done, processes {os.getpid()} {helper.pid}", flush=True)
        time.sleep(600)
if name in os.environ.get("STAND_IN_SLOW", "").split():
    time.sleep(1)
if tool == "yosys":
    cells = {"SB_DFF": 3, "SB_DFFE": 4, "SB_LUT4": 90, "$scopeinfo": 5}
    Path("synthesis.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
    (netlist,) = re.findall(r"(?:write_json|-json) (\S+)", Path("top.ys").read_text())
    Path(netlist).write_text(json.dumps({"design": len(Path("top.il").read_text())}))
    print("3.1. Executing PROC pass (convert processes to netlists).")
elif tool == "nextpnr":
    reached = float(rates.split(",")[int(given["--seed"]) - 1])
    clock = {"clk": {"achieved": reached, "constraint": 24.0}}
    cells = {"ICESTORM_LC": {"used": 80, "available": 100}}
    Path(given["--report"]).write_text(json.dumps({"fmax": clock, "utilization": cells}))
    netlist = json.loads(Path(given["--json"]).read_text())
    constraints = Path(given.get("--pcf") or given.get("--lpf") or given["cst"])
    routed = Path(given.get("--asc") or given.get("--textcfg") or given["--write"])
    routed.write_text(f"routed with seed {given['--seed']} {netlist['design'] > 0} {constraints.exists()}")
else:
    source = Path(given.get("--input") or arguments[-2 if tool == "icepack" else -1])
    target = Path(given.get("--bit") or given.get("-o") or arguments[-1])
    target.write_text(source.read_text())

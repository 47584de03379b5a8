"""Stands in for yosys, nextpnr and the packer in a test, and writes files such as theirs.

    python stand_in_tool.py TOOL MEGAHERTZ,MEGAHERTZ,... ARGUMENTS

Seed 1 reaches the first of the frequencies, seed 2 the second one, and so on.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

tool, rates, *arguments = sys.argv[1:]
if arguments == ["--version"]:
    print(f"{tool} 1.0")
elif tool == "yosys":
    cells = {"SB_DFF": 3, "SB_DFFE": 4, "SB_LUT4": 90, "$scopeinfo": 5}
    Path("synthesis.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
elif tool == "nextpnr":
    given = dict(pairwise(arguments))
    reached = float(rates.split(",")[int(given["--seed"]) - 1])
    clock = {"clk": {"achieved": reached, "constraint": 24.0}}
    cells = {"ICESTORM_LC": {"used": 80, "available": 100}}
    Path(given["--report"]).write_text(json.dumps({"fmax": clock, "utilization": cells}))
    Path(given["--asc"]).write_text(f"routed with seed {given['--seed']}")
else:
    source, target = (Path(name) for name in arguments[-2:])
    target.write_text(source.read_text())

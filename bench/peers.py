# SPDX-License-Identifier: Apache-2.0
"""./dev bench peers: Sluice beside PyTorch, ONNX Runtime, OpenVINO, IREE, llama.cpp and OpenBLAS.

One process per engine on the same cores with the same number of threads, at its best published settings, weights packed
beforehand. Numbers are checked before anything is timed. Then the engines run in turn, beside the machine's ceilings.

Results go to bench/results as Google-Benchmark JSON; a second run replaces what it measures again, so that a set can be
measured in pieces (--only). The tables and plots beside it are made from the JSON alone.

Example: ./dev bench peers --quick --only gemm/f32
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from peers import driver, report, results  # noqa: E402
from peers.rig import ENGINES, EngineError  # noqa: E402
from sluice import tools  # noqa: E402

HERE = Path(__file__).resolve().parent
def main():
    parser = argparse.ArgumentParser(prog="./dev bench peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few shapes and fewer repetitions")
    parser.add_argument("--only", default="", metavar="REGEX", help="only cases whose name matches, e.g. gemm/bf16/512x")
    parser.add_argument("--engines", default="", metavar="A,B", help=f"only these of {', '.join(ENGINES)}")
    parser.add_argument("--dtypes", default="f32,bf16,int8,int4", help="of weights (all of f32,bf16,int8,int4 that a workload has)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cores", default="", metavar="0,1", help="cores that all engines share (the first ones, as many as threads)")
    parser.add_argument("--repetitions", type=int, default=0, help="interleaved ones (20; with --quick 7)")
    parser.add_argument("--seed", type=int, default=1, help="of the data, of the drawn shapes, of the engines' order")
    parser.add_argument("--out", type=Path, help="results file (bench/results/peers-COMMIT.json)")
    parser.add_argument("--again", action="store_true", help="only what the results file marks as disturbed, or does not have")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    parser.add_argument("--report", type=Path, metavar="FILE", help="measure nothing; make tables and plots of this file again")
    arguments = parser.parse_args()
    arguments.dtypes = arguments.dtypes.split(",")
    if arguments.report:
        report.write(results.load(arguments.report), arguments.report)
        return 0
    chosen = driver.selected(arguments.dtypes, arguments.seed, arguments.quick, arguments.only)
    out = arguments.out or HERE / "results" / f"peers-{results.commit()}.json"
    if arguments.again and out.exists():
        calm = {item["case"] for item in results.load(out)["benchmarks"]}
        calm -= {item["case"] for item in results.load(out)["benchmarks"] if item.get("disturbed")}
        chosen = driver.without(chosen, calm)
    if arguments.list:
        print("\n".join(case.name for work in chosen for case in work.cases))
        return 0
    if not chosen:
        tools.fail("bench peers: there is no such case to measure; --list without other options shows them", 1)
    engines = arguments.engines.split(",") if arguments.engines else [n for n in ENGINES if n != "ceilings"]
    unknown = sorted(set(engines) - set(ENGINES))
    if unknown:
        tools.fail(f"bench peers: no engine is called {', '.join(unknown)}; there are {', '.join(ENGINES)}", 1)
    available = sorted(os.sched_getaffinity(0))
    cores = {int(c) for c in arguments.cores.split(",")} if arguments.cores else set(available[:arguments.threads])
    document = driver.run(chosen, engines, cores, arguments.threads, arguments.repetitions or (7 if arguments.quick else 20),
                          arguments.seed, out)
    print(report.table(document, [case.name for work in chosen for case in work.cases]))
    for path in report.write(document, out):
        print(f"written: {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (tools.ToolError, EngineError, ValueError) as error:
        tools.fail(f"bench peers: {error}", 4)

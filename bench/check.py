# SPDX-License-Identifier: Apache-2.0
"""./dev bench check: has Sluice become slower? Compares ratios to the machine's ceilings with bench/baseline.json and
reports every case that lost more than 5%.

Without FILE it measures the baseline's cases now (Sluice and the ceilings only, no peers needed); a case that seems to have
lost is measured once more before it is reported. With FILE it compares results that are there. Exit code 4 when something
regressed.

Example: ./dev bench check --only gemm/bf16
         ./dev bench check bench/results/peers-0123456789ab.json --update
"""

import argparse
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from peers import baseline, driver, results  # noqa: E402
from peers.rig import EngineError  # noqa: E402
from sluice import tools  # noqa: E402

BASELINE = Path(__file__).resolve().parent / "baseline.json"


def measure(cases, arguments, out):
    """A results document with our numbers for |cases|."""
    dtypes = sorted({case.split("/")[1] for case in cases})
    chosen = driver.selected(dtypes, arguments.seed, False, "^(" + "|".join(map(re.escape, cases)) + ")$")
    if not chosen:
        raise ValueError("none of the baseline's cases exists any more: measure again and use --update")
    out.unlink(missing_ok=True)
    cores = set(sorted(os.sched_getaffinity(0))[:arguments.threads])
    return driver.run(chosen, ["sluice"], cores, arguments.threads, arguments.repetitions, arguments.seed, out)


def main():
    parser = argparse.ArgumentParser(prog="./dev bench check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="results of ./dev bench peers; without it, measure now")
    parser.add_argument("--baseline", type=Path, default=BASELINE, metavar="FILE", help="default bench/baseline.json")
    parser.add_argument("--allow", type=float, default=5.0, metavar="PERCENT", help="what is no regression yet (5)")
    parser.add_argument("--only", default="", metavar="REGEX", help="only cases whose name matches")
    parser.add_argument("--update", action="store_true", help="take the results over into the baseline")
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.update and arguments.file:
        baseline.write(arguments.baseline, results.load(arguments.file))
        print(f"written: {arguments.baseline}", file=sys.stderr)
        return 0
    base = baseline.load(arguments.baseline)
    base["ratios"] = {case: ratio for case, ratio in base["ratios"].items() if re.search(arguments.only, case)}
    if not base["ratios"]:
        tools.fail(f"bench check: the baseline has no case that matches --only {arguments.only}", 1)
    if arguments.file:
        document = results.load(arguments.file)
        document["benchmarks"] = [item for item in document["benchmarks"] if re.search(arguments.only, item["case"])]
        rows = baseline.compare(base, document, arguments.allow / 100)
    else:
        out = tools.build_folder() / "bench" / "check.json"
        document = measure(list(base["ratios"]), arguments, out)
        rows = baseline.compare(base, document, arguments.allow / 100)
        again = [row[0] for row in rows if row[3] == "regression"]
        if again:
            print(f"measuring {len(again)} again", file=sys.stderr)
            better = baseline.ratios(measure(again, arguments, out.with_name("check-again.json")))
            for item in document["benchmarks"]:
                if better.get(item["case"], 0) > item.get("ratio", 0):
                    item.pop("why", None)
                    item["ratio"] = better[item["case"]]
            rows = baseline.compare(base, document, arguments.allow / 100)
        if arguments.update:
            baseline.write(arguments.baseline, document)
    if base.get("cpu") not in (None, document["context"]["cpu"]):
        print(f"the baseline is of another processor ({base['cpu']}); ratios are near, not equal", file=sys.stderr)
    print(baseline.text(rows))
    lost = [row for row in rows if row[3] == "regression"]
    print(f"{len(lost)} of {len(rows)} cases lost more than {arguments.allow:g}%")
    return 4 if lost else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        tools.fail(f"bench check: {error}", 2)
    except ValueError as error:
        tools.fail(f"bench check: {error}", 2)
    except (tools.ToolError, EngineError) as error:
        tools.fail(f"bench check: {error}", 4)

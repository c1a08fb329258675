# SPDX-License-Identifier: Apache-2.0
"""What was reached before, as ratios to the machine's ceilings: bench/baseline.json. Ratios, because a machine's clock and
its neighbours change from day to day and take the ceilings with them."""

import json
from pathlib import Path

OURS = "sluice"


def ratios(document):
    """case -> our ratio to the ceiling, of a results document; not of what was measured on busy cores."""
    return {item["case"]: item["ratio"] for item in document["benchmarks"]
            if item["engine"] == OURS and "why" not in item and "ratio" in item and not item.get("disturbed")}


def load(path):
    """The baseline, checked. ValueError says what is wrong."""
    try:
        document = json.loads(Path(path).read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: no JSON: {error.msg}") from None
    if not isinstance(document, dict) or not isinstance(document.get("ratios"), dict):
        raise ValueError(f"{path}: expected an object with \"ratios\"")
    for case, ratio in document["ratios"].items():
        if not isinstance(ratio, (int, float)) or isinstance(ratio, bool) or not 0 < ratio < 10:
            raise ValueError(f"{path}: the ratio of {case} is {ratio!r}, expected a number above 0")
    return document


def write(path, document):
    """Takes the ratios of a results document over, and keeps those of cases that it does not have."""
    path = Path(path)
    kept = load(path)["ratios"] if path.exists() else {}
    where = document["context"]
    text = json.dumps({"cpu": where["cpu"], "threads": where["threads"], "commit": where["commit"], "date": where["date"],
                       "ratios": dict(sorted((kept | ratios(document)).items()))}, indent=1)
    path.write_text(text + "\n")


def compare(base, document, allowed):
    """[(case, before, now, "regression" | "better" | "same" | "missing" | "new")], worst first; |allowed| is a part, 0.05."""
    before, now, rows = base["ratios"], ratios(document), []
    failed = {item["case"]: item["why"] for item in document["benchmarks"] if item["engine"] == OURS and "why" in item}
    for case in {**before, **now}:
        if case not in before:
            rows.append((case, None, now[case], "new"))
        elif case not in now:
            rows.append((case, before[case], None, "regression" if case in failed else "missing"))
        else:
            change = now[case] / before[case] - 1
            rows.append((case, before[case], now[case], "regression" if change < -allowed else "better" if change > allowed else "same"))
    order = {"regression": 0, "missing": 1, "same": 2, "better": 3, "new": 4}
    return sorted(rows, key=lambda row: (order[row[3]], (row[2] or 0) / (row[1] or 1), row[0]))


def text(rows):
    lines = []
    for case, before, now, verdict in rows:
        change = f"{100 * (now / before - 1):+6.1f}%" if before and now else " " * 7
        lines.append(f"{verdict:10} {case:52} {'' if before is None else f'{100 * before:5.1f}%':>6} -> "
                     f"{'' if now is None else f'{100 * now:5.1f}%':>6} {change}")
    return "\n".join(lines)

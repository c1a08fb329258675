# SPDX-License-Identifier: Apache-2.0
"""Tables and plots, made from the results' JSON and nothing else."""

import math
import re
from collections import defaultdict
from pathlib import Path

OURS = "sluice"
GOALS = (  # (pattern of cases, peers or None for the machine's ceiling, goal, words)
    (r"^gemm/f32/(512)x", None, 0.90, "f32 GEMM, 512 rows, of the FMA ceiling"),
    (r"^gemm/bf16/(512)x", None, 0.85, "bf16 GEMM, 512 rows, of the FMA ceiling"),
    (r"^gemm/int8/(512)x", None, 0.75, "int8 GEMM, 512 rows, of the VNNI ceiling"),
    (r"^gemm/(f32|bf16|int8)/512x", ("torch", "torch-packed"), 1.0, "GEMM, 512 rows, against oneDNN/MKL through PyTorch"),
    (r"^gemm/(f32|bf16|int8)/([1-9]|1[0-9]|2[0-9]|3[0-2])x(?!4096x4096$)", ("torch", "torch-packed"), 1.3,
     "GEMM, at most 32 rows, against oneDNN/MKL through PyTorch"),
    (r"^gemm(-drawn)?/(f32|bf16)/(1000x1000|2000x2040|17x4096|99\dx|100\dx|199\dx|200\dx)", ("torch", "torch-packed", "openblas"), 0.95,
     "odd GEMM, against the better of OpenBLAS and oneDNN"),
    (r"^attention/bf16/.*128d/", None, 0.70, "attention prefill, head size 128, of the bf16 ceiling"),
    (r"^attention/bf16/.*(64|80)d/", None, 0.60, "attention prefill, head size 64 and 80, of the bf16 ceiling"),
    (r"^attention/", ("torch",), 1.5, "attention prefill, against PyTorch's SDPA"),
    (r"^attention/", ("llama.cpp",), 3.0, "attention prefill, against ggml"),
    (r"^decode/bf16/.*/batch1", None, 0.90, "decode bf16, of read bandwidth"),
    (r"^decode/int8/.*/batch1", None, 0.90, "decode int8, of read bandwidth"),
    (r"^decode/int4/.*/batch1", None, 0.75, "decode int4, of read bandwidth"),
    (r"^decode/bf16/.*/batch1$", ("llama.cpp",), 1.0, "decode bf16, against llama.cpp"),
    (r"^decode/int8/.*/batch1$", ("llama.cpp",), 1.25, "decode 8 bits, against llama.cpp"),
    (r"^decode/int4/.*/batch1$", ("llama.cpp",), 1.5, "decode 4 bits, against llama.cpp"),
    (r"^prefill/", ("llama.cpp",), 2.0, "prefill of 512, against llama.cpp"),
    (r"^prefill/", ("torch", "torch-packed", "onnxruntime", "openvino"), 1.1, "prefill of 512, against the best of the others"),
    (r"^compile/", ("iree", "torch-packed"), 10.0, "compile time, against IREE and torch.compile"),
)


def by_case(document):
    """case -> engine -> entry, in the order of the file."""
    cases = defaultdict(dict)
    for item in document["benchmarks"]:
        cases[item["case"]][item["engine"]] = item
    return cases


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def speed_ratio(ours, peer):
    """How many times as fast we are: ratio of medians."""
    return peer["real_time"] / ours["real_time"]


def number(value):
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def cells(item, ours):
    if "why" in item:
        return [item["engine"], "–", "", "", "", "", "", item["why"]]
    ratio = f"{100 * item['ratio']:.0f}%" if "ratio" in item else ""
    times = f"{speed_ratio(ours, item):.2f}x" if ours and "why" not in ours and item is not ours else ""
    error = "" if item.get("error") is None else f"{item['error']:.1e}"
    error += " (busy)" if item.get("disturbed") else ""
    return [item["engine"], f"{number(item['real_time'])} ms", f"{number(item['q3'] - item['q1'])}", number(item["min"]),
            f"{number(item['rate'])} {item['unit']}", ratio, times, error]


HEADS = ["engine", "median", "IQR", "min", "rate", "of ceiling", "ours is", "error, or why not"]


def lines(entries, case):
    """A few lines of text about one case, for the eye while it runs."""
    items = [item for item in entries if item["case"] == case]
    ours = next((item for item in items if item["engine"] == OURS), None)
    rows = [cells(item, ours) for item in items]
    return case + "\n" + "\n".join("  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row, (14, 11, 8, 8, 15, 5, 7, 10), strict=True))
                                   for row in rows)


def table(document, only=None):
    """Markdown: every case with all its engines."""
    out = []
    for case, engines in by_case(document).items():
        if only is not None and case not in only:
            continue
        ceiling = next((item for item in engines.values() if "ceiling" in item), None)
        title = f"**{case}**"
        if ceiling:
            title += f", ceiling {number(ceiling['ceiling'])} {ceiling['ceiling_unit']} ({ceiling['ceiling_name']})"
        out += [title, "", "| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
        out += ["| " + " | ".join(cells(item, engines.get(OURS))) + " |" for item in engines.values()]
        out.append("")
    return "\n".join(out)


def goals(document):
    """[(words, goal, [(case, value)])]: for each goal that the file has numbers for, our value in each case."""
    rows = []
    for pattern, peers, goal, words in GOALS:
        values = []
        for case, engines in by_case(document).items():
            ours = engines.get(OURS)
            if not re.search(pattern, case) or not ours or "why" in ours or ours.get("disturbed"):
                continue
            if peers is None:
                if "ratio" in ours:
                    values.append((case, ours["ratio"]))
                continue
            others = [engines[name] for name in peers if name in engines and "why" not in engines[name]]
            if others:
                values.append((case, min(speed_ratio(ours, peer) for peer in others)))
        if values:
            rows.append((words, goal, values))
    ours = {case: engines[OURS] for case, engines in by_case(document).items() if "why" not in engines.get(OURS, {"why": ""})}
    batched = [(case, ours[case]["rate"] / ours[case[:-1] + "1"]["rate"]) for case in ours
               if re.match(r"decode/.*/batch8$", case) and case[:-1] + "1" in ours]
    limits = [(words, 1.0, [(case, limit / item["rate"]) for case, item in ours.items() if case.startswith(kind)])
              for kind, limit, words in (("start/", 1.0, "start to the first token, against 1 s"), ("compile/", 5.0, "compile time, against 5 s"))]
    return rows + [row for row in (("tokens/s of batch 8, against batch 1", 5.0, batched), *limits) if row[2]]


def summary(document):
    """Markdown: the goals, and where we lose most."""
    where = document["context"]
    out = [f"# Beside the peers: {where['cpu']}, {where['threads']} threads", "",
           f"Commit {where['commit']}, {where['date']}, load average {where['load_avg'][0]}. Made from the JSON beside this file "
           "by `./dev bench peers --report`. Medians of interleaved runs; a ratio to a ceiling is the median of the "
           "runs' own ratios to the ceiling measured beside each.", ""]
    busy = sum(1 for item in document["benchmarks"] if item.get("disturbed"))
    if busy:
        out += [f"{busy} of {len(document['benchmarks'])} entries are marked (busy): others used the cores in nearly all repetitions. They are in no summary.", ""]
    commits = sorted({item["commit"] for item in document["benchmarks"] if "commit" in item})
    if len(commits) > 1:
        out += [f"Entries are of the commits {', '.join(commits)}.", ""]
    out += ["| what | goal | geometric mean | worst | worst case | met |", "|---|---|---|---|---|---|"]
    for words, goal, values in goals(document):
        case, worst = min(values, key=lambda pair: pair[1])
        out.append(f"| {words} | {goal:g} | {geometric_mean([max(v, 1e-9) for _, v in values]):.2f} | {worst:.2f} | {case} | "
                   f"{sum(v >= goal for _, v in values)} of {len(values)} |")
    lost = []
    for case, engines in by_case(document).items():
        ours = engines.get(OURS)
        peers = [item for name, item in engines.items() if name != OURS and "why" not in item]
        if ours and "why" not in ours and not ours.get("disturbed") and peers:
            best = min(peers, key=lambda item: item["real_time"])
            if speed_ratio(ours, best) < 1:
                lost.append((speed_ratio(ours, best), case, best["engine"], ours.get("ratio")))
    out += ["", f"Slower than the fastest peer in {len(lost)} of {len(by_case(document))} cases; the worst of them:", "",
            "| case | ours is | than | of ceiling |", "|---|---|---|---|"]
    out += [f"| {case} | {ratio:.2f}x | {peer} | {'' if share is None else f'{100 * share:.0f}%'} |"
            for ratio, case, peer, share in sorted(lost)[:20]]
    out += ["", "## Every case", ""]
    settings = {}
    for item in document["benchmarks"]:
        if "settings" in item:
            settings.setdefault((item["engine"], item["case"].split("/")[0]), item["settings"])
    out += ["Settings (of the first case of each kind):", ""]
    out += [f"- {engine}, {kind}: {text}" for (engine, kind), text in settings.items()]
    return "\n".join(out) + "\n\n" + table(document)


# ---- plots ----

COLOURS = {"sluice": "#0b5fa5", "torch": "#c2410c", "torch-packed": "#ea9a5e", "openblas": "#4d7c0f", "onnxruntime": "#7c3aed",
           "openvino": "#0891b2", "iree": "#a16207", "llama.cpp": "#be185d"}


class Plot:
    """A small SVG with axes, logarithmic where asked."""

    def __init__(self, title, x, y, x_range, y_range, log_x=False, log_y=False):
        self.width, self.height, self.left, self.bottom, self.top, self.right = 860, 520, 70, 60, 40, 170
        self.x_range, self.y_range, self.log_x, self.log_y = x_range, y_range, log_x, log_y
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" font-family="sans-serif" '
                      f'font-size="12"><rect width="{self.width}" height="{self.height}" fill="white"/>',
                      f'<text x="{self.left}" y="22" font-size="15">{escape(title)}</text>',
                      f'<text x="{(self.left + self.width - self.right) / 2}" y="{self.height - 15}" text-anchor="middle">{escape(x)}</text>',
                      f'<text transform="translate(18 {self.height / 2}) rotate(-90)" text-anchor="middle">{escape(y)}</text>']
        for value in ticks(x_range, log_x):
            at = self.x(value)
            self.parts.append(f'<line x1="{at:.1f}" y1="{self.top}" x2="{at:.1f}" y2="{self.height - self.bottom}" stroke="#eee"/>'
                              f'<text x="{at:.1f}" y="{self.height - self.bottom + 16}" text-anchor="middle">{value:g}</text>')
        for value in ticks(y_range, log_y):
            at = self.y(value)
            self.parts.append(f'<line x1="{self.left}" y1="{at:.1f}" x2="{self.width - self.right}" y2="{at:.1f}" stroke="#eee"/>'
                              f'<text x="{self.left - 6}" y="{at + 4:.1f}" text-anchor="end">{value:g}</text>')
        self.legend = []

    @staticmethod
    def share(value, limits, log):
        low, high = limits
        if log:
            value, low, high = math.log(max(value, low * 1e-3)), math.log(low), math.log(high)
        return (value - low) / (high - low)

    def x(self, value):
        return self.left + self.share(value, self.x_range, self.log_x) * (self.width - self.left - self.right)

    def y(self, value):
        return self.height - self.bottom - self.share(value, self.y_range, self.log_y) * (self.height - self.top - self.bottom)

    def line(self, points, colour, dash="", words=""):
        path = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dash}"/>')
        if words:
            a, b = points[-1]
            self.parts.append(f'<text x="{self.x(a) + 4:.1f}" y="{self.y(b) - 4:.1f}" fill="{colour}">{escape(words)}</text>')

    def dot(self, a, b, colour, words):
        self.parts.append(f'<circle cx="{self.x(a):.1f}" cy="{self.y(b):.1f}" r="3.5" fill="{colour}" fill-opacity="0.75">'
                          f'<title>{escape(words)}</title></circle>')

    def name(self, words, colour):
        if words not in self.legend:
            at = self.top + 10 + 18 * len(self.legend)
            self.legend.append(words)
            x = self.width - self.right + 15
            self.parts.append(f'<circle cx="{x}" cy="{at}" r="5" fill="{colour}"/><text x="{x + 10}" y="{at + 4}">{escape(words)}</text>')

    def __str__(self):
        return "\n".join(self.parts) + "\n</svg>\n"


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def ticks(limits, log):
    low, high = limits
    if log:
        base = 2 if high / low < 40 else 10
        first, last = math.ceil(math.log(low, base) - 1e-9), math.floor(math.log(high, base) + 1e-9)
        return [float(base) ** e for e in range(first, last + 1)]
    step = 10 ** math.floor(math.log10((high - low) / 2))
    while (high - low) / step > 8:
        step *= 2 if (high - low) / step <= 16 else 2.5
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def roofline(document, dtype):
    """SVG of GFLOP/s against operations per byte for |dtype|, or None when nothing was measured."""
    items = [item for item in document["benchmarks"] if "why" not in item and f"/{dtype}/" in item["case"] and item.get("flops")]
    peaks = [item["ceiling"] for item in items if item["bound"] == "compute" and "ceiling" in item]
    reads = [item["ceiling"] for item in items if item["bound"] == "memory" and "ceiling" in item]
    if not items or not peaks or not reads:
        return None
    peak, read = sorted(peaks)[len(peaks) // 2], sorted(reads)[len(reads) // 2]
    points = [(item["flops"] / item["bytes"], item["flops"] / item["real_time"] * 1e-6, item) for item in items]
    x_range = (min(0.25, min(p[0] for p in points)), max(1000.0, max(p[0] for p in points)))
    y_range = (min(p[1] for p in points) / 2, peak * 2)
    plot = Plot(f"Roofline, {dtype}, {document['context']['cpu']}, {document['context']['threads']} threads",
                "operations per byte that must be read or written", "GFLOP/s", x_range, y_range, True, True)
    low = max(x_range[0], y_range[0] / read)
    plot.line([(low, low * read), (peak / read, peak)], "#555", words=f"read {read:.0f} GB/s")
    plot.line([(peak / read, peak), (x_range[1], peak)], "#555", words=f"{peak:.0f} GFLOP/s")
    for a, b, item in points:
        colour = COLOURS.get(item["engine"], "#777")
        plot.dot(a, b, colour, f"{item['name']}: {b:.0f} GFLOP/s")
        plot.name(item["engine"], colour)
    return str(plot)


def context_plot(document):
    """SVG of decoded tokens per second against the tokens that are there already, or None."""
    series = defaultdict(list)
    for item in document["benchmarks"]:
        match = re.match(r"context/(.*)/(\d+)$", item["case"])
        if match and "why" not in item:
            series[f"{item['engine']} {match.group(1)}"].append((int(match.group(2)), item["rate"], item))
    if not series:
        return None
    every = [point for points in series.values() for point in points]
    plot = Plot("Decode against context", "tokens in the context", "tokens/s", (min(p[0] for p in every), max(p[0] for p in every)),
                (0, max(p[1] for p in every) * 1.1))
    dashes = ["", "6 3", "2 3"]
    for name, points in series.items():
        colour = COLOURS.get(points[0][2]["engine"], "#777")
        same = [n for n in plot.legend if n.split()[0] == name.split()[0]]
        points.sort(key=lambda p: p[0])
        plot.line([(a, b) for a, b, _ in points], colour, dashes[len(same) % 3])
        for a, b, item in points:
            plot.dot(a, b, colour, f"{item['name']}: {b:.1f} tokens/s")
        plot.name(name, colour)
        floor = [(a, item["floor_rate"]) for a, _, item in points if "floor_rate" in item]
        if floor:
            plot.line(floor, "#999", "1 4")
            plot.name("what bytes allow, " + name.split()[1], "#999")
    return str(plot)


def write(document, path):
    """Writes PATH.md and PATH-*.svg beside the JSON at |path|; returns what was written."""
    path = Path(path)
    written = [path.with_suffix(".md")]
    written[0].write_text(summary(document))
    plots = {f"roofline-{dtype}": roofline(document, dtype) for dtype in ("f32", "bf16", "int8")}
    plots["context"] = context_plot(document)
    for name, text in plots.items():
        if text:
            written.append(path.with_name(f"{path.stem}-{name}.svg"))
            written[-1].write_text(text)
    return written

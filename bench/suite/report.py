"""Tables of the measurements."""

TITLES = {"w1": "W1 autoencoder, one step", "w2": "W2 GAN, a step of each", "w3": "W3 LeNet, one step",
          "w4": "W4 ResNet-50, one step", "w5": "W5 an optimizer's step", "w6": "W6 one small operation",
          "w7": "W7 recurrent networks, one step", "w8": "W8 transformers, one step", "w9": "W9 U-Net, one step",
          "w10": "W10 DCGAN, a step of each", "w11": "W11 large products"}

# Ratios of medians: ours over PyTorch's best eager setting, with all threads.
AIMS = {("w1", "joint/64"): 0.20, ("w1", "decoder/64"): 0.20, ("w1", "joint/1024"): 0.35, ("w2", "pair/128"): 0.5,
        ("w3", "step/64"): 0.35, ("w4", "full/float32"): 0.85, ("w4", "full/bfloat16"): 0.85,
        ("w4", "frozen/float32"): 0.85, ("w4", "attention/float32"): 0.8, ("w6", "add"): 0.4, ("w6", "add-recorded"): 0.5,
        ("w7", "lstm/384"): 0.7, ("w7", "gru/384"): 0.7, ("w8", "language/256"): 0.6, ("w8", "vit-ti/8"): 0.7,
        ("w9", "unet/96"): 0.8, ("w9", "unet-resized/96"): 0.8, ("w10", "pair/32"): 0.8,
        ("w11", "perceptron/2048"): 0.85, ("w11", "float64/1000"): 0.9}
AIMS_OVER_FROZEN = {"frozen/bfloat16": 0.35, "cached/float32": 0.05}  # over the frozen step in float32
AIM_FOREACH = {"Adam/1000", "SGD/1000"}  # over the foreach optimizers alone
AIM_START, AIM_SIZE, AIM_COMPILE, AIM_ADAM, AIM_SMALL = 0.05, 0.25, 0.2, 0.9, 0.1


def time_text(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def spread_text(seconds):
    return f"{time_text(seconds['median'])} ({seconds['min'] / seconds['median'] - 1:+.0%} {seconds['max'] / seconds['median'] - 1:+.0%})"


def best(case, threads, chosen):
    """The fastest entry of a rival that may use up to so many threads."""
    entries = [e for e in case["entries"] if e["threads"] <= threads and chosen(e)]
    return min(entries, key=lambda e: e["seconds"]["median"], default=None)


def is_eager(entry):
    return entry["library"] in ("pytorch", "libtorch") and not entry["way"].startswith("compile")


def is_compiled(entry):
    return entry["library"] == "jax" or entry["way"].startswith("compile")


def limit_of(case, limits):
    """The least time in seconds that the machine needs for a step's products and bytes. A triad must also read what
    it is about to write, so Adam's loop, which reads everything that it writes, is often the faster of the two."""
    kind = "bfloat16" if "bfloat16" in case["case"] else "float32"
    flops = case["flops"] / limits[kind] if case["flops"] > 1 else 0
    return max(flops, case["bytes"] / max(limits["triad"], limits["adam-by-hand"]))


def how(entry):
    way = {"loop": "", "gradus": ""}.get(entry["way"], entry["way"])
    name = {"pytorch": "", "libtorch": "LibTorch", "jax": "JAX"}[entry["library"]]
    return ", ".join(x for x in (name, way, f"{entry['threads']} thr.") if x)


def workload_rows(workload, cases, limits):
    rows = []
    for case in cases:
        for ours in (e for e in case["entries"] if e["library"] == "gradus"):
            threads = ours["threads"]
            own = ours["seconds"]["median"]
            row = [case["case"], str(threads), spread_text(ours["seconds"])]
            eager, compiled = best(case, threads, is_eager), best(case, threads, is_compiled)
            for entry in (eager, compiled):
                row.append(f"{spread_text(entry['seconds'])} {how(entry)}" if entry else "-")
            ratio = own / eager["seconds"]["median"] if eager else None
            row.append(f"{ratio:.2f}" if ratio else "-")
            row.append(f"{own / compiled['seconds']['median']:.2f}" if compiled else "-")
            aim = AIMS.get((workload, case["case"]))
            all_threads = threads == max(e["threads"] for e in case["entries"])
            met = aim and ratio and all_threads
            row.append("" if not met else f"{aim:g}: " + ("met" if ratio <= aim else "**missed**"))
            bound = limit_of(case, limits[str(threads)])
            row.append("-" if bound < own / 1000 else f"{bound / own:.0%}")
            rows.append(row)
    return rows


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def disagreements(cases):
    return [f"{case['case']}: {e['library']} {e['way']} on {e['threads']} ends at loss {e['last_loss']}"
            for case in cases for e in case["entries"] if e["agrees"] is False]


def limits_lines(limits):
    rows = []
    for threads, found in limits.items():
        rows.append([threads, f"{found['triad'] / 1e9:.1f} GB/s", f"{found['adam-by-hand'] / 1e9:.1f} GB/s",
                     f"{found['float32'] / 1e9:.0f} GFLOP/s ({found['float32-by']})",
                     f"{found['bfloat16'] / 1e9:.0f} GFLOP/s ({found['bfloat16-by']})"])
    return table(["threads", "triad", "Adam by hand", "float32 products", "bfloat16 products"], rows)


def verdict(ratio, aim):
    return f"{aim:g}: " + ("met" if ratio <= aim else "**missed**")


def deployment_lines(found):
    rows = []
    start, program = found["start"], found["program"]
    if "pytorch" in start:
        ratio = start["gradus"] / start["pytorch"]
        rows.append(["start to first step (compared with PyTorch in Python)", time_text(start["gradus"]),
                     time_text(start["pytorch"]), f"{ratio:.3f}", verdict(ratio, AIM_START)])
    if "libtorch" in program:
        ours, theirs = program["gradus"], program["libtorch"]
        ratio = ours["bytes"] / theirs["bytes"]
        rows.append(["size on disk, program and libraries (compared with LibTorch)", f"{ours['bytes'] / 1e6:.1f} MB",
                     f"{theirs['bytes'] / 1e6:.1f} MB", f"{ratio:.3f}", verdict(ratio, AIM_SIZE)])
        ratio = ours["compile_seconds"] / theirs["compile_seconds"]
        rows.append(["compile time of 30 lines (compared with LibTorch)", time_text(ours["compile_seconds"]),
                     time_text(theirs["compile_seconds"]), f"{ratio:.3f}", verdict(ratio, AIM_COMPILE)])
    if not rows:
        rows = [["start to first step", time_text(start["gradus"]), "-", "-", ""],
                ["size on disk", f"{program['gradus']['bytes'] / 1e6:.1f} MB", "-", "-", ""],
                ["compile time of 30 lines", time_text(program["gradus"]["compile_seconds"]), "-", "-", ""]]
    for row in found["memory"]:
        theirs = row.get("pytorch")
        rows.append([f"peak memory, {row['workload'].upper()} {row['case']}", f"{row['gradus'] / 1e6:.0f} MB",
                     f"{theirs / 1e6:.0f} MB" if theirs else "-", f"{row['gradus'] / theirs:.2f}" if theirs else "-", ""])
    return table(["", "Gradus", "PyTorch", "ratio", "aim"], rows)


def optimizer_lines(cases, limits):
    """Adam over 161 tensors as a share of the loop by hand, in bytes per second; small tensors over foreach."""
    lines = []
    for case in cases:
        ours = max((e for e in case["entries"] if e["library"] == "gradus"), key=lambda e: e["threads"])
        seconds = ours["seconds"]["median"]
        if case["case"] == "Adam/161":
            share = case["bytes"] / seconds / limits[str(ours["threads"])]["adam-by-hand"]
            word = "met" if share >= AIM_ADAM else "**missed**"
            lines.append(f"Adam over 161 tensors runs at {share:.2f} of the speed of Adam by hand (aim: {AIM_ADAM:g}: "
                         f"{word}).")
        foreach = best(case, ours["threads"], lambda e: e["way"] == "foreach")
        if case["case"] in AIM_FOREACH and foreach:
            ratio = seconds / foreach["seconds"]["median"]
            lines.append(f"{case['case'].split('/')[0]} over 1,000 small tensors takes {ratio:.3f} of the time of "
                         f"foreach (aim: {verdict(ratio, AIM_SMALL)}).")
    return lines + [""]


def resnet_lines(cases):
    """What bfloat16 and kept features save of PyTorch's step with a frozen backbone in float32."""
    frozen = next((case for case in cases if case["case"] == "frozen/float32"), None)
    eager = frozen and best(frozen, max(e["threads"] for e in frozen["entries"]), is_eager)
    lines = []
    for case in cases:
        if eager and case["case"] in AIMS_OVER_FROZEN:
            ours = max((e for e in case["entries"] if e["library"] == "gradus"), key=lambda e: e["threads"])
            ratio = ours["seconds"]["median"] / eager["seconds"]["median"]
            lines.append(f"{case['case']} takes {ratio:.3f} of PyTorch's eager frozen/float32 (aim: "
                         f"{verdict(ratio, AIMS_OVER_FROZEN[case['case']])}).")
    return lines + [""]


def sections(results):
    lines, shown = [], None
    for workload, part in results["parts"].items():
        if workload == "deployment":
            lines += ["### Start, size, compile time, memory", "", *where_lines(part), *deployment_lines(part["found"]), ""]
            continue
        limits = part["limits"]
        lines += [f"### {TITLES[workload]}", "", *where_lines(part)]
        lines += table(["case", "threads", "Gradus", "PyTorch eager, best", "compiled, best", "ratio to eager",
                        "ratio to compiled", "aim", "share of the limit"], workload_rows(workload, part["cases"], limits))
        lines += [""] + (optimizer_lines(part["cases"], limits) if workload == "w5" else [])
        lines += resnet_lines(part["cases"]) if workload == "w4" else []
        wrong = disagreements(part["cases"])
        checked = any(e["agrees"] is not None and e["library"] != "gradus" for c in part["cases"] for e in c["entries"])
        if wrong:
            lines += ["**Losses differ:** " + "; ".join(wrong) + ".", ""]
        elif checked:
            lines += ["All sides end their first steps with the same losses.", ""]
        if limits != shown:
            lines += ["The machine's limits, measured in the same run:", "", *limits_lines(limits), ""]
            shown = limits
    return lines


def where_lines(part):
    return [f"{part['date']}, {part['machine']}; {part['versions']}; medians of {part['rounds']} rounds.", ""]

"""Measures: every side of a case in turn, round by round, so that changes in the machine's speed affect all alike."""
import statistics
import sys

from sides import Failed, sides_of

TOLERANCE, TOLERANCE_OF_BFLOAT16 = 2e-3, 2e-2  # between losses after some steps


def losses_agree(case, ours, theirs):
    tolerance = TOLERANCE_OF_BFLOAT16 if "bfloat16" in case else TOLERANCE
    return all(abs(a - b) <= tolerance * max(1e-3, abs(a)) for a, b in zip(ours, theirs))


def summary(times):
    ordered = sorted(times)
    return {"median": statistics.median(ordered), "min": ordered[0], "max": ordered[-1], "rounds": len(ordered)}


def measure_case(case, sides, names, rounds, seconds):
    """All entries for one case: who, threads, how; and whether the losses agree."""
    entries, reference, facts = [], None, {}
    for side in sides:
        for name in names[side]:
            if name.split()[0] != case:
                continue
            way = " ".join(name.split()[1:])
            print(f"  {case}: {side.name} {way} on {side.threads}", file=sys.stderr)
            try:
                answer = side.ask("check", name)
            except Failed as error:
                print(f"  {error}", file=sys.stderr)
                names[side] = []
                break
            losses = answer["losses"]
            if side.name == "gradus":
                facts = {"flops": answer["flops"], "bytes": answer["bytes"]}
                reference = reference or losses
            entries.append({"library": side.name, "threads": side.threads, "way": way, "side": side, "name": name,
                            "agrees": losses_agree(case, reference, losses) if reference and losses else None,
                            "last_loss": losses[-1] if losses else None, "times": []})
    for _ in range(rounds):
        for entry in entries:
            entry["times"].append(entry["side"].ask("time", entry["name"], seconds)["seconds"])
    for side in sides:
        if names[side]:
            side.ask("forget")
    for entry in entries:
        entry["seconds"] = summary(entry.pop("times"))
        del entry["side"], entry["name"]
    return {"case": case, **facts, "entries": entries}


def measure_workload(workload, python, build, thread_counts, rounds, seconds, only=""):
    sides = sides_of(workload, python, build, thread_counts)
    try:
        names = {}
        for side in sides:
            try:
                names[side] = side.ask("list")["cases"]
            except Failed as error:
                print(f"  {error}", file=sys.stderr)
                names[side] = []
        cases = [name for name in names[sides[0]] if only in name]
        return [measure_case(case, sides, names, rounds, seconds) for case in cases]
    finally:
        for side in sides:
            side.close()


def measure_limits(build, thread_counts, rounds):
    """Bytes per second and FLOPs per second for each number of threads."""
    limits = {}
    for threads in thread_counts:
        found = {}
        for case in measure_workload("limits", None, build, [threads], rounds, 0.3):
            seconds = case["entries"][0]["seconds"]["median"]
            if case["bytes"]:
                found[case["case"]] = case["bytes"] / seconds
            else:
                kind = case["case"].split("/")[0]
                if case["flops"] / seconds > found.get(kind, 0):
                    found[kind], found[kind + "-by"] = case["flops"] / seconds, case["case"].split("/")[1]
        limits[str(threads)] = found
    return limits

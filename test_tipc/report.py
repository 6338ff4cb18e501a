"""Results of a run: the official status lines, a JSON and a JUnit summary, and a closing table."""

import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engine.files import write_json, write_text

YELLOW, PLAIN = "\033[33m", "\033[0m"


@dataclass
class Result:
    """One stage's verdict. `status` is passed, failed or not_run; `reasons` say why it is not passed."""

    kind: str
    name: str
    command: str
    status: str
    log: str = ""
    seconds: float = 0.0
    exit_status: int | None = None
    reasons: list[str] = field(default_factory=list)
    facts: dict = field(default_factory=dict)


def status_line(result, model_name, dialect):
    """The line the official scripts write for a command; all but the 51-line template's carry the model's name."""
    if result.status == "not_run":
        return f"{YELLOW} Not run ({'; '.join(result.reasons)}) - {result.command} {PLAIN}"
    word = "successfully" if result.status == "passed" else "failed"
    prefix = "" if dialect == "full51" else f"{model_name} - "
    return f"{YELLOW} Run {word} with command - {prefix}{result.command}!  {PLAIN}"


def write_summaries(base, header, notices, results):
    """Write BASE.json and BASE.xml; returns whether everything passed."""
    ok = all(result.status == "passed" for result in results) and not any(notice.is_error for notice in notices)
    report = {
        **header,
        "ok": ok and bool(results),
        "notices": [str(notice) for notice in notices],
        "stages": [asdict(result) for result in results],
    }
    write_json(Path(f"{base}.json"), report)
    write_text(Path(f"{base}.xml"), junit(header, notices, results) + "\n")
    return report["ok"]


def junit(header, notices, results):
    """The run as JUnit XML: a test case for every stage, and one for the configuration file."""
    problems = [str(notice) for notice in notices if notice.is_error]
    cases = [("configuration", 0.0, problems, False)]
    cases += [(result.name, result.seconds, result.reasons, result.status == "not_run") for result in results]
    suite = ElementTree.Element(
        "testsuite",
        name=f"{header['model']}.{header['mode']}",
        tests=str(len(cases)),
        failures=str(sum(bool(reasons) and not skipped for _, _, reasons, skipped in cases)),
        skipped=str(sum(skipped for *_, skipped in cases)),
        time=f"{sum(case[1] for case in cases):.3f}",
    )
    for name, seconds, reasons, skipped in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=suite.get("name"), name=name, time=f"{seconds:.3f}")
        if reasons:
            ElementTree.SubElement(case, "skipped" if skipped else "failure", message="; ".join(reasons))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def table(header, results):
    """The closing table, one row a stage, and the verdict in its last line."""
    width = max([len(result.name) for result in results] + [5])
    lines = [f"{'stage':{width}}  {'verdict':8} {'seconds':>8}  remarks"]
    for result in results:
        numbers = {key: value for key, value in result.facts.items() if isinstance(value, (int, float))}
        remarks = "; ".join(result.reasons) or ", ".join(f"{key} {value:.4g}" for key, value in numbers.items())
        lines.append(f"{result.name:{width}}  {result.status:8} {result.seconds:8.1f}  {remarks}")
    passed = sum(result.status == "passed" for result in results)
    lines.append(f"TIPC {header['model']} {header['mode']}: {passed} of {len(results)} stages passed")
    return "\n".join(lines)

"""requirements.lock holds what requirements.txt names, and all that those need, with hashes."""

import re

from tests.script_calls import ROOT


def versions(name):
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if re.match(r"[A-Za-z]", line)]
    return {re.split(r"[=\[]", line)[0].lower(): line for line in lines}


def test_the_lock_holds_every_requirement_and_its_hash():
    wanted, locked = versions("requirements.txt"), versions("requirements.lock")
    assert len(locked) > 2 * len(wanted)
    for name, line in wanted.items():
        assert locked[name].split()[0].lower() == line.split("#")[0].strip().lower(), name
    assert all("--hash=sha256:" in line for line in locked.values())
    assert not {"pytest", "ruff", "mypy"} & locked.keys()


def test_the_install_pages_name_every_file_of_requirements():
    names = {path.name for path in ROOT.glob("requirements*.txt")}
    for page in ("docs/install.md", "docs/install_cn.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert not {name for name in names if f"`{name}`" not in text and f"-r {name}" not in text}

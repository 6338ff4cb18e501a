"""Change the code in the ways that tests/mutations.yaml lists, one at a time, and see whether its tests notice.

    python -m tests.mutate
    python -m tests.mutate --only loss/

Every entry: file, old (a text that occurs there once), new, tests (words for pytest; slow tests are left out unless
they say -m). The work is done in a copy. Prints each change that was not noticed; an entry that does not fit the code,
or whose tests fail without it, counts as one. Exit status: 0 at least 95 % were noticed, 1 fewer, 2 the list cannot be
read.
"""

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from engine.cli import Flag, guarded, read
from engine.errors import InputError
from engine.files import read_yaml
from engine.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "mutations.yaml"
ENOUGH = 0.95
LIMIT = 180  # seconds; a test that does not end has noticed
FLAGS = {"only": Flag("only files whose path begins so", default="", metavar="PREFIX")}


class Mutation(Settings):
    """One entry."""

    file: str
    old: str
    new: str
    tests: str

    def changed(self, tree=ROOT):
        """The file's text after the change. Raises InputError where the old text does not occur once."""
        text = (tree / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1 or self.old == self.new:
            raise InputError(f"{self.file} holds {text.count(self.old)} times {self.old!r}; expected once")
        return text.replace(self.old, self.new)


def read_list(only=""):
    """The entries of tests/mutations.yaml whose file begins with `only`."""
    entries = [Mutation(**entry) for entry in read_yaml(LIST)["mutations"]]
    chosen = [entry for entry in entries if entry.file.startswith(only)]
    if not chosen:
        raise InputError(f"--only {only}: no entry of {LIST} begins so")
    return chosen


def copied(folder):
    """A copy of the tree's tracked files in a folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def passes(tests, folder):
    """Whether the tests pass in a copy of the tree. Raises InputError where pytest finds none or cannot start."""
    words = shlex.split(tests)
    marks = [] if "-m" in words else ["-m", "not slow"]
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "-p", "no:warnings", *marks, *words]
    try:
        status = subprocess.run(command, cwd=folder, capture_output=True, timeout=LIMIT).returncode
    except subprocess.TimeoutExpired:
        return False
    if status in (4, 5):
        raise InputError(f"pytest {tests}: exit status {status}, no test ran")
    return status == 0


def fault(entry, tree, healthy):
    """Why the change was not noticed, "" where it was; `healthy` collects tests that pass without a change."""
    try:
        before, after = (tree / entry.file).read_text(encoding="utf-8"), entry.changed(tree)
        if entry.tests not in healthy and not passes(entry.tests, tree):
            return f"{entry.tests} fails without any change"
        healthy.add(entry.tests)
        (tree / entry.file).write_text(after, encoding="utf-8")
        noticed = not passes(entry.tests, tree)
        (tree / entry.file).write_text(before, encoding="utf-8")
        return "" if noticed else f"survived: {entry.old!r} -> {entry.new!r}"
    except (InputError, OSError) as error:
        return str(error)


def main(argv=None):
    """Run the entries and return the exit status."""
    entries = read_list(read(__doc__, FLAGS, argv).only)
    missed, healthy = 0, set()
    with tempfile.TemporaryDirectory() as folder:
        tree = copied(Path(folder))
        for number, entry in enumerate(entries, 1):
            if reason := fault(entry, tree, healthy):
                missed += 1
                print(f"[{number}/{len(entries)}] {entry.file}: {reason}", flush=True)
    share = 1 - missed / len(entries)
    print(f"{len(entries) - missed} of {len(entries)} noticed, {100 * share:.1f} %")
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    guarded(main)

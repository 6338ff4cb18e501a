"""Read a TIPC configuration file as the official shell scripts do, and report where it would mislead them.

A file is a list of lines addressed by position. Two dialects are known by the position of their `trainer:` line:
51 lines (`full51`: template of PaddlePaddle/models, PaddleOCR) or 32 lines (`lite32`: Step6 of PaddlePaddle/models).

Source: behaviour of test_train_inference_python.sh and common_func.sh, PaddlePaddle/models 8042c21b (read, not copied).
"""

from dataclasses import dataclass, field
from difflib import get_close_matches

from engine.errors import ConfigError
from engine.files import read_text
from test_tipc.slots import (
    ANCHORS,
    COMMANDS,
    LISTS,
    MODES,
    ON_CPU,
    ON_GPU,
    SEPARATORS,
    SHELL_SYNTAX,
    SLOTS,
    TRAINER_POSITION,
    WINDOW,
)

MOST = 2**20  # bytes of a file of 51 lines and what follows them


@dataclass(frozen=True)
class Line:
    """One line of the file: its number there, and the key and value that the official scripts cut out of it."""

    number: int
    text: str

    @property
    def key(self):
        """Text before the first colon."""
        return self.text.split(":")[0]

    @property
    def value(self):
        """Text between the first and the second colon; empty without a colon."""
        return (self.text.split(":") + [""])[1]

    @property
    def cut(self):
        """Text that the official scripts lose: from the second colon on."""
        return ":".join(self.text.split(":")[2:])


@dataclass(frozen=True)
class Notice:
    """A remark on one line of one file; an error fails the run, a warning does not."""

    path: str
    number: int
    text: str
    is_error: bool = True

    def __str__(self):
        """`file:line: error: text`, as compilers write it."""
        shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in self.text)
        return f"{self.path}:{self.number}: {'error' if self.is_error else 'warning'}: {shown}"


@dataclass
class TipcConfig:
    """A read configuration file: its dialect, its slots by name, and what there is to remark on them."""

    path: str
    dialect: str
    slots: dict[str, Line]
    notices: list[Notice] = field(default_factory=list)

    def remark(self, slot, text, is_error=True):
        """Note `text` against the line of `slot`."""
        self.notices.append(Notice(self.path, self.slots[slot].number, text, is_error))

    def key(self, slot):
        """Key of the slot's line."""
        return self.slots[slot].key

    def value(self, slot):
        """Value of the slot's line, as the official scripts see it."""
        return self.slots[slot].value

    def choices(self, slot):
        """Items of a `|` list, split as bash splits on IFS='|': a closing bar adds nothing."""
        text = self.value(slot)
        items = text.split("|")
        return items[:-1] if items[-1] == "" else items

    def is_left_out(self, slot):
        """True where `[ VALUE != "null" ]` does not hold: null, nothing, or several items (an error there)."""
        return self.value(slot) == "null" or len(self.choices(slot)) != 1

    def for_mode(self, slot, mode):
        """Value that a `mode=value|mode=value` list gives to `mode`; empty where it gives none."""
        for item in self.value(slot).split("|"):
            name, _, rest = item.partition("=")
            if name == mode:
                return rest.split("=")[0]
        return ""

    def flag(self, slot, value=None):
        """`key=value` of the slot (or with another value), a blank where the official scripts leave it out."""
        return setting(self.key(slot), self.value(slot) if value is None else value)


def setting(key, value):
    """`key=value`; a single blank where key or value is `null`, or the value is empty or one blank."""
    return " " if key == "null" or value in ("null", " ", "") else f"{key}={value}"


def read_config(path, dialect=None):
    """Read and check a TIPC file.

    Args:
        path: the file.
        dialect: name out of slots.SLOTS; None: full51 or lite32, told by the position of `trainer:`.

    Returns:
        TipcConfig; its notices name file and line of everything that is empty, misplaced, cut or unusual.

    Raises:
        InputError: the file is missing, not text, or of neither dialect.
    """
    lines, notices = lex(path)
    if not lines:
        raise ConfigError(f"{path}: empty")
    return locate(path, dialect or recognise(path, lines), lines, notices)


def lex(path):
    """Lines of the file without blank ones, and warnings about what the official scripts stumble over."""
    text = read_text(path, "a TIPC file", most=MOST)
    notices = []
    if "\r" in text:
        notices.append(Notice(str(path), 1, "CRLF line ends; read as LF here, fatal to the official scripts", False))
    lines = [Line(number, line) for number, line in enumerate(text.replace("\r", "").split("\n"), 1) if line != ""]
    return lines, notices


def recognise(path, lines):
    """Name of the dialect, told by the position of `trainer:` among the lines that are not blank."""
    for dialect, position in TRAINER_POSITION.items():
        if len(lines) >= position and lines[position - 1].key == "trainer":
            return dialect
    found = [f"line {line.number}" for line in lines if line.key == "trainer"]
    where = f"found at {', '.join(found)}" if found else "not found"
    raise ConfigError(
        f"{path}: neither dialect: 'trainer:' must be line 15 (51-line form) or line 13 (32-line form), {where};"
        " a line was added or removed above it"
    )


def locate(path, dialect, lines, notices):
    """Give every slot its line and check keys, separators, lists and commands."""
    window = [line for line in lines if line.number <= WINDOW[dialect]]
    last = lines[-1].number
    slots = {
        name: window[position - 1] if position <= len(window) else Line(last, "")
        for position, name in SLOTS[dialect].items()
    }
    config = TipcConfig(str(path), dialect, slots, notices)
    check_window(config, lines, window)
    check_positions(config, window)
    check_values(config)
    return config


def check_window(config, lines, window):
    """The official scripts read a fixed number of lines, blank ones counted: say which slots fall out."""
    needed = WINDOW[config.dialect]
    if len(window) >= needed:
        return
    first_lost = SLOTS[config.dialect].get(len(window) + 1, "separator")
    is_pushed = len(lines) > len(window)
    why = "blank lines push it out of the window that is read" if is_pushed else "the file ends before it"
    text = f"slot {len(window) + 1} ({first_lost}) of {needed} is missing: {why}"
    config.notices.append(Notice(config.path, lines[-1].number, text))


def check_positions(config, window):
    """An anchor key away from its position, or a key where a separator belongs, means that lines have shifted."""
    home = {name: position for position, name in SLOTS[config.dialect].items() if name in ANCHORS}
    for position, line in enumerate(window, 1):
        belongs = home.get(line.key)
        if belongs not in (None, position):
            text = f"misplaced: '{line.key}:' belongs to slot {belongs}, stands in slot {position}"
            config.notices.append(Notice(config.path, line.number, text))
        if position in SEPARATORS[config.dialect] and not line.text.startswith(("#", "=")):
            text = f"misplaced: slot {position} should be a separator ('##' or '===='), found '{line.text}'"
            config.notices.append(Notice(config.path, line.number, text))
    for name, position in home.items():
        key = config.key(name)
        is_trainer = name == "norm_train" and key in config.choices("trainer")
        if key != name and key not in home and not is_trainer:
            config.remark(name, f"slot {position} usually reads '{name}:', found '{key}:'", is_error=False)


def check_values(config):
    """Cut values, trailing blanks, empty lists, empty commands, shell syntax and unknown device words."""
    for name, line in config.slots.items():
        if line.cut:
            config.remark(name, f"value is cut at its second ':'; '{line.value}' is used, ':{line.cut}' is lost", False)
        if line.text != line.text.rstrip():
            config.remark(name, f"trailing blank after '{line.text.rstrip()}'", False)
    for name in LISTS:
        if name in config.slots and not config.choices(name):
            config.remark(name, f"empty list: '{config.key(name)}:' would run nothing")
        elif name in config.slots and "" in config.choices(name):
            config.remark(name, f"empty item in the list '{config.value(name)}'")
    for name in COMMANDS:
        if name in config.slots and config.value(name) == "":
            config.remark(name, f"empty command: write '{config.key(name)}:null' to leave the stage out on purpose")
    for name, line in config.slots.items():
        used = [sign for sign in SHELL_SYNTAX if sign in line.value]
        if used and name in (*COMMANDS, "trainer1", "trainer2", "export1", "export2"):
            config.remark(name, f"shell syntax {' '.join(used)} in a command; commands are run without a shell")
    for word in config.choices("infer_device") if "infer_device" in config.slots else ():
        if word not in ON_CPU + ON_GPU:
            config.remark("infer_device", f"unknown device word '{word}'; known: {', '.join(ON_CPU + ON_GPU)}")


def check_mode(mode, known=MODES):
    """Refuse an unknown mode; the official scripts would run with every mode-dependent flag silently left out."""
    if mode not in known:
        close = get_close_matches(mode, known, 1, 0.5)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"mode '{mode}': unknown.{hint} Known: {', '.join(known)}")

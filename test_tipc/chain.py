"""One command of a TIPC chain, and the parts of command assembly that both dialects share."""

from dataclasses import dataclass, field

from test_tipc.slots import ON_CPU, ON_GPU


@dataclass
class Stage:
    """One command of the chain and what it should leave behind.

    Attributes:
        kind: train, eval, export or infer.
        name: short and unique within the plan.
        command: the words as the official script assembles them, without its redirection.
        needs: name of the stage whose artefact this one reads; empty for none.
        official_log: file that the official script redirects into; empty where it does not.
        output: folder or file that the stage writes (train, export), or reads as a model (infer).
        line: number of the file's line that holds the command.
        facts: what the checks want to know (weights, image folder, device).
    """

    kind: str
    name: str
    command: str
    needs: str = ""
    official_log: str = ""
    output: str = ""
    line: int = 0
    facts: dict = field(default_factory=dict)

    @property
    def words(self):
        """The command as its program receives it: the official script splits it at every bar before it runs it."""
        return self.command.replace("|", " ")

    @property
    def official_command(self):
        """The line that the official script would report, redirection included."""
        return f"{self.command} > {self.official_log} 2>&1 " if self.official_log else self.command


class Chain:
    """The common part of both dialects: the walk over cards, trainers and stages.

    A dialect adds `train()` and `whole_infer()`, which return the stages, `log_folder(config, mode)`, and
    `cpu_cells` and `gpu_cells`, which yield (label, precision, flags, log name) of every inference.
    """

    multi_node_ips = 0  # an address list longer than this is several machines to the official script

    def __init__(self, config, mode, device):
        """Take a TipcConfig, a mode, and None, "cpu" or "gpu" to hold every device slot to one of them."""
        self.config, self.mode, self.device = config, mode, device
        self.python = config.value("python")
        self.folder = self.log_folder(config, mode)
        self.stages = []

    def add(self, kind, name, command, slot, **rest):
        """Append a stage whose command stands in `slot`; returns its name, made unique."""
        taken = {stage.name for stage in self.stages}
        unique = name if name not in taken else f"{name}_{len(self.stages)}"
        line = self.config.slots[slot].number
        self.stages.append(Stage(kind, unique, command, line=line, **rest))
        return unique

    def mode_value(self, slot):
        """Value of a `mode=value` list; leaving it out would train with the script's own default, so it is an error."""
        value = self.config.for_mode(slot, self.mode)
        if value == "" and self.config.key(slot) != "null":
            self.config.remark(slot, f"no value for mode {self.mode}: '{self.config.key(slot)}' would be left out")
        return self.config.flag(slot, value)

    def cards(self):
        """(card word, address list, device value) of every training run; devices go by position, as officially."""
        devices = self.config.choices("train_device")
        for index, item in enumerate(self.config.choices("gpu_list")):
            ips, gpu = (item.split(";") + [""])[:2] if len(item) > 15 else ("", item)
            yield gpu, ips, devices[index] if index < len(devices) else ""

    def train_device(self, listed):
        """Device flag of a training command."""
        if self.device is None:
            return self.config.flag("train_device", listed)
        word = self.device if self.config.value("train_device") in ("auto", "cpu", "gpu") else str(self.device == "gpu")
        return self.config.flag("train_device", word)

    def launcher(self, gpu, ips):
        """Interpreter words of a training command: alone for one card, through paddle.distributed.launch for more."""
        if len(gpu) <= 2:
            return self.python
        machines = f"--ips={ips} " if len(ips) > self.multi_node_ips else ""
        return f"{self.python} -m paddle.distributed.launch {machines}--gpus={gpu}"

    def nodes(self, ips):
        """Number of machines that the official script reads out of an address list."""
        return len(ips.split(",")) if len(ips) > self.multi_node_ips else 1

    def infer_devices(self):
        """Device words of the inference axis that `device` allows."""
        allowed = {None: ON_CPU + ON_GPU, "cpu": ON_CPU, "gpu": ON_GPU}[self.device]
        words = [word for word in self.config.choices("infer_device") if word in ON_CPU + ON_GPU]
        kept = [word for word in words if word in allowed]
        if words and not kept:
            listed = self.config.value("infer_device")
            self.config.remark("infer_device", f"no value for device {self.device} in '{listed}'")
        return kept

    def images_in(self, command):
        """Image folder that stands in the words of a command itself; empty where none does."""
        prefix = f"{self.config.key('image_dir')}="
        return next((word.removeprefix(prefix) for word in command.split() if word.startswith(prefix)), "")

    def infer(self, name, model_dir, images, needs, is_quantised=False):
        """Add one stage for every cell of the inference axes."""
        for word in self.infer_devices():
            cells = self.cpu_cells if word in ON_CPU else self.gpu_cells
            for label, precision, flags, log in cells(word, model_dir, images, is_quantised):
                command = f"{self.python} {self.config.value('inference')} {' '.join(flags)}"
                facts = {"images": images or self.images_in(command), "device": word, "precision": precision}
                self.add(
                    "infer",
                    f"{name}_{label}",
                    command,
                    "inference",
                    needs=needs,
                    official_log=f"{self.folder}/{log}.log",
                    output=model_dir,
                    facts=facts,
                )

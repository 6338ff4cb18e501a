"""Run trainings one after the other, each by train.py in its own process; finished ones are skipped."""

import json
import subprocess
import sys
from pathlib import Path

from engine import config as configuration
from engine.errors import ConfigError, InputError
from engine.files import write_json, write_text
from engine.run_config import RunConfig
from engine.training.run_folder import with_folder

TRAIN = Path(__file__).resolve().parents[2] / "train.py"


class Trainings:
    """Trains configurations on a device, each below a folder: run/, config.yaml, console.txt, trained.json."""

    def __init__(self, device: str) -> None:
        """`device`: as of --device."""
        self.device = device

    def train(self, config: RunConfig, folder: Path) -> None:
        """Train a configuration from its newest checkpoint, if there is one, unless it is trained already.

        Raises:
            ConfigError: `folder` holds the training of another configuration.
            InputError: the training failed; its last words.
        """
        config = with_folder(config, folder / "run")
        if self.is_trained(config, folder):
            return
        write_text(folder / "config.yaml", configuration.to_yaml(config))
        console = folder / "console.txt"
        words = ["-c", str(folder / "config.yaml"), "--resume", "auto", "--device", self.device]
        command = [sys.executable, str(TRAIN), *words]
        with (
            console.open("ab") as out,
            subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True) as child,
        ):
            try:
                status = child.wait()
            except BaseException:  # a signal to this process: let the training save its checkpoint
                child.terminate()
                child.wait()
                raise
        if status:
            lines = console.read_text(encoding="utf-8", errors="replace").split("\n")
            said = next((line for line in reversed(lines) if line.strip()), "nothing said")
            raise InputError(f"{folder}: training ended with status {status}: {said} (all of it: {console})")
        write_json(folder / "trained.json", configuration.as_dict(config))

    def is_trained(self, config: RunConfig, folder: Path) -> bool:
        """True where `folder` holds the finished training of `config`; ConfigError where it is another's."""
        note = folder / "trained.json"
        if not note.is_file():
            return False
        saved, wanted = json.loads(note.read_text(encoding="utf-8")), configuration.as_dict(config)
        for key in configuration.differences(saved, wanted):
            if key != "output.dir":
                raise ConfigError(f"{folder}: was trained with another '{key}'; choose another --output")
        return True

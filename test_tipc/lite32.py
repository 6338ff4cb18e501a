"""Command assembly of the 32-line dialect: no device, precision or data words in training, no image folder after it.

Source: test_train_inference_python.sh of mobilenetv3_prod/Step6, PaddlePaddle/models 8042c21b (read, not copied).
"""

from test_tipc.chain import Chain
from test_tipc.parser import setting


class Lite32(Chain):
    """Training per card and trainer; then evaluation, export and inference."""

    official_script = "PaddlePaddle/models tutorials/mobilenetv3_prod/Step6, 32 lines"
    multi_node_ips = 15

    @staticmethod
    def log_folder(config, mode):
        """Step6 keeps a folder for each model and mode."""
        return f"./test_tipc/output/{config.value('model_name')}/{mode}"

    def train(self):
        """Stages of the three training modes."""
        c = self.config
        for gpu, ips, _listed in self.cards():
            for trainer in c.choices("trainer"):
                if c.value("norm_train") in ("", "null"):
                    c.remark("norm_train", f"trainer '{trainer}' has no command and is left out", is_error=False)
                    continue
                autocast = "True" if trainer == "amp_train" else "False"
                save = f"{self.folder}/{trainer}_gpus_{gpu}_autocast_{autocast}_nodes_{self.nodes(ips)}.log"
                words = [
                    self.launcher(gpu, ips),
                    c.value("norm_train"),
                    setting(c.key("output_dir"), save),
                    self.mode_value("iterations"),
                    c.flag("pretrained"),
                    self.mode_value("train_batch_size"),
                ]
                weights = f"{save}/{c.value('train_model_name')}"
                facts = {"weights": weights, "pretrained": c.value("pretrained"), "gpu": gpu}
                label = f"{trainer}_gpus_{gpu}"
                run = self.add("train", label, " ".join(words), "norm_train", output=save, facts=facts)
                self.after_training(label, weights, save, run)
        return self.stages

    def after_training(self, label, weights, save, run):
        """Add evaluation, export and inference of one training run."""
        c = self.config
        if not c.is_left_out("eval"):
            command = f"{self.python} {c.value('eval')} {setting(c.key('pretrained'), weights)}"
            self.add("eval", f"eval_{label}", command, "eval", needs=run)
        if c.is_left_out("norm_export"):
            c.remark("norm_export", f"{label} has no export: export and inference are left out", is_error=False)
            return
        needs = self.export(f"export_{label}", "norm_export", weights, save, run)
        self.infer(f"infer_{label}", save, "", needs)

    def export(self, name, slot, weights, save, needs=""):
        """Add an export stage and return its name."""
        words = [
            self.python,
            self.config.value(slot),
            setting(self.config.key("export_weights"), weights),
            setting(self.config.key("save_inference_dir"), save),
        ]
        return self.add("export", name, " ".join(words), slot, needs=needs, output=save, facts={"weights": weights})

    def whole_infer(self):
        """Stages of whole_infer: export the one listed model where a command stands beside it, then run it."""
        c = self.config
        model_dir, needs = c.value("save_inference_dir"), ""
        if not c.is_left_out("infer_export"):
            needs = self.export("export_0", "infer_export", c.value("train_model"), model_dir)
        self.infer("infer_0", model_dir, c.value("image_dir"), needs)
        return self.stages

    def cpu_cells(self, word, model_dir, images, is_quantised):
        """(label, precision, flags, log name) of every batch size on the CPU."""
        return self.cells("cpu", word, model_dir, images)

    def gpu_cells(self, word, model_dir, images, is_quantised):
        """(label, precision, flags, log name) of every batch size on the GPU."""
        return self.cells("gpu", word, model_dir, images)

    def cells(self, kind, word, model_dir, images):
        """(label, precision, flags, log name) of every batch size."""
        c = self.config
        for batch in c.choices("infer_batch_size"):
            flags = [
                f"{c.key('infer_device')}={word}",
                c.flag("model_dir", model_dir),
                c.flag("infer_batch_size", batch),
                c.flag("image_dir", images),
                c.flag("benchmark"),
            ]
            yield f"{kind}_batch_{batch}", "", flags, f"python_infer_{kind}_batchsize_{batch}"

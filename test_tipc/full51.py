"""Command assembly of the 51-line dialect.

Source: test_train_inference_python.sh of the 51-line template, PaddlePaddle/models 8042c21b (read, not copied).
"""

import posixpath

from test_tipc.chain import Chain
from test_tipc.parser import setting

TRAINERS = (  # slot of the training command, slot of the export command; the key of the first is the trainer's name
    ("pact_train", "pact_export"),
    ("fpgm_train", "fpgm_export"),
    ("distill_train", "distill_export"),
    ("trainer1", "export1"),
    ("trainer2", "export2"),
)
AMP_WORDS = "Global.use_amp=True Global.scale_loss=1024.0 Global.use_dynamic_loss_scaling=True"


class Full51(Chain):
    """Training per card, precision and trainer; then evaluation, export and the inference axes."""

    official_script = "PaddlePaddle/models tutorials/tipc/train_infer_python/template, 51 lines"
    multi_node_ips = 26

    @staticmethod
    def log_folder(config, mode):
        """The template keeps one folder for all models and modes."""
        return "./test_tipc/output"

    def train(self):
        """Stages of the three training modes."""
        c, normal_weights = self.config, ""
        for gpu, ips, listed in self.cards():
            for precision in c.choices("train_precision"):
                for trainer in c.choices("trainer"):
                    slot, export_slot = self.trainer(trainer)
                    command = c.value(slot)
                    if command in ("", "null"):
                        c.remark("trainer", f"trainer '{trainer}' has no command and is left out", is_error=False)
                        continue
                    goes_on = trainer in (c.key("pact_train"), c.key("fpgm_train")) and self.nodes(ips) == 1
                    start = normal_weights if goes_on else c.value("pretrained")
                    weights = self.training(gpu, ips, listed, precision, trainer, slot, start)
                    if trainer == c.key("norm_train"):
                        normal_weights = weights
                    self.after_training(f"{trainer}_gpus_{gpu}_{precision}", listed, weights, export_slot)
        return self.stages

    def trainer(self, name):
        """Slots of the training and the export command of a trainer's name."""
        c = self.config
        for train, export in TRAINERS:
            if name == c.key(train):
                return train, export
        if name != c.key("norm_train"):
            used = c.key("norm_train")
            c.remark("trainer", f"trainer '{name}' names no slot; the official script runs '{used}' in its place")
        return "norm_train", "norm_export"

    def training(self, gpu, ips, listed, precision, trainer, slot, start):
        """Add a training stage; returns the path of the weights it should write."""
        c, nodes = self.config, self.nodes(ips)
        if precision == "amp":
            c.remark("train_precision", "item 'amp' makes the script append Global.* words; write fp16 instead", False)
        suffix = f"_nodes_{nodes}" if nodes > 1 else ""
        save = f"{self.folder}/{trainer}_gpus_{gpu}_autocast_{precision}{suffix}"
        steps, pretrained = self.mode_value("iterations"), setting(c.key("pretrained"), start)
        words = [
            self.launcher(gpu, ips),
            c.value(slot),
            self.train_device(listed) + (" " if len(gpu) <= 2 else ""),
            setting(c.key("output_dir"), save),
            *((pretrained, steps) if nodes > 1 else (steps, pretrained)),
            c.flag("train_precision", precision),
            self.mode_value("train_batch_size"),
            c.flag("train_param"),
            AMP_WORDS if precision == "amp" else " ",
        ]
        weights = f"{save}/{c.value('train_model_name')}"
        name, facts = f"{trainer}_gpus_{gpu}_{precision}", {"weights": weights, "pretrained": start, "gpu": gpu}
        self.run = self.add("train", name, " ".join(words), slot, output=save, facts=facts)
        return weights

    def after_training(self, label, listed, weights, export_slot):
        """Add evaluation, export and inference of the training stage added last."""
        c = self.config
        if not c.is_left_out("eval"):
            words = [
                self.python,
                c.value("eval"),
                setting(c.key("pretrained"), weights),
                self.train_device(listed),
                c.flag("eval_param"),
            ]
            self.add("eval", f"eval_{label}", " ".join(words), "eval", needs=self.run)
        if c.is_left_out(export_slot):
            c.remark(export_slot, f"{label} has no export: export and inference are left out", is_error=False)
            return
        save, sub = weights.removesuffix(f"/{c.value('train_model_name')}"), c.value("inference_dir")
        model_dir = save if sub in ("null", "##") else f"{save}/{sub}"  # an empty one leaves the slash, as officially
        needs = self.export(f"export_{label}", export_slot, c.value(export_slot), weights, save, model_dir, self.run)
        self.infer(f"infer_{label}", model_dir, c.value("train_infer_img_dir"), needs, export_slot == "pact_export")

    def export(self, name, slot, command, weights, save, model_dir, needs=""):
        """Add an export stage and return its name."""
        words = [
            self.python,
            command,
            setting(self.config.key("export_weights"), weights),
            setting(self.config.key("save_inference_dir"), save),
        ]
        facts = {"weights": weights}
        return self.add("export", name, " ".join(words), slot, needs=needs, output=model_dir, facts=facts)

    def whole_infer(self):
        """Stages of whole_infer: each listed model is exported where a command stands beside it, then run."""
        c = self.config
        exports, flags = c.choices("infer_export"), c.choices("infer_quant")
        for index, model in enumerate(c.choices("infer_model")):
            if model == "null":
                c.remark("infer_model", "null: whole_infer needs weights or an exported folder here")
            command = exports[index] if index < len(exports) else "null"
            flag = flags[index] if index < len(flags) else ""
            if flag not in ("True", "False"):
                c.remark("infer_quant", f"'{flag}' is neither True nor False; the official script reads it as False")
            model_dir, needs = model, ""
            if command != "null":
                model_dir = posixpath.dirname(model.rstrip("/")) or "."  # as dirname(1)
                needs = self.export(f"export_{index}", "infer_export", command, model, model_dir, model_dir)
            self.infer(f"infer_{index}", model_dir, c.value("image_dir"), needs, flag == "True")
        return self.stages

    def cpu_cells(self, word, model_dir, images, is_quantised):
        """(label, precision, flags, log name) of every CPU cell, less those that the official rules leave out."""
        c = self.config
        cells = [
            (onednn, threads, batch, precision)
            for onednn in c.choices("use_mkldnn")
            for threads in c.choices("cpu_threads")
            for batch in c.choices("infer_batch_size")
            for precision in c.choices("infer_precision")
        ]
        for onednn, threads, batch, precision in cells:
            if (onednn == "False" and (is_quantised or precision == "fp16")) or (is_quantised and precision != "int8"):
                continue
            flags = [
                f"{c.key('infer_device')}={word}",
                f"{c.key('use_mkldnn')}={onednn}",
                c.flag("cpu_threads", threads),
                c.flag("model_dir", model_dir),
                c.flag("infer_batch_size", batch),
                c.flag("image_dir", images),
                c.flag("benchmark"),
                c.flag("infer_precision", precision),
                c.flag("infer_param"),
            ]
            log = f"python_infer_cpu_usemkldnn_{onednn}_threads_{threads}_precision_{precision}_batchsize_{batch}"
            yield f"cpu_mkldnn_{onednn}_threads_{threads}_{precision}_batch_{batch}", precision, flags, log

    def gpu_cells(self, word, model_dir, images, is_quantised):
        """(label, precision, flags, log name) of every GPU cell, less those that the official rules leave out."""
        c = self.config
        cells = [
            (trt, precision, batch)
            for trt in c.choices("use_trt")
            for precision in c.choices("infer_precision")
            for batch in c.choices("infer_batch_size")
        ]
        for trt, precision, batch in cells:
            if "int8" in precision or (trt == "False" and (is_quantised or "fp16" in precision)):
                continue  # the template leaves out int8 without quantisation, and by a slip of its own with it too
            flags = [
                f"{c.key('infer_device')}={word}",
                c.flag("use_trt", trt),
                c.flag("infer_precision", precision),
                c.flag("model_dir", model_dir),
                c.flag("infer_batch_size", batch),
                c.flag("image_dir", images),
                c.flag("benchmark"),
                c.flag("infer_param"),
            ]
            log = f"python_infer_gpu_usetrt_{trt}_precision_{precision}_batchsize_{batch}"
            yield f"gpu_trt_{trt}_{precision}_batch_{batch}", precision, flags, log

"""What stands where in a TIPC file: the slots of every dialect by position, and what a slot may hold.

Source: behaviour of the scripts of PaddlePaddle/models 8042c21b (read, not copied); TIPC documents of that repository.
"""

MODES = ("lite_train_lite_infer", "lite_train_whole_infer", "whole_train_whole_infer", "whole_infer")
ON_CPU = ("False", "cpu")
ON_GPU = ("True", "gpu")
TRAINER_POSITION = {"full51": 15, "lite32": 13}  # tells the two training dialects apart
WINDOW = {"full51": 51, "lite32": 32, "paddle2onnx": 13, "ptq": 20}

# position -> name of the slot; a name that is also the expected key of the line is an anchor
SLOTS = {
    "full51": {
        2: "model_name", 3: "python", 4: "gpu_list", 5: "train_device", 6: "train_precision", 7: "iterations",
        8: "output_dir", 9: "train_batch_size", 10: "pretrained", 11: "train_model_name", 12: "train_infer_img_dir",
        13: "train_param", 15: "trainer", 16: "norm_train", 17: "pact_train", 18: "fpgm_train", 19: "distill_train",
        20: "trainer1", 21: "trainer2", 24: "eval", 25: "eval_param", 28: "save_inference_dir", 29: "export_weights",
        30: "norm_export", 31: "pact_export", 32: "fpgm_export", 33: "distill_export", 34: "export1", 35: "export2",
        36: "inference_dir", 37: "infer_model", 38: "infer_export", 39: "infer_quant", 40: "inference",
        41: "infer_device", 42: "use_mkldnn", 43: "cpu_threads", 44: "infer_batch_size", 45: "use_trt",
        46: "infer_precision", 47: "model_dir", 48: "image_dir", 49: "save_log_path", 50: "benchmark",
        51: "infer_param",
    },
    "lite32": {
        2: "model_name", 3: "python", 4: "gpu_list", 5: "train_device", 6: "iterations", 7: "output_dir",
        8: "train_batch_size", 9: "pretrained", 10: "train_model_name", 11: "data_dir", 13: "trainer", 14: "norm_train",
        17: "eval", 20: "save_inference_dir", 21: "export_weights", 22: "norm_export", 24: "train_model",
        25: "infer_export", 27: "inference", 28: "infer_device", 29: "infer_batch_size", 30: "model_dir",
        31: "image_dir", 32: "benchmark",
    },
    "paddle2onnx": {
        2: "model_name", 3: "python", 4: "converter", 5: "model_dir", 6: "model_filename", 7: "params_filename",
        8: "save_file", 9: "opset_version", 10: "enable_onnx_checker", 11: "inference", 12: "onnx_file",
        13: "image_dir",
    },
    "ptq": {
        2: "model_name", 3: "python", 4: "use_gpu", 5: "model_path", 6: "output_dir", 7: "data_dir", 8: "batch_num",
        9: "batch_size", 11: "trainer", 12: "ptq", 15: "inference", 16: "infer_device", 17: "infer_batch_size",
        18: "model_dir", 19: "image_dir", 20: "benchmark",
    },
}
ANCHORS = (
    "model_name", "python", "gpu_list", "train_model_name", "trainer", "norm_train", "eval", "norm_export",
    "infer_model", "infer_export", "infer_quant", "inference",
)
SEPARATORS = {
    "full51": (1, 14, 22, 23, 26, 27), "lite32": (1, 12, 16, 19), "paddle2onnx": (1,), "ptq": (1, 10, 13, 14),
}
LISTS = ("gpu_list", "train_precision", "trainer", "infer_device", "use_mkldnn", "cpu_threads", "infer_batch_size",
         "infer_precision")
COMMANDS = ("norm_train", "eval", "norm_export", "infer_export", "inference", "converter", "ptq")
SHELL_SYNTAX = ("$", "`", ";", "&", ">", "<")

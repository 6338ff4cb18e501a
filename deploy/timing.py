"""Time inference, in the sections and with the keys that TIPC's tools look for."""

import platform
import sys
import time
from typing import Any

import paddle


def report(watch: Any, predictor: Any, batch_size: int, count: int) -> list[str]:
    """The lines of a benchmark.

    Args:
        watch: deploy.inference.Stopwatch.
        predictor: deploy.predictor.Predictor.
        batch_size: asked for.
        count: pictures that were run.

    Returns:
        list of str, each with a time stamp.

    Source: section titles and keys are those of LDOUBLEV/AutoLog, "drivier_version" included; the code is ours.
    """
    options, total = predictor.options, watch.total()
    times = [f"{stage}_time(ms): {watch.mean_milliseconds(stage):.4f}" for stage in watch.seconds]
    sections = {
        "Env info": {
            "OS_version": platform.platform(),
            "drivier_version": None,
            "CUDA_version": paddle.version.cuda() if options.use_gpu else None,
            "CUDNN_version": paddle.version.cudnn() if options.use_gpu else None,
        },
        "Paddle info": {
            "paddle_version": paddle.__version__,
            "paddle_commit": paddle.version.commit,
            "log_api_version": "1.0",
        },
        "Conf info": {
            "runtime_device": "gpu" if options.use_gpu else "cpu",
            "ir_optim": True,
            "enable_memory_optim": False,
            "enable_tensorrt": options.use_trt,
            "enable_mkldnn": options.use_mkldnn and not options.use_gpu,
            "cpu_math_library_num_threads": predictor.config.cpu_math_library_num_threads(),
        },
        "Model info": {"model_name": predictor.contract.system, "precision": options.precision},
        "Data info": {
            "batch_size": batch_size,
            "input_shape": list(predictor.contract.inputs[0].shape),
            "data_num": count,
        },
        "Perf info": {
            "cpu_rss(MB)": f"{_peak_memory()}, gpu_rss(MB): None, gpu_util: None%",
            "total time spent(s)": f"{total:.4f}",
            **dict([", ".join(times).split(": ", 1)]),
            "ips": f"{count / total:.3f} images/s" if total else "0 images/s",
        },
    }
    return list(_stamped(sections))


def _stamped(sections):
    stamp = time.strftime("[%Y/%m/%d %H:%M:%S] root INFO: ")
    for title, values in sections.items():
        yield f"{stamp}---------------------- {title} ----------------------"
        yield from (f"{stamp}{key}: {value}" for key, value in values.items())


def _peak_memory():
    """Megabytes, or None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024), 1)

"""What predict.py and infer.py have in common: from a graph and the command line to results on disk."""

import json
from collections.abc import Callable
from typing import Any

from deploy import flags, inference
from deploy.contract import Contract, Graph, remark
from deploy.files import Files
from deploy.samples import gathered
from engine.errors import InputError
from engine.files import write_text
from engine.flags import refuse


def run(
    graph: Graph, args: Any, open_graph: Callable[[str], Graph], seed: int, tell: Callable[[str], None], signs: bool
) -> int:
    """Do with a graph what the flags say: a film, a comparison, whole photos or pictures.

    Args:
        graph: what runs; one with `remarks(names)` has lines to say of the pictures.
        args: the command line, with deploy.flags.PHOTOS and PICTURES.
        open_graph, seed: see deploy.samples.gathered.
        tell: gets the closing lines.
        signs: print numbers of results that are pictures too.

    Returns:
        The exit status.
    """
    if args.compare or args.video:
        from deploy import comparing, video

        return (comparing if args.compare else video).run(graph, args)
    stacks, is_timed = getattr(args, "stacks", None), getattr(args, "benchmark", False)
    samples, styles, left_out = gathered(graph.contract, args, open_graph, seed)
    if stacks and args.ext != "png":
        raise InputError(f"--ext {args.ext}: stacks are written as PNG; leave it out")
    pairs = "--stacks, --degrade" if stacks or hasattr(graph, "remarks") else "--benchmark" if is_timed else ""
    if args.aligned is False and pairs:
        raise InputError(f"{pairs}: not for whole photos; leave {'it' if is_timed else 'them'} out")
    if is_road(graph.contract, args) and not pairs:
        from deploy import photo_files

        told = photo_files.run(graph, samples, args, signs)
    else:
        refuse_flags(args)
        told = _pictures(graph, samples, args, stacks, is_timed, signs, tell)
    for line in (styles, f"{told}{left_out}; results in {args.output_dir}", remark(graph)):
        if line:
            tell(line)
    return 0


def _pictures(graph, samples, args, stacks, is_timed, signs, tell):
    """Run pictures as they are; how many there were, for the closing line."""
    if stacks:
        from deploy.results import WRITERS

        writer: Files = WRITERS[stacks](graph.contract, samples, args.output_dir)
    else:
        writer = Files(graph.contract, samples, args.output_dir, args.ext, args.colour, args.suffix)
    if is_timed:
        inference.warm_up(graph, args.batch_size)
    watch, names = inference.Stopwatch(), []
    signs = signs or not graph.contract.of_kind("image", "mask", "points", outputs=True)
    for name, found in inference.run(graph, samples, args.batch_size, args.output_dir, watch, args.blend, writer):
        names.append(name)
        if signs:
            print(f"{name}\t{json.dumps(found)}")
    for line in graph.remarks(names) if hasattr(graph, "remarks") else ():
        tell(line)
    if is_timed:
        from deploy.timing import report

        lines = "\n".join(report(watch, graph, args.batch_size, len(names)))
        print(lines)
        if args.save_log_path:
            write_text(args.save_log_path, f"{lines}\n")
    return f"{len(names)} pictures, {len(samples) - len(names)} skipped"


def is_road(contract: Contract, args: Any) -> bool:
    """Whether pictures take the road of photos: for models that restore or that look at one aligned face, unless
    --aligned says otherwise; for models that fill holes, with --mask auto.

    Raises:
        InputError: --aligned=False for another model.
    """
    is_for_faces = contract.restores or contract.template == "sphereface"
    takes_photos = args.mask == "auto" if contract.hole else is_for_faces
    if args.aligned is False and not takes_photos:
        raise InputError("--aligned=False: this model does not make one face of one face; leave it out")
    return takes_photos and (args.aligned is not True or args.mask == "auto")


def refuse_flags(args: Any) -> None:
    """InputError for the first flag of this road that was given, where pictures take another one."""
    refuse(args, {name: flag for name, flag in flags.PHOTOS.items() if name != "aligned"}, flags.WHY)

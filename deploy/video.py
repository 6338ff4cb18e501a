"""A film with its faces restored: frame by frame, at its own times, its sound copied as it is.

Needs PyAV (requirements-video.txt). Memory holds one frame. Ctrl-C ends the film where it is; what is written plays.
"""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from deploy import photo
from deploy.contract import Graph, remark
from deploy.faces import Finder, selected, which
from deploy.session import Session
from deploy.tracking import Tracker
from engine import images
from engine.errors import InputError
from engine.files import check_writable, replacing
from engine.log import progress

SUFFIXES = {".mp4", ".mov", ".mkv", ".m4v"}  # written as they came; every other as .mkv
BT709, LARGE = 1, 720  # colour space of a film that does not name one, from this height on
QUALITY = {"crf": "17", "preset": "medium"}


def run(graph: Graph, args: Any) -> int:
    """Restore the film `args.video`; prints a line. Exit status 0, or 130 after Ctrl-C."""
    if not graph.contract.restores:
        raise InputError("--video: this model does not restore faces; expected one that makes a face of a face")
    if args.img or args.image_dir or args.input:
        raise InputError(f"--video {args.video}: leave out --img, --image_dir and --input")
    source = Path(args.video)
    suffix = source.suffix.lower() if source.suffix.lower() in SUFFIXES else ".mkv"
    target = Path(args.output_dir) / f"{source.stem}_{args.suffix}{suffix}"
    check_writable(args.output_dir)
    if target.exists() and target.samefile(source):
        raise InputError(
            f"--video {source}: would be overwritten by the result; expected another --output_dir or --suffix"
        )
    film = Film(source, Session(graph, args.batch_size), args)
    with replacing(target) as temporary:
        film.write(temporary, {".mkv": "matroska", ".mov": "mov"}.get(suffix, "mp4"))
    for line in filter(None, (f"{film.said()}; {target}", remark(graph))):
        print(line)
    return 130 if film.is_cut else 0


class Film:
    """One film on its way."""

    def __init__(self, path: Path, session: Session, args: Any) -> None:
        """Open the film. InputError: PyAV is missing, the file cannot be read, or it holds no pictures."""
        try:
            import av
        except ImportError:
            raise InputError("--video: PyAV is missing; expected pip install -r requirements-video.txt") from None
        logging.getLogger("libav").setLevel(logging.CRITICAL)
        self.av, self.path, self.session, self.args = av, path, session, args
        try:
            self.source = av.open(str(path))
        except (av.FFmpegError, OSError) as error:
            raise InputError(f"--video {path}: is not a readable film ({error.strerror})") from None
        if self.source.format.name.endswith(("_pipe", "image2")):  # what FFmpeg calls single pictures
            raise InputError(f"--video {path}: is a picture; expected a film, or -i {path} for a picture")
        if not self.source.streams.video:
            raise InputError(f"--video {path}: holds no pictures")
        self.tracker = Tracker(Finder(args.detector, args.tilted, args.min_face))
        self.count = self.damaged = self.faces = 0
        self.is_cut = False

    def said(self) -> str:
        """The text of the closing line."""
        damaged = f", {self.damaged} damaged places left out" if self.damaged else ""
        cut = ", stopped by Ctrl-C" if self.is_cut else ""
        frames, faces = images.counted(self.count, "frame"), images.counted(self.faces, "face")
        return f"{self.path.name}: {frames}, {faces}{damaged}{cut}"

    def write(self, path: Path, container: str) -> None:
        """Write the restored film. Ctrl-C ends it after the frame in hand."""
        picture = self.source.streams.video[0]
        picture.thread_type = "AUTO"
        with self.av.open(str(path), "w", format=container) as out:
            sound = {stream.index: out.add_stream_from_template(stream) for stream in self.source.streams.audio}
            written, early = None, []  # sound before the first picture waits: a film begins once all streams are known
            try:
                for packet in progress(self._packets([picture, *self.source.streams.audio]), picture.frames, "frame"):
                    if packet.stream.index in sound:
                        if packet.dts is not None:
                            packet.stream = sound[packet.stream.index]
                            early.append(packet)
                    else:
                        for frame in self._frames(packet):
                            made, kept = self._made(frame)
                            written = written or self._stream(out, picture, made, kept)
                            out.mux(written.encode(self._frame(made, frame, kept, written)))
                    if written:
                        out.mux(early)
                        early = []
            except KeyboardInterrupt:
                self.is_cut = True
            if written is None:
                raise InputError(f"--video {self.path}: holds no picture that can be read")
            out.mux(written.encode(None))

    def _packets(self, streams) -> Iterator:
        try:
            yield from self.source.demux(*streams)
        except self.av.FFmpegError as error:
            self.damaged += 1
            print(f"{self.path}: ends early ({error.strerror})", file=sys.stderr)

    def _frames(self, packet):
        """The frames of a packet; a damaged one is counted."""
        try:
            return packet.decode()
        except self.av.FFmpegError:
            self.damaged += 1
            return []

    def _made(self, frame):
        """(the restored frame [H, W, 3], upright; its (colour space, range))."""
        is_709 = frame.colorspace == BT709 or (frame.colorspace not in (4, 5, 6, 7, 9) and frame.height >= LARGE)
        kept = ("ITU709" if is_709 else "ITU601", "JPEG" if frame.color_range == 2 else "MPEG")
        plain = frame.reformat(format="rgb24", src_colorspace=kept[0], src_color_range=kept[1], dst_color_range="JPEG")
        pixels = np.rot90(plain.to_ndarray(), round(frame.rotation / 90) % 4).astype(np.float32) / 255
        pixels, args = np.ascontiguousarray(pixels), self.args
        seconds = float(frame.time) if frame.time is not None else self.count / 25
        found = selected(self.tracker.update(pixels, seconds), pixels.shape[:2], which(args))
        self.count, self.faces = self.count + 1, self.faces + len(found)
        options = {"strength": args.strength, "upscale": args.upscale, "paste": args.paste or "difference"}
        return photo.restore(pixels, found, self.session, **options), kept

    def _stream(self, out, picture, made, kept):
        """The written film's pictures: H.264 of the size that is made, in the source's clock."""
        stream = out.add_stream("libx264", rate=picture.average_rate or 25, options=QUALITY)
        stream.height, stream.width = made.shape[:2]
        stream.pix_fmt = "yuv420p" if stream.height % 2 == stream.width % 2 == 0 else "yuv444p"
        stream.time_base = stream.codec_context.time_base = picture.time_base
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1 if kept[0] == "ITU709" else 6
        context.color_range = 2 if kept[1] == "JPEG" else 1
        return stream

    def _frame(self, made, frame, kept, stream):
        """An array as a frame of the written film, at the time of the one it was made of."""
        plain = self.av.VideoFrame.from_ndarray(images.to_uint8(made), "rgb24")
        new = plain.reformat(
            format=stream.pix_fmt, dst_colorspace=kept[0], src_color_range="JPEG", dst_color_range=kept[1]
        )
        new.pts, new.time_base = frame.pts, frame.time_base
        return new

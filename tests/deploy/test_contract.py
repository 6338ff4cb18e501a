"""The contract: what is written is read back, older files are understood, anything else is a line with file and key."""

import random

import pytest
import yaml

from deploy.contract import contract_of, read_contract, written_contract
from engine.errors import InputError
from engine.ports import Exported, Hole, Port
from tests.deploy.contracts import contract, filler, image, mask

OLD = """
system: system.partialconv.PartialConv
inputs:
- {name: image, kind: image, shape: [-1, 3, -1, -1], range: [0.0, 1.0]}
- {name: mask, kind: image, shape: [-1, 1, -1, -1], range: [0.0, 1.0]}
outputs:
- {name: composite, kind: image, shape: [-1, 3, -1, -1], range: [0.0, 1.0]}
preprocessing: {colour: RGB, layout: NCHW, dtype: float32, resize_kernel: area, fit: stretch}
postprocessing: {colour: RGB, rounding: to nearest of 256 levels}
hole: {blend: poisson, colour: [1.0, 1.0, 1.0], default: face_box}
precision: fp32
delete_passes: []
paddle: 3.3.1
files: {inference.json: 49}
max_difference: {'Paddle 3, oneDNN on, batch 1': 1.0e-07}
"""


def written(folder, text):
    (folder / "inference.yaml").write_text(text)
    return folder / "inference.json"


@pytest.mark.parametrize("own", [filler(8, 8, blend="poisson", default="face_box"), contract(image(4, 6), fit="pad")])
def test_what_is_written_is_read_back(tmp_path, own):
    assert read_contract(written(tmp_path, written_contract(own))) == own


def test_what_a_system_exports():
    style = Port("style", (-1, 5), "vector", encoder="../style_of_photo")
    exported = Exported(None, [image(8, 8), mask(8, 8), style], [image(8, 8, name="filled")], hole=Hole(), fit="pad")
    found = contract_of(exported, system="system.toy.Toy")
    assert (found.filled, found.picture.name, found.preprocessing.fit) == ("filled", "image", "pad")
    assert [port.name for port in found.of_kind("mask", "vector")] == ["mask", "style"]
    assert contract(image(8, 8)).filled == ""


def test_a_file_from_before_masks_had_a_kind(tmp_path):
    found = read_contract(written(tmp_path, OLD))
    assert [port.kind for port in found.inputs] == ["image", "mask"]
    assert found.hole == Hole("poisson", (1.0, 1.0, 1.0), "face_box") and found.filled == "composite"
    assert read_contract(written(tmp_path, OLD.replace("hole: {", "# {"))).hole == Hole()


@pytest.mark.parametrize(
    "old, new, line",
    [
        ("kind: image, shape: [-1, 3", "kind: picture, shape: [-1, 3", r"inputs.0.kind: .*'picture'"),
        (
            "shape: [-1, 3, -1, -1]",
            "shape: [-1, 4, -1, -1]",
            r"image of shape \[-1, 4, -1, -1\]; expected \[N, 3, H, W\]",
        ),
        ("shape: [-1, 1, -1, -1]", "shape: [-1, 1, -1]", r"mask of shape \[-1, 1, -1\]; expected \[N, 1, H, W\]"),
        ("name: composite", "name: ../up", "outputs.0.name: .*'../up'"),
        ("name: mask, kind: image", "name: image, kind: image", "image: image of shape"),
        ("name: mask, kind: image", "name: image, kind: mask", "two of image, image have one name"),
        ("kind: image, shape: [-1, 1", "kynd: image, shape: [-1, 1", "inputs.1.kynd: Unexpected keyword"),
        ("colour: [1.0,", "colour: [7.0,", "hole.colour.0: Input should be less than or equal to 1; found 7.0"),
        ("fit: stretch", "fit: crop", "preprocessing.fit: crop; a picture whose hole is filled"),
        ("fit: stretch", "fit: [stretch]", "preprocessing.fit"),
        ("precision: fp32", "precisoin: fp32", "precisoin: Extra inputs are not permitted"),
        ("outputs:", "outputs: []\nhidden:", "outputs"),
        ("inference.json: 49", "inference.json: many", "files.inference.json: .*'many'"),
        ("range: [0.0, 1.0]", "range: [0.0, .nan]", "inputs.0.range.1: .*finite"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, old, new, line):
    assert old in OLD
    with pytest.raises(InputError, match=line) as caught:
        read_contract(written(tmp_path, OLD.replace(old, new, 1)))
    assert str(caught.value).startswith(f"{tmp_path / 'inference.yaml'}: ") and "\n" not in str(caught.value)
    assert str(caught.value).endswith("export_model.py writes this file")


def mutant(draw):
    """OLD with one byte, line, value or piece of structure changed."""
    text = OLD
    how = draw.randrange(5)
    if how == 0:
        place = draw.randrange(len(text))
        return text[:place] + chr(draw.randrange(256)) + text[place + draw.randrange(3) :]
    if how == 1:
        lines = text.splitlines()
        draw.shuffle(lines)
        return "\n".join(lines[: draw.randrange(len(lines))])
    values = (
        "null|-1|[]|{}|1e400|!!binary x|!!timestamp x|!!int ''|*a|&a [*a]|2001-99-99|0x|[[[[]]]]|? x|1:99:99|!!map x"
    )
    if how == 2:
        content = yaml.safe_load(text)
        node = content
        while isinstance(node, (dict, list)) and node:
            key = draw.choice(list(node)) if isinstance(node, dict) else draw.randrange(len(node))
            if draw.random() < 0.4 or not isinstance(node[key], (dict, list)):
                node[key] = draw.choice([None, -1, [], {}, 1e300, "x", True, [1] * 9, {"a": 1}])
                break
            node = node[key]
        return yaml.safe_dump(content)
    words = text.split(" ")
    words[draw.randrange(len(words))] = draw.choice(values.split("|"))
    return " ".join(words)


def test_mutated_files_end_in_one_line(tmp_path):
    draw, refused = random.Random(0), 0
    for _ in range(400):
        program = written(tmp_path, "")
        (tmp_path / "inference.yaml").write_text(mutant(draw), encoding="utf-8")
        try:
            read_contract(program)
        except InputError as error:
            refused += 1
            assert "inference.yaml" in str(error) and "\n" not in str(error)
    assert refused > 200

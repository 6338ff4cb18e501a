from pathlib import Path

import numpy as np
import paddle
import pytest
import yaml
from paddle import nn

from deploy.export import BATCH_SIZES, ExportMismatch, describe, export, save, seeded_inputs, write_contract
from deploy.legacy_ir import REPLACEMENTS
from deploy.predictor import Predictor
from engine.errors import InputError
from engine.ports import Exported, Port
from model.gpen.exported import ExportedGPEN
from model.gpen.network import GPENGenerator
from tests.deploy.exported_toy import toy


def single(forward, shape=(-1, 6)):
    """A layer of one function of one vector, after a linear layer so that there is a parameter to save."""

    class Function(nn.Layer):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 6)

        def forward(self, x):
            return forward(self.linear(x))

    port = [Port("x", shape, kind="vector")]
    return Exported(Function(), port, port)


def test_writes_both_formats_that_agree_with_the_layer(tmp_path):
    differences = export(toy(), tmp_path / "new" / "folder", "model", legacy=True, facts={"system": "Toy"})
    folder = tmp_path / "new" / "folder"
    names = {"model.json", "model.pdiparams", "model.pdmodel", "model.yaml"}
    assert {path.name for path in folder.iterdir()} == names
    assert len(differences) == 2 * 2 * len(BATCH_SIZES)
    assert all(0 <= value < 1e-5 for value in differences.values())
    contract = yaml.safe_load((folder / "model.yaml").read_text())
    assert contract["system"] == "Toy"
    assert contract["inputs"][1] == {"name": "mask", "kind": "mask", "shape": [-1, 1, 16, 16], "range": [0.0, 1.0]}
    assert contract["outputs"][1]["kind"] == "vector"
    assert contract["max_difference"] == differences
    assert contract["files"] == {name: (folder / name).stat().st_size for name in names - {"model.yaml"}}


def test_a_second_export_leaves_no_file_of_the_first(tmp_path):
    export(toy(), tmp_path, legacy=True)
    export(toy(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"inference.json", "inference.pdiparams", "inference.yaml"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda filled, code: (filled, code + 2e-4),
        lambda filled, code: (filled[:, :, :1], code),
        lambda filled, code: (filled.flip(1), code),
    ],
)
def test_a_difference_fails_and_the_old_export_stays(tmp_path, spoil):
    export(toy(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    exported = toy()
    with pytest.raises(ExportMismatch, match="Paddle 3, oneDNN on, batch 1"):
        export(toy(reference=lambda *inputs: spoil(*exported.layer(*inputs))), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_training_form_that_is_not_finite_is_no_mismatch(tmp_path):
    exported = toy()
    exported.layer.linear.bias.set_value(exported.layer.linear.bias * float("nan"))
    with pytest.raises(InputError, match="output 'code' of the training form is not finite"):
        export(exported, tmp_path)
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file.*cannot be written"):
        export(toy(), tmp_path / "file" / "folder")


def test_a_disk_that_fills_up_publishes_nothing(tmp_path, monkeypatch):
    def cut_short(layer, path, input_spec):
        saved(layer, path, input_spec=input_spec)
        parameters = Path(f"{path}.pdiparams")
        parameters.write_bytes(parameters.read_bytes()[:100])

    saved = paddle.jit.save
    monkeypatch.setattr(paddle.jit, "save", cut_short)
    with pytest.raises(InputError, match="is the disk full"):
        export(toy(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_the_legacy_format_cannot_say_is_one_line(tmp_path):
    with pytest.raises(InputError, match="^Function: cannot be written in the legacy format") as caught:
        export(single(lambda x: paddle.logsumexp(x, axis=1, keepdim=True)), tmp_path, legacy=True)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def replaced_functions(x):
    """Every function that the legacy format needs replaced, with the arguments that could go wrong."""
    square = x.reshape([-1, 2, 3])
    product = paddle.matmul(square, square, transpose_y=True)
    turned = paddle.bmm(square.transpose([0, 2, 1]), square)
    positive = paddle.exp(x).sqrt() + paddle.abs(x)
    pieces = [
        x.sum(axis=1, keepdim=True), product.sum(axis=[1, 2]).unsqueeze(1), turned.reshape([-1, 9]),
        paddle.rsqrt(positive), paddle.log(positive), paddle.tanh(x), nn.functional.sigmoid(x), paddle.sin(x),
        paddle.sign(x), paddle.maximum(x, positive - 1), paddle.minimum(x, positive - 1), paddle.multiply(x, positive),
        nn.functional.gelu(x), nn.functional.gelu(x, approximate=True), nn.functional.softplus(x, beta=2.0),
        nn.functional.softplus(x), paddle.matmul(square, square, transpose_x=True).reshape([-1, 9]),
    ]  # fmt: skip
    return paddle.concat(pieces, axis=1)


def test_legacy_operators_mean_the_same(tmp_path):
    held = {name: getattr(paddle._C_ops, name) for name in REPLACEMENTS}
    paddle.seed(0)
    exported, base = single(replaced_functions), tmp_path / "inference"
    save(exported, base, legacy=True)
    write_contract(base, describe(exported, base))
    assert {name: getattr(paddle._C_ops, name) for name in REPLACEMENTS} == held
    assert paddle.in_dynamic_mode()
    arrays = seeded_inputs(exported.inputs, 3, seed=0)
    wanted = exported.layer(paddle.to_tensor(arrays["x"])).numpy()
    for use_mkldnn in (True, False):
        found = Predictor(base.with_suffix(".pdmodel"), use_mkldnn=use_mkldnn).run(arrays)["x"]
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_seeded_inputs_keep_to_the_contract():
    ports = [
        Port("image", (-1, 3, -1, 20)),
        Port("mask", (-1, 1, 9, 20), "mask"),
        Port("style", (-1, 8), kind="vector"),
    ]
    arrays = seeded_inputs(ports, 2, seed=0)
    assert [arrays[port.name].shape for port in ports] == [(2, 3, 128, 20), (2, 1, 9, 20), (2, 8)]
    assert arrays["image"].min() >= 0 and arrays["image"].max() <= 1 and arrays["image"].std() > 0.1
    assert set(np.unique(arrays["mask"])) == {0, 1}
    assert np.array_equal(arrays["image"], seeded_inputs(ports, 2, seed=0)["image"])
    assert not np.array_equal(arrays["image"], seeded_inputs(ports, 2, seed=1)["image"])


@pytest.mark.slow
@pytest.mark.parametrize("legacy, sizes", [
    (True, {"size": 16}), (False, {"size": 16, "is_concat": False}), (False, {"size": 32, "in_size": 16}),
])  # fmt: skip
def test_gpen_without_operators_that_onednn_gets_wrong(tmp_path, legacy, sizes):
    paddle.seed(1)
    generator = GPENGenerator(narrow=1 / 32, style_dim=16, n_mlp=2, **sizes)
    for parameter in generator.parameters():
        parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    generator.eval()
    image = [Port("image", (-1, 3, generator.in_size, generator.in_size))]
    result = [Port("restored", (-1, 3, generator.size, generator.size))]

    def restore(x):
        return (generator(2 * x - 1) / 2 + 0.5).clip(0, 1)

    differences = export(Exported(ExportedGPEN(generator), image, result, restore), tmp_path, legacy=legacy)
    assert max(differences.values()) < 2e-5
    program = (tmp_path / "inference.json").read_text()
    assert '"1.leaky_relu"' in program
    assert not [name for name in ("pad", "pad3d", "tile", "nearest_interp") if f'"1.{name}"' in program]
    arrays = seeded_inputs(image, 2, seed=3)
    found = Predictor(tmp_path).run(arrays)["restored"]
    np.testing.assert_allclose(found, restore(paddle.to_tensor(arrays["image"])).numpy(), atol=2e-5)

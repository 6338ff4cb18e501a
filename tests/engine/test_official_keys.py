import numpy as np
import paddle
from paddle import nn

from engine.weights.official_keys import from_official, is_ours, official_names, to_official


def test_names_and_layouts_of_torch_are_translated():
    layer = nn.Sequential(nn.Conv2D(2, 3, 1, bias_attr=False), nn.BatchNorm2D(3), nn.PReLU(3), nn.Linear(4, 5))
    arrays = {
        "0.weight": np.ones((3, 2, 1, 1)), "1.weight": np.ones(3), "1.bias": np.ones(3),
        "1.running_mean": np.full(3, 7.0), "1.running_var": np.full(3, 9.0), "1.num_batches_tracked": np.zeros(()),
        "2.weight": np.full(3, 0.1), "3.weight": np.arange(20.0).reshape(5, 4), "3.bias": np.ones(5),
        "stranger": np.ones(1),
    }  # fmt: skip
    ours = from_official(layer, arrays)
    assert set(ours) == set(layer.state_dict()) | {"stranger"}
    assert ours["1._mean"][0] == 7 and ours["1._variance"][0] == 9 and ours["2._weight"][0] == 0.1
    np.testing.assert_array_equal(ours["3.weight"], arrays["3.weight"].T)
    assert official_names(layer)["3.weight"] == ("3.weight", True)


def test_a_single_layer_has_no_prefix():
    assert set(official_names(nn.PReLU(3)).values()) == {("weight", False)}
    assert paddle.nn.PReLU(3).state_dict().keys() == {"_weight"}


def test_arrays_in_our_form_pass_as_they_are_and_come_back():
    layer = nn.Sequential(nn.Conv2D(2, 3, 1), nn.BatchNorm2D(3), nn.PReLU(3), nn.Linear(4, 5))
    ours = {key: np.arange(tensor.size, dtype="f4").reshape(tensor.shape) for key, tensor in layer.state_dict().items()}
    official = to_official(layer, ours)
    assert official.keys() == {name for name, _ in official_names(layer).values()} and not is_ours(layer, official)
    np.testing.assert_array_equal(official["3.weight"], ours["3.weight"].T)
    for form in (ours, official, official | {"1.num_batches_tracked": np.array(3)}):
        back = from_official(layer, form)
        assert back.keys() == ours.keys()
        for key, array in ours.items():
            np.testing.assert_array_equal(back[key], array, err_msg=key)


def test_where_the_forms_cannot_be_told_apart_arrays_count_as_official():
    layer, square = nn.Linear(4, 4, bias_attr=False), np.arange(16.0).reshape(4, 4)
    assert not is_ours(layer, {"weight": square})
    np.testing.assert_array_equal(from_official(layer, {"weight": square})["weight"], square.T)

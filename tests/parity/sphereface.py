"""Our values for the golden family of SphereFace: embedding, angles, annealed losses, gradients."""

from paddle import nn

from engine.weights.networks import load_layers
from engine.weights.official_keys import official_names
from loss.angular import angular_softmax, annealing
from model.sphereface.network import AngleLinear, Sphere20a
from tests.parity.stylegan2 import tensors

BREAKING_IN = 20001  # the second recorded loss is that of this call, the first that of call 1


class Whole(nn.Layer):
    """Network and classifier under the official keys."""

    def __init__(self, num_classes):
        super().__init__()
        self.recognizer, self.classifier = Sphere20a(), AngleLinear(512, num_classes)


def sphere20a_values(config, inputs, weights):
    """Forward, both losses, and the gradient of the later one; `weights` are the released keys."""
    network = Whole(config["classnum"])
    if weights["fc5.weight"].dtype == "float64":
        network.to(dtype="float64")
    load_layers({"recognizer": network.recognizer, "classifier": network.classifier}, weights, "the case's weights")
    network.eval()
    given = tensors(inputs)
    feature = network.recognizer(given["x"])
    cosine, psi = network.classifier(feature)
    values = {"out:feature": feature.numpy(), "out:cos_theta": cosine.numpy(), "out:phi_theta": psi.numpy()}
    for call in (1, BREAKING_IN):
        loss = angular_softmax(cosine, psi, given["label"], annealing(call - 1))
        values[f"out:loss_it{call}"] = loss.numpy()
    loss.backward()
    names = {f"recognizer.{ours}": official for ours, (official, _) in official_names(network.recognizer).items()}
    for key, parameter in network.named_parameters():
        official = names.get(key, "fc6.weight")
        gradient = parameter.grad.numpy()
        values[f"grad:{official}"] = gradient.T if official == "fc5.weight" else gradient
    return values


CASES = {"sphere20a": sphere20a_values}

"""Networks of recognition, perception and statistics in published files.

Source: the state_dicts of torchvision's VGG and AlexNet, richzhang/PerceptualSimilarity, TreB1eN/InsightFace_Pytorch
(IR-SE50), TencentARC/GFPGAN (ArcFace), mseitzer/pytorch-fid.
"""

from engine.weights.known import Network

CLASSIFIER = r"classifier\..*"


def _vgg(depth):
    """Row of a torchvision VGG: all convolutions, without the classifier."""
    last = {16: 28, 19: 34}[depth]
    arguments = {"depth": depth, "layers": ("pool5",)}
    return Network(
        f"vgg{depth}", f"VGG-{depth} of torchvision, convolutions only", "model.backbones.vgg.VGG",
        ("features.0.weight", f"features.{last}.weight"), lambda arrays: arguments, arguments,
        absent=("features.1.weight", "features.34.weight" if depth == 16 else ""), dropped=CLASSIFIER,
        completed=_in_use,
    )  # fmt: skip


def _in_use(layer, arrays):
    """The arrays of layers that a VGG cut short still has."""
    return {key: array for key, array in arrays.items() if key in layer.state_dict()}


def _lpips(name, signature, absent):
    """Row of LPIPS on a backbone, whose file is put together of two."""
    return Network(
        f"lpips_{name}", f"LPIPS on {'AlexNet' if name == 'alex' else 'VGG-16'}", "model.backbones.lpips.LPIPS",
        (*signature, "lin4.model.1.weight"), lambda arrays: {"backbone": name}, {"backbone": name}, absent=(absent,),
        dropped=CLASSIFIER,
    )  # fmt: skip


NETWORKS = (
    Network(
        "ir_se50", "IR-SE50 face recognition", "model.backbones.ir_se50.IRSE50",
        ("input_layer.0.weight", "body.23.res_layer.5.fc2.weight", "output_layer.3.weight"),
        absent=("body.24.res_layer.1.weight",),
    ),
    Network(
        "arcface_resnet18", "ArcFace ResNet-18, grey", "model.backbones.arcface.ResNet18ArcFace",
        ("conv1.weight", "bn1.weight", "layer4.1.conv2.weight", "fc5.weight", "bn5.weight"),
        lambda arrays: {"use_se": True} if "layer1.0.se.fc.0.weight" in arrays else {},
    ),
    _lpips("alex", ("features.10.weight", "features.0.weight"), "features.28.weight"),
    _lpips("vgg", ("features.28.weight",), "features.34.weight"),
    Network(
        "lpips_linear", "channel weights of LPIPS", "", ("lin0.model.1.weight", "lin4.model.1.weight"),
        note="convert them together with their backbone: two files to read, --as lpips_alex or lpips_vgg",
    ),
    Network(
        "alexnet", "AlexNet of torchvision", "", ("features.0.weight", "features.10.weight", "classifier.1.weight"),
        absent=("features.28.weight",), note="convert it together with LPIPS's channel weights, --as lpips_alex",
    ),
    _vgg(16),
    _vgg(19),
    Network(
        "inception_fid", "Inception v3 of FID", "model.backbones.inception.FIDInception",
        ("Conv2d_1a_3x3.conv.weight", "Mixed_7c.branch1x1.conv.weight"),
    ),
)  # fmt: skip

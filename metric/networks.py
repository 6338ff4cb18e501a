"""The networks inside metrics by the name of their weights; each module is imported when its network is built.

Source: ours; the networks name theirs.
"""


def _inception():
    from model.backbones.inception import FIDInception

    return FIDInception()


def _ir_se50():
    from model.backbones.ir_se50 import IRSE50

    return IRSE50()


def _arcface():
    from model.backbones.arcface import ResNet18ArcFace

    return ResNet18ArcFace()


def _lpips(backbone):
    from model.backbones.lpips import LPIPS

    return LPIPS(backbone)


BUILDERS = {
    "inception_fid": _inception,
    "ir_se50": _ir_se50,
    "arcface_resnet18": _arcface,
    "lpips_alex": lambda: _lpips("alex"),
    "lpips_vgg": lambda: _lpips("vgg"),
}
BACKBONES = {"lpips_alex": "alexnet", "lpips_vgg": "vgg16"}  # where the published file holds the linear layers only

"""The networks whose checkpoints this project knows: how to tell them, build them, and translate their keys.

One row of NETWORKS is one network. Adding one takes nothing else: name its builder, the keys that give it away, the
function that reads its sizes off the shapes (`engine.weights.shapes`), and, where `engine.weights.official_keys` does
not do, a function that translates its keys. Builders are dotted paths, imported when one is needed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from engine.errors import InputError
from engine.weights import shapes


@dataclass(frozen=True)
class Network:
    """One row.

    Attributes:
        name: what `--as` takes.
        title: what a person calls it.
        builder: dotted path of the class; empty for a network that is only recognised.
        signature: keys that all have to be there, in the official form; a tuple of tuples for several forms.
        arguments: function of the official arrays that gives the builder's keyword arguments.
        absent: keys that must not be there.
        renamed: function that translates the official arrays where names, parts or scale differ from ours by more than
            `engine.weights.official_keys` knows.
        goes_back: whether `to_official` gives what the authors' code loads.
        dropped: regular expression of keys that have no place in the builder's network.
        settings: dotted path of the typed section that the builder takes in place of keyword arguments.
        note: what else `--inspect` should say; of a network that is only recognised: why it is not converted.
    """

    name: str
    title: str
    builder: str
    signature: tuple
    arguments: Callable = lambda arrays: {}
    absent: tuple = ()
    renamed: Callable = dict
    goes_back: bool = True
    dropped: str = ""
    settings: str = ""
    note: str = ""

    def gives_itself_away(self, arrays):
        """Whether the arrays have the row's keys."""
        forms = self.signature if type(self.signature[0]) is tuple else (self.signature,)
        return any(all(key in arrays for key in form) for form in forms) and not any(k in arrays for k in self.absent)


def imported(path):
    """What a dotted path names."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _from_rosinality(arrays):
    """The StyleGAN2 generator of rosinality's code (and of pSp, e4e, GPEN's own training) under BasicSR's names."""
    if "constant_input.weight" in arrays:
        return dict(arrays)
    rules = (
        (r"^style\.", "style_mlp."), (r"^input\.input$", "constant_input.weight"), (r"^(conv1|convs)\.", r"style_\1."),
        (r"\.conv\.", ".modulated_conv."), (r"\.noise\.weight$", ".weight"), (r"^noises\.noise_", "noises.noise"),
    )  # fmt: skip
    renamed = {}
    for key, array in arrays.items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        if not key.endswith(".kernel"):
            renamed[key] = array
    return renamed


def _to_bilinear(arrays):
    """GFP-GAN's bilinear form, also from a clean file (an exact change of the weights' scale)."""
    if CLEAN[0] not in arrays:
        return dict(arrays)
    try:
        return imported("model.gfpgan.conversion.to_bilinear")(arrays)
    except KeyError as error:
        raise InputError(str(error.args[0])) from None


def _one_of_pconv(arrays):
    """A PartialConv U-Net of naoto0804, MMEditing or ours under our keys, its weights in the paper's scale."""
    if "enc_1.conv.input_conv.weight" in arrays:
        return imported("model.partialconv.keys.from_naoto")(arrays)
    if "encoder.enc1.conv.weight" in arrays:
        return imported("model.partialconv.keys.from_mmagic")(arrays)
    return dict(arrays)


def _one_of_maruru(arrays):
    """The two files of maruru-hub/PartialConv-paddle together, or our one, under our keys."""
    if "ec_1.conv.input_conv.weight" not in arrays:
        return dict(arrays)
    encoder = {key: array for key, array in arrays.items() if not key.startswith("dc_")}
    decoder = {key: array for key, array in arrays.items() if key.startswith("dc_")}
    return imported("model.partialconv.keys.from_maruru")(encoder, decoder)


def _vgg(depth):
    """Row of a torchvision VGG: all convolutions, without the classifier."""
    last = {16: 28, 19: 34}[depth]
    return Network(
        f"vgg{depth}", f"VGG-{depth} of torchvision, convolutions only", "model.backbones.vgg.VGG",
        ("features.0.weight", f"features.{last}.weight"),
        lambda arrays: {"depth": depth, "layers": ("pool5",)},
        absent=("features.1.weight", "features.34.weight" if depth == 16 else ""), dropped=r"classifier\..*",
    )  # fmt: skip


STATISTICS = r".*\.(running_mean|running_var|num_batches_tracked)"
ABSENT = "this network is not part of the project"
GFPGAN = ("conv_body_down.0.skip.1.weight", "condition_scale.0.0.weight", "stylegan_decoder.constant_input.weight")
CLEAN = ("conv_body_down.0.skip.weight", "condition_scale.0.0.weight", "stylegan_decoder.constant_input.weight")


def _one_of_glcic(arrays):
    """A discriminator of the landmark project under GLCIC's keys."""
    return dict(imported("model.landmark.network.official_discriminator_keys")(arrays))


NETWORKS = (
    # GPEN and StyleGAN2
    Network("gpen_generator", "GPEN generator", "model.gpen.network.GPENGenerator",
            ("ecd0.0.0.weight", "generator.input.input", "final_linear.0.weight"), shapes.gpen_generator),
    Network("gpen_discriminator", "StyleGAN2 discriminator as of GPEN and rosinality",
            "model.gpen.network.GPENDiscriminator",
            ("convs.0.0.weight", "convs.1.conv1.0.weight", "final_conv.0.weight"), shapes.stylegan2_discriminator),
    Network("stylegan2_generator", "StyleGAN2 generator", "model.shared.basicsr_stylegan2.StyleGAN2Generator",
            (("constant_input.weight", "style_conv1.modulated_conv.weight", "style_conv1.activate.bias"),
             ("input.input", "conv1.conv.weight", "noises.noise_0")),
            shapes.basicsr_generator, renamed=_from_rosinality),
    Network("gpen_decoder", "GPEN's StyleGAN2 decoder, without an encoder", "model.gpen.network.StyleGAN2Decoder",
            ("input.input", "conv1.conv.weight", "to_rgb1.conv.weight"), shapes.gpen_decoder),
    Network("stylegan2_discriminator", "StyleGAN2 discriminator as of BasicSR (GFP-GAN)",
            "model.shared.basicsr_stylegan2.StyleGAN2Discriminator",
            ("conv_body.0.0.weight", "conv_body.1.conv1.0.weight"),
            lambda arrays: shapes.stylegan2_discriminator(arrays, "conv_body")),
    # GFP-GAN
    Network("gfpgan_v1", "GFP-GAN generator, version 1 or bilinear", "model.gfpgan.network.GFPGANOriginal", GFPGAN,
            shapes.gfpgan, note="the two forms have the same keys: --as gfpgan_bilinear names the other"),
    Network("gfpgan_clean", "GFP-GAN generator, clean (versions 1.2, 1.3, 1.4)", "model.gfpgan.clean.GFPGANClean",
            CLEAN, shapes.gfpgan),
    Network("gfpgan_bilinear", "GFP-GAN generator, bilinear", "model.gfpgan.network.GFPGANBilinear",
            (GFPGAN, CLEAN), shapes.gfpgan, renamed=_to_bilinear),
    Network("gfpgan_component", "GFP-GAN critic of a facial part",
            "model.gfpgan.component.FacialComponentDiscriminator",
            ("conv1.0.weight", "conv4.1.weight", "conv5.0.weight", "final_conv.0.bias")),
    # Recognition
    Network("ir_se50", "IR-SE50 face recognition", "model.backbones.ir_se50.IRSE50",
            ("input_layer.0.weight", "body.23.res_layer.5.fc2.weight", "output_layer.3.weight"),
            absent=("body.24.res_layer.1.weight",)),
    Network("arcface_resnet18", "ArcFace ResNet-18, grey", "model.backbones.arcface.ResNet18ArcFace",
            ("conv1.weight", "bn1.weight", "layer4.1.conv2.weight", "fc5.weight", "bn5.weight"),
            lambda arrays: {"use_se": True} if "layer1.0.se.fc.0.weight" in arrays else {}),
    Network("sphere20a", "SphereFace, 20 layers", "model.sphereface.network.Sphere20a",
            ("conv1_1.weight", "conv3_9.weight", "conv4_3.weight", "fc5.weight"), shapes.sphere20a,
            dropped=r"fc6\.weight"),
    # Perception and statistics
    Network("lpips_alex", "LPIPS on AlexNet", "model.backbones.lpips.LPIPS",
            ("features.10.weight", "features.0.weight", "lin4.model.1.weight"), lambda arrays: {"backbone": "alex"},
            absent=("features.28.weight",), dropped=r"classifier\..*"),
    Network("lpips_vgg", "LPIPS on VGG-16", "model.backbones.lpips.LPIPS",
            ("features.28.weight", "lin4.model.1.weight"),
            lambda arrays: {"backbone": "vgg"}, absent=("features.34.weight",), dropped=r"classifier\..*"),
    Network("lpips_linear", "channel weights of LPIPS", "", ("lin0.model.1.weight", "lin4.model.1.weight"),
            note="convert them together with their backbone: two files to read, --as lpips_alex or lpips_vgg"),
    Network("alexnet", "AlexNet of torchvision", "", ("features.0.weight", "features.10.weight", "classifier.1.weight"),
            absent=("features.28.weight",), note="convert it together with LPIPS's channel weights, --as lpips_alex"),
    _vgg(16),
    _vgg(19),
    Network("inception_fid", "Inception v3 of FID", "model.backbones.inception.FIDInception",
            ("Conv2d_1a_3x3.conv.weight", "Mixed_7c.branch1x1.conv.weight")),
    # Inpainting
    Network("partialconv", "PartialConv U-Net", "model.partialconv.network.PartialConvUNet",
            (("enc_1.conv.input_conv.weight", "dec_1.conv.input_conv.weight"),
             ("encoder.enc1.conv.weight", "decoder.dec1.conv.weight"), ("enc_1.conv.weight", "dec_1.conv.weight")),
            shapes.partialconv, renamed=_one_of_pconv, goes_back=False,
            settings="model.partialconv.network.UNetSettings"),
    Network("maruru_unet", "masked-convolution U-Net of maruru-hub/PartialConv-paddle",
            "model.partialconv.maruru.MaskedUNet",
            (("ec_1.conv.input_conv.weight", "dc_1.model.1.weight"),
             ("encoder.ec_1.conv.weight", "decoder.dc_1.model.1.weight")),
            shapes.maruru_unet, renamed=_one_of_maruru, goes_back=False,
            settings="model.partialconv.maruru.MaruruSettings"),
    Network("glcic_completion", "GLCIC completion network", "model.landmark.network.CompletionNetwork",
            ("conv1.weight", "conv10.weight", "deconv13.weight", "conv17.weight"), shapes.completion_network),
    Network("glcic_discriminator", "GLCIC context discriminator", "model.landmark.network.ContextDiscriminator",
            (("model_ld.conv1.weight", "model_gd.conv1.weight"),
             ("model_local_discriminator.conv1.weight", "model_global_discriminator.conv1.weight")),
            shapes.context_discriminator, renamed=_one_of_glcic),
    Network("lafin_landmarks", "LaFIn landmark predictor", "model.landmark_predictor.network.LaFInPredictor",
            ("conv1_after_mbnet.weight", "fc_landmark.weight"), shapes.landmark_predictor),
    # Photo and caricature
    Network("satnet_generator", "SATNet generator", "model.satnet.network.AdaINGenerator",
            ("enc_style.model.0.conv.weight", "mlp.model.0.fc.weight", "dec.model.1.gamma"), shapes.adain_generator,
            dropped=STATISTICS, goes_back=False, settings="model.satnet.network.GeneratorSettings"),
    Network("munit_generator", "MUNIT generator", "model.satnet.network.AdaINGenerator",
            ("enc_style.model.0.conv.weight", "mlp.model.0.fc.weight"), shapes.adain_generator,
            dropped=STATISTICS, goes_back=False, settings="model.satnet.network.GeneratorSettings"),
    Network("satnet_discriminator", "discriminator of SATNet or MUNIT", "model.satnet.network.MultiScaleDiscriminator",
            ("cnns.0.0.conv.weight",), shapes.multi_scale_discriminator,
            settings="model.satnet.network.DiscriminatorSettings"),
    # Recognised only
    Network("maruru_half", "half of the U-Net of maruru-hub/PartialConv-paddle", "",
            (("ec_1.conv.input_conv.weight",), ("dc_1.model.1.weight", "dc_1.model.2.weight")),
            note="give both files to read, N_en.pdparams and N_de.pdparams, --as maruru_unet"),
    Network("lafin_generator", "LaFIn inpainting generator", "",
            ("encoder1.1.weight", "fushion1.0.weight", "auto_attn.query_conv.weight"), note=ABSENT),
    Network("lafin_discriminator", "LaFIn discriminator", "",
            ("conv1.0.weight_orig", "conv5.0.weight_orig", "auto_attn.query_conv.weight"), note=ABSENT),
)  # fmt: skip
BY_NAME = {network.name: network for network in NETWORKS}

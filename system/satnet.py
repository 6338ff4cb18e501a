"""SATNet's training: two generators that swap content and style, two multi-scale discriminators, a face kept the same.

MUNIT is the same system without attention, spectral norm and identity: configs/munit_256.yaml.

Source: Huang et al. 2018, section 3.2; reference code: NVlabs/MUNIT trainer.py and
yujiachen-y/experiments_on_face_photo2drawing codes/SATNet/trainer.py at a612e62 (the seed).
"""

import zlib

import numpy as np
import paddle

from engine import distributed
from engine.errors import InputError
from engine.images import from_signed, to_signed
from engine.onednn import plain
from engine.ports import Exported, Port
from engine.system import System, frozen, prefixed, total
from loss.adversarial import discriminator_loss, generator_loss
from loss.face_identity import masked_mean, same_person
from loss.pixel import l1
from loss.regularization import r1_penalty
from model.satnet.exported import StyleOf, Translation
from model.satnet.network import (
    AdaINGenerator,
    MultiScaleDiscriminator,
)
from model.shared.normalization import sample_mean
from system import satnet_measures
from system.satnet_identity import identity_loss
from system.satnet_measures import VARIANTS
from system.satnet_recipe import SATNetRecipe

OTHER = {"caricature": "photo", "photo": "caricature"}  # the seed's a and b


class SATNet(System):
    """Photo <-> caricature, unpaired and multimodal.

    Source: the seed's trainer.py at a612e62; MUNIT trainer.py.
    """

    Config = SATNetRecipe
    averaged = ("photo_generator", "caricature_generator")
    costly = ("variety", "identity_similarity", "fid")
    shown = ("photo", "to_caricature", "caricature", "to_photo")
    smoke = {
        "recipe.image_size": [28, 24],
        "recipe.generator.dim": 4,
        "recipe.generator.mlp_dim": 8,
        "recipe.generator.n_res": 1,
        "recipe.discriminator.dim": 4,
        "recipe.discriminator.n_layer": 2,
        "recipe.discriminator.num_scales": 2,
        "recipe.identity.mode": "none",
        "recipe.same_identity_weight": 0.0,
        "data.train.image_size": [28, 24],
        "data.validation.image_size": [28, 24],
    }

    def __init__(self, config):
        """Build the two generators."""
        self.config = c = config
        self.networks = {f"{name}_generator": AdaINGenerator(c.generator, c.spectral_init) for name in OTHER}
        self.state = {}

    def prepare_training(self):
        """Build the two discriminators and read the recognition network of the identity term.

        Raises:
            InputError: that network's file is missing and `identity.when_missing` is "stop".
        """
        c, generators = self.config, dict(self.networks)
        critics = {f"{name}_discriminator": MultiScaleDiscriminator(c.discriminator, c.spectral_init) for name in OTHER}
        self.networks |= critics
        self.trainable = {
            "generators": [p for network in generators.values() for p in network.parameters()],
            "discriminators": [p for network in critics.values() for p in network.parameters()],
        }
        wants_identity = c.identity.mode != "none" and (c.identity_weight or c.same_identity_weight)
        self.identity = identity_loss(c.identity) if wants_identity else None
        self.log_header = {"identity": c.identity.mode if self.identity else "off"}

    def train_step(self, batch, step, update):
        """Discriminators, then generators; each side draws its own styles.

        Source: the seed's and MUNIT's trainer.py, dis_update and gen_update.
        """
        pictures = {domain: self.network_input(batch[domain]) for domain in OTHER}
        c, judged = self.config, self.critic_losses(pictures)
        weights = {"loss": c.adversarial_weight, "r1": c.r1_gamma / 2}
        update("discriminators", sum(total(terms, weights) for terms in judged.values()))
        scalars = {}
        for domain in OTHER:
            scalars |= prefixed(f"{domain}_discriminator", judged[domain])

        with frozen(*(self.networks[f"{domain}_discriminator"] for domain in OTHER)):
            terms = self.generator_terms(pictures, self.labels(batch))
            loss = sum(total(terms[domain], self.weights()) for domain in OTHER)
            update("generators", loss)
        for domain in OTHER:
            scalars |= prefixed(f"{domain}_generator", terms[domain])
        return {"generators/loss": loss.detach(), **scalars}

    def network_input(self, image):
        """[N, 3, H, W] in [0, 1] -> [-1, 1]. InputError where the size is not `image_size`."""
        if tuple(image.shape[2:]) != tuple(self.config.image_size):
            raise InputError(
                f"data: pictures are {image.shape[2]} x {image.shape[3]}, the networks take "
                f"{self.config.image_size[0]} x {self.config.image_size[1]}; data.*.image_size must be "
                "recipe.image_size"
            )
        return to_signed(image)

    @staticmethod
    def labels(batch):
        """{domain: int64 [N]}, the person each picture shows, -1 where that is not known."""
        return {"photo": batch["identity"], "caricature": batch["caricature_identity"]}

    def drawn_style(self, count):
        """Styles of the prior, [count, style_dim, 1, 1] from N(0, 1): each process its part of the joint batch's."""
        return distributed.normal([count, self.config.generator.style_dim, 1, 1])

    def critic_losses(self, pictures):
        """{domain: {"loss", with R1 "r1"}} of its discriminator, on real pictures and fakes of freshly drawn styles."""
        count = len(pictures["photo"])
        losses = {}
        for domain, source in OTHER.items():
            with paddle.no_grad():
                content = self.networks[f"{source}_generator"].enc_content(pictures[source])
                fake = self.networks[f"{domain}_generator"].decode(content, self.drawn_style(count))
            critic, real = self.networks[f"{domain}_discriminator"], pictures[domain].detach()
            real.stop_gradient = not self.config.r1_gamma
            # fake first, as the seed: each forward is one power iteration of the critic's spectral norms
            with plain(self.config.r1_gamma > 0):
                judged_fake, logits = critic(fake), critic(real)
            losses[domain] = {"loss": discriminator_loss(self.config.gan, logits, judged_fake)}
            if self.config.r1_gamma:
                losses[domain]["r1"] = r1_penalty(sum(scale.mean([1, 2, 3]) for scale in logits), real)
        return losses

    def generator_terms(self, pictures, labels):
        """{domain: {term: unweighted scalar}}.

        Args: {domain: [N, 3, H, W] in [-1, 1]} and {domain: int64 [N]}.

        Source: the seed's and MUNIT's trainer.py, gen_update; its order of forwards decides what power iterations see.
        """
        generators = {domain: self.networks[f"{domain}_generator"] for domain in OTHER}
        drawn = {domain: self.drawn_style(len(pictures[domain])) for domain in OTHER}
        content, style = {}, {}
        for domain, generator in generators.items():
            content[domain], style[domain] = generator.encode(pictures[domain])
        remade = {domain: generators[domain].decode(content[domain], style[domain]) for domain in OTHER}
        made = {domain: generators[domain].decode(content[OTHER[domain]], drawn[domain]) for domain in OTHER}
        found = {domain: generators[domain].encode(made[domain]) for domain in OTHER}
        terms = {}
        for domain, source in OTHER.items():
            made_content, made_style = found[domain]
            terms[domain] = {
                "image": l1(remade[domain], pictures[domain]),
                "style": l1(made_style, drawn[domain]),
                "content": l1(made_content, content[source]),
            }
            if self.config.cycle_weight:
                back = generators[source].decode(made_content, style[source])
                terms[domain]["cycle"] = l1(back, pictures[source])
        for domain, source in OTHER.items():
            judged = self.networks[f"{domain}_discriminator"](made[domain])
            terms[domain]["adversarial"] = generator_loss(self.config.gan, judged)
            terms[domain] |= self.person_terms(made[domain], pictures, labels, domain)
            if self.config.swap_weight:
                swapped = generators[domain].decode(content[source], style[domain])
                distance = sample_mean((swapped - pictures[domain]).abs()).flatten()
                terms[domain]["swap"] = masked_mean(distance, same_person(labels))
        return terms

    def person_terms(self, made, pictures, labels, domain):
        """Identity terms of the pictures made in a domain, {} without a recognition network."""
        c, terms, source = self.config, {}, OTHER[domain]
        if self.identity and c.identity_weight:
            terms["identity"] = self.identity(made, pictures[source], labels[source])
        if self.identity and c.same_identity_weight:
            terms["same_identity"] = self.identity.same_person(made, pictures[domain], same_person(labels))
        return terms

    def weights(self):
        """Factor of every term of `generator_terms`."""
        c = self.config
        return {
            "image": c.image_weight,
            "style": c.style_weight,
            "content": c.content_weight,
            "cycle": c.cycle_weight,
            "adversarial": c.adversarial_weight,
            "identity": c.identity_weight,
            "same_identity": c.same_identity_weight,
            "swap": c.swap_weight,
        }

    def generate(self, batch, networks):
        """{"to_caricature", "to_photo"}: [N, 3, H, W] in [0, 1]; a sample's style follows from its name."""
        styles = named_styles(batch["name"], self.config.generator.style_dim)
        return {
            f"to_{domain}": self.translate(networks, domain, batch[source], styles) for domain, source in OTHER.items()
        }

    def measures(self):
        """Distances of sets, and whether styles differ and people stay the same: see system.satnet_measures."""
        return satnet_measures.builders(self)

    def variants(self, batch, networks):
        """{"variants_of_caricature", "variants_of_photo"}: [N, VARIANTS, 3, H, W] in [0, 1], styles of their own."""
        dim, found = self.config.generator.style_dim, {}
        styles = [named_styles([f"{name} variant {i}" for name in batch["name"]], dim) for i in range(VARIANTS)]
        for domain, source in OTHER.items():
            content = networks[f"{source}_generator"].enc_content(self.network_input(batch[source]))
            made = [networks[f"{domain}_generator"].decode(content, style) for style in styles]
            found[f"variants_of_{domain}"] = from_signed(paddle.stack(made, 1))
        return found

    def translate(self, networks, domain, image, style):
        """Pictures of the other domain [N, 3, H, W] in [0, 1], styles [N, style_dim] -> pictures of `domain`."""
        content = networks[f"{OTHER[domain]}_generator"].enc_content(self.network_input(image))
        return from_signed(networks[f"{domain}_generator"].decode(content, style))

    def inference(self, networks):
        """Two translations, photo to caricature first, and the encoders that take a style from a picture."""
        graphs = {}
        for domain, name in (("caricature", ""), ("photo", "to_photo")):
            graphs[name] = self._exported_translation(networks, domain, name)
        return graphs | {f"style_of_{domain}": self._exported_style(networks, domain) for domain in OTHER}

    def _exported_translation(self, networks, domain, name):
        shape, dim = (-1, 3, *self.config.image_size), self.config.generator.style_dim
        encoder = f"{'../' if name else ''}style_of_{domain}"
        return Exported(
            layer=Translation(networks[f"{OTHER[domain]}_generator"], networks[f"{domain}_generator"]),
            inputs=[Port("image", shape), Port("style", (-1, dim), "vector", encoder=encoder)],
            outputs=[Port(domain, shape)],
            reference=lambda image, style: self.translate(networks, domain, image, style),
            fit="crop",
            template="sphereface",
        )

    def _exported_style(self, networks, domain):
        generator = networks[f"{domain}_generator"]
        return Exported(
            layer=StyleOf(generator),
            inputs=[Port("image", (-1, 3, *self.config.image_size))],
            outputs=[Port("style", (-1, self.config.generator.style_dim), "vector")],
            reference=lambda image: generator.enc_style(self.network_input(image)).flatten(1),
            fit="crop",
            template="sphereface",
        )


def named_styles(names, dim):
    """Styles [N, dim] from N(0, 1) that follow from the samples' names alone, so that evaluation repeats.

    Source: ours. Differs: the seed draws one sequence from RandomState(1), so a style depends on what came before.
    """
    codes = [np.random.default_rng(zlib.crc32(name.encode())).standard_normal(dim) for name in names]
    return paddle.to_tensor(np.stack(codes), "float32")

"""Metrics in the form in which a set is scored: pictures come in batches, numbers come out for each picture or the set.

Every scorer has

* `names`: the metrics it gives;
* `update(pictures)`: a batch {kind: [N, H, W, 3] uint8}, of which "image" is the reference and every other kind is
  scored, "mask" [N, H, W, 1] apart; returns {metric/kind: [N] floats}. With `takes_unrounded` they are in [0, 1]; with
  `of_sets` a batch may lack the reference or be nothing else;
* `result()`: {metric/kind: float} of the whole set;
* `facts`: metric -> what its number depends on, for its signature.

Nothing keeps a picture. Features of the reference are computed once a batch, whatever the number of kinds.

Source: ours; the metrics name theirs.
"""

from engine.errors import InputError
from metric import fid, holes, kid
from metric.identity import cosine, degrees
from metric.legacy_seed import legacy_fid, legacy_psnr
from metric.niqe import niqe

MEASURES = {"cosine": cosine, "degrees": degrees}


def scored_kinds(pictures):
    """The kinds of a batch that are compared with the reference."""
    return [kind for kind in pictures if kind not in ("image", "mask")]


class Scorer:
    """Base: numbers for pictures, none for the set."""

    names: tuple = ()
    facts: dict = {}
    takes_unrounded = False
    of_sets = False

    def update(self, pictures):
        """Numbers of a batch; see the module."""
        raise NotImplementedError(f"{type(self).__name__} defines no update")

    def result(self):
        """Numbers of the set; see the module."""
        return {}


class PairScorer(Scorer):
    """A function of two pictures in 8 bits, picture by picture."""

    def __init__(self, name, function, facts):
        """`function(output, target)` of [H, W, 3] uint8."""
        self.names, self.function, self.facts = (name,), function, {name: facts}

    def update(self, pictures):
        """One number a picture and kind."""
        found = {}
        for kind in scored_kinds(pictures):
            pairs = zip(pictures[kind], pictures["image"], strict=True)
            found[f"{self.names[0]}/{kind}"] = [self.function(*pair) for pair in pairs]
        return found


class FeatureScorer(Scorer):
    """A distance of the features of two pictures: LPIPS, cosine, Deg."""

    def __init__(self, name, embed, between, facts):
        """`embed([N, H, W, 3] uint8)` gives features, `between` of two such results [N] numbers."""
        self.names, self.embed, self.between, self.facts = (name,), embed, between, {name: facts}

    def update(self, pictures):
        """One number a picture and kind."""
        target = self.embed(pictures["image"])
        return {
            f"{self.names[0]}/{kind}": self.between(self.embed(pictures[kind]), target)
            for kind in scored_kinds(pictures)
        }


class NIQEScorer(Scorer):
    """NIQE of every kind; the reference is not looked at."""

    def __init__(self, natural, facts):
        """`natural`: `metric.niqe.NaturalStatistics`."""
        self.names, self.natural, self.facts = ("niqe",), natural, {"niqe": facts}

    def update(self, pictures):
        """One number a picture and kind."""
        return {
            f"niqe/{kind}": [niqe(picture, self.natural) for picture in pictures[kind]]
            for kind in scored_kinds(pictures)
        }


class HoleScorer(Scorer):
    """Errors inside the hole; `hole_ratio` of each picture, by which means per bucket are taken. Needs a mask."""

    names = ("hole_l1", "hole_psnr", "hole_ssim")

    def __init__(self):
        """No settings."""
        self.functions = {name: getattr(holes, name) for name in self.names}
        self.facts = {
            name: {"colour": "RGB", "range": "1" if name == "hole_l1" else "255", "pixels": "hole"}
            for name in self.names
        }

    def update(self, pictures):
        """One number a picture and kind, and the ratio; nothing without a mask."""
        if "mask" not in pictures:
            return {}
        masks, target = pictures["mask"], pictures["image"]
        found = {"hole_ratio": [holes.hole_ratio(mask) for mask in masks]}
        for kind in scored_kinds(pictures):
            triples = list(zip(pictures[kind], target, masks, strict=True))
            found |= {
                f"{name}/{kind}": [function(*triple) for triple in triples] for name, function in self.functions.items()
            }
        return found


class SetScorer(Scorer):
    """FID and KID of each kind's pictures against the reference's, or FID against saved statistics."""

    of_sets = True

    def __init__(self, features, facts, saved=None, suffix=""):
        """Begin with empty sets.

        Args:
            features: [N, H, W, 3] uint8 -> [N, D].
            facts: what both numbers depend on.
            saved: (mean, covariance, facts) to compare with in place of the reference pictures; facts of FID alone.
            suffix: of the names.
        """
        self.features, self.saved, self.names = features, saved, (f"fid{suffix}", f"kid{suffix}")
        self.common, self.sets = facts, {}

    def update(self, pictures):
        """Add the batch's features to the sets, with masks also to those of their hole ratios; returns nothing."""
        buckets = [holes.bucket(holes.hole_ratio(mask)) for mask in pictures.get("mask", ())]
        for kind in (*scored_kinds(pictures), *(["image"] if "image" in pictures else [])):
            features = self.features(pictures[kind])
            self._add(kind, features)
            for bucket in sorted({bucket for bucket in buckets if bucket}):
                self._add(f"{kind}/{bucket}", features[[own == bucket for own in buckets]])
        return {}

    def _add(self, name, features):
        statistics, sample = self.sets.setdefault(name, (fid.FeatureStatistics(), kid.Sample()))
        statistics.update(features)
        sample.update(features)

    def result(self):
        """Both numbers of every kind, {"fid/composite", "fid/composite/0.1-0.2"}; KID only against own references.

        A hole ratio is compared with the reference pictures of the same holes, and left out where it has one picture.
        """
        found, references = {}, {"image": self.saved[:2] if self.saved else self.statistics("image").result()}
        for kind in [kind for kind in self.sets if kind.partition("/")[0] != "image"]:
            own = "/".join(["image", *kind.split("/")[1:]])
            if "/" in kind and self.count(kind) < 2:
                continue
            if own not in references:
                references[own] = self.saved[:2] if self.saved else self.statistics(own).result()
            distance = fid.frechet_distance(*self.statistics(kind).result(), *references[own])
            found[f"{self.names[0]}/{kind}"] = distance
            if own in self.sets:
                samples = [self.sets[each][1].result() for each in (kind, own)]
                found[f"{self.names[1]}/{kind}"] = kid.kernel_distance(*samples)
        return found

    def statistics(self, kind):
        """FeatureStatistics of a kind seen so far. InputError where there was none."""
        if kind not in self.sets:
            raise InputError(f"FID: no picture of '{kind}' was given")
        return self.sets[kind][0]

    def count(self, kind):
        """Pictures of a kind seen so far."""
        return self.sets[kind][0].count if kind in self.sets else 0

    @property
    def facts(self):
        """What the features depend on, and the sizes of the reference sets."""
        own = self.count("image")
        reference = self.saved[2] if self.saved else {"reference_n": own}
        sample = {"estimate": "unbiased", "of_at_most": kid.Sample().capacity, "reference_n": own}
        return {self.names[0]: self.common | reference, self.names[1]: self.common | sample}


class LegacySeedScorer(Scorer):
    """What GPEN's Paddle port printed; its FID only where there are features."""

    takes_unrounded = True

    def __init__(self, features=None, facts=None, suffix=""):
        """`features`: [N, H, W, 3] in [0, 1] -> [N, D], by the legacy resize; `facts` and `suffix`: of its FID."""
        self.features, self.fid = features, f"fid_legacy_seed{suffix}"
        note = {"definition": "of GPEN's Paddle port, malformed; compare with its table only"}
        self.facts = {"psnr_legacy_seed": note | {"range": "[-1, 1] clipped to [0, 1]"}}
        if features:
            self.facts[self.fid] = note | {"pictures": "one by one, averaged"} | (facts or {})
        self.names = tuple(self.facts)

    def update(self, pictures):
        """Both numbers of every picture and kind."""
        found, kinds = {}, scored_kinds(pictures)
        for kind in kinds:
            pairs = zip(pictures[kind], pictures["image"], strict=True)
            found[f"psnr_legacy_seed/{kind}"] = [legacy_psnr(*pair) for pair in pairs]
        if self.features:
            target = self.features(pictures["image"])
            for kind in kinds:
                pairs = zip(self.features(pictures[kind]), target, strict=True)
                found[f"{self.fid}/{kind}"] = [legacy_fid(*pair) for pair in pairs]
        return found

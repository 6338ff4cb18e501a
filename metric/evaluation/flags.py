"""Names of the metrics, and flags of programs that score."""

from engine.flags import Flag, at_least, boolean, choice

RESIZES = ("legacy", "clean")
WITH_WEIGHTS = ("lpips_alex", "lpips_vgg", "fid", "kid", "identity", "deg", "niqe")
DEFAULT = ("psnr", "ssim", "l1", "mse", *WITH_WEIGHTS)
OTHER = ("ssim_ec51", "relative_l1")

FLAGS = {
    "metrics": Flag(
        f"comma-separated, of {', '.join((*DEFAULT, *OTHER))}; all: those but the last {len(OTHER)}",
        default="all",
        metavar="NAMES",
    ),
    "crop_border": Flag("pixels PSNR and SSIM leave out on each side", at_least(0), default=0, metavar="N"),
    "on_luma": Flag("PSNR and SSIM on Y of YCbCr in place of RGB", boolean, default=False),
    "fid_resize": Flag(
        "legacy: as pytorch-fid; clean: as clean-fid",
        choice(*RESIZES),
        default=RESIZES[0],
        metavar="|".join(RESIZES),
    ),
    "fid_statistics": Flag("saved statistics (.npz or .pth) as FID's reference", metavar="FILE"),
    "save_fid_statistics": Flag("where statistics of the reference set are kept", metavar="FILE"),
    "metric_weights": Flag("folder with the weights of metrics", default="weights", metavar="DIR"),
    "proxy_weights": Flag("random weights in place of missing ones; names end in _proxy", boolean, default=False),
    "legacy_seed_metrics": Flag(
        "also the PSNR and FID of metric/legacy_seed.py, for comparison with one table",
        boolean,
        default=False,
        aliases=("--legacy-seed-metrics",),
    ),
}
FACES = {  # of programs that score faces
    "gallery": Flag("folder with a sub-folder of other pictures for every person, for files", metavar="DIR"),
    "gallery_pictures": Flag("pictures of each drawn person in the gallery", at_least(1), default=3, metavar="N"),
    "detector": Flag("yunet, insightface:FILE or none", default="yunet", metavar="NAME"),
}

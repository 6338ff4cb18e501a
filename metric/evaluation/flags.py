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
    "crop_border": Flag("pixels to leave out on each side for PSNR and SSIM", at_least(0), default=0, metavar="N"),
    "on_luma": Flag("compute PSNR and SSIM on Y of YCbCr instead of RGB", boolean, default=False),
    "fid_resize": Flag(
        "legacy: as pytorch-fid; clean: as clean-fid",
        choice(*RESIZES),
        default=RESIZES[0],
        metavar="|".join(RESIZES),
    ),
    "fid_statistics": Flag("saved statistics (.npz or .pth) as FID's reference", metavar="FILE"),
    "save_fid_statistics": Flag("file for the statistics of the reference set", metavar="FILE"),
    "metric_weights": Flag("folder with the weights of metrics", default="weights", metavar="DIR"),
    "proxy_weights": Flag("use random weights instead of missing ones; names end in _proxy", boolean, default=False),
    "legacy_seed_metrics": Flag(
        "also compute PSNR and FID of metric/legacy_seed.py, to compare with one table",
        boolean,
        default=False,
        aliases=("--legacy-seed-metrics",),
    ),
}
FACES = {  # of programs that score faces
    "gallery": Flag("folder with one sub-folder of other pictures per person", metavar="DIR"),
    "gallery_pictures": Flag("pictures per drawn person in the gallery", at_least(1), default=3, metavar="N"),
    "detector": Flag("yunet, insightface:FILE or none", default="yunet", metavar="NAME"),
}

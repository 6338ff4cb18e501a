"""Picture files written byte by byte: containers, depths, orientations and a colour profile."""

import io
import itertools
import struct
import zlib

import numpy as np
from PIL import Image

SIZE = (24, 40)
RAMP = np.stack([*np.meshgrid(np.linspace(0, 1, SIZE[1]), np.linspace(0, 1, SIZE[0])), np.full(SIZE, 0.25)], -1)
STORED = {  # EXIF orientation -> how a camera held that way stores an upright [H, W, C] array
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def samples(depth, channels):
    """[H, W, channels] of a picture whose corners all differ; 1: grey, 2: grey and alpha, 3: RGB, 4: RGB and alpha."""
    alpha = np.clip(RAMP[..., 1:2] * 2, 0, 1)
    picture = np.concatenate([RAMP, alpha], -1) if channels > 2 else np.concatenate([RAMP[..., :1], alpha], -1)
    highest = 2**depth - 1
    return np.rint(picture[..., :channels] * highest).astype(f"u{depth // 8}")


def tiff(picture, order="<", photometric=None, planar=1, tiles=False, deflated=False, orientation=1, **more):
    """The bytes of a TIFF of [H, W, C] samples, written by the specification."""
    height, width, channels = picture.shape
    kind = np.dtype(picture.dtype).newbyteorder(order)
    planes = [picture[..., c : c + 1] for c in range(channels)] if planar == 2 else [picture]
    blocks = []
    for plane in planes:
        if tiles:
            plane = np.pad(plane, [(0, -height % 16), (0, -width % 16), (0, 0)])
            grid = itertools.product(range(0, height, 16), range(0, width, 16))
            blocks += [plane[y : y + 16, x : x + 16] for y, x in grid]
        else:
            blocks += [plane[y : y + 8] for y in range(0, height, 8)]
    packed = [np.ascontiguousarray(block.astype(kind)).tobytes() for block in blocks]
    packed = [zlib.compress(block) for block in packed] if deflated else packed
    places = np.cumsum([8] + [len(block) for block in packed])
    photometric = (1 if channels < 3 else 2) if photometric is None else photometric
    tags = {256: [width], 257: [height], 258: [8 * kind.itemsize] * channels, 259: [8 if deflated else 1]}
    tags |= {262: [photometric], 274: [orientation], 277: [channels], 284: [planar]}
    tags |= {322: [16], 323: [16]} if tiles else {278: [8]}
    tags[324 if tiles else 273], tags[325 if tiles else 279] = places[:-1].tolist(), list(map(len, packed))
    if channels in (2, 4):
        tags[338] = [2]
    tags |= {{"sample_format": 339}[name]: value for name, value in more.items()}
    start, extra, entries = places[-1] + len(packed[-1]) % 2, b"", b""
    start = 8 + sum(map(len, packed))
    start += start % 2
    for tag, values in sorted(tags.items()):
        data = struct.pack(f"{order}{len(values)}I", *values)
        if tag not in (273, 279, 324, 325):
            data = struct.pack(f"{order}{len(values)}H", *values)
        at = struct.pack(f"{order}I", start + 6 + 12 * len(tags) + len(extra))
        extra += data + b"\0" * (len(data) % 2) if len(data) > 4 else b""
        letter = 4 if tag in (273, 279, 324, 325) else 3
        entries += struct.pack(f"{order}HHI", tag, letter, len(values)) + (
            at if len(data) > 4 else data.ljust(4, b"\0")
        )
    body = b"".join(packed)
    body += b"\0" * (len(body) % 2)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    return head + body + struct.pack(f"{order}H", len(tags)) + entries + b"\0" * 4 + extra


def pillow(picture, container, orientation=1, **options):
    """The bytes of 8-bit samples in a container of Pillow's."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture[..., 0] if picture.shape[2] == 1 else picture))
    image.save(out, container, exif=exif, **({} if container == "TIFF" else {"quality": 95}) | options)
    return out.getvalue()


def png_16(picture, orientation=1, chunks=()):
    """The bytes of a 16-bit PNG, with EXIF, written by the specification."""
    height, width, channels = picture.shape
    rows = picture.astype(">u2").reshape(height, -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    exif = Image.Exif()
    exif[0x0112] = orientation
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(data)), (b"eXIf", exif.tobytes()[6:]), (b"IEND", b"")]
    made = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in body
    )
    return b"\x89PNG\r\n\x1a\n" + made


def stored(picture, orientation):
    return np.ascontiguousarray(STORED[orientation](picture))


def wide_profile():
    """A v2 profile of Adobe RGB's primaries and gamma 2.2, made by hand."""
    columns = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]
    xyz = [b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in column)) for column in columns]
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    names = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"wtpt", b"cprt")
    parts = [*xyz, curve, curve, curve, white, b"text\0\0\0\0none\0\0\0\0"]
    table, body, place = b"", b"", 132 + 12 * len(parts)
    for name, part in zip(names, parts, strict=True):
        table += name + struct.pack(">II", place + len(body), len(part))
        body += part
    head = struct.pack(">I4sI4s4s4s", place + len(body), b"\0" * 4, 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(parts)) + table + body

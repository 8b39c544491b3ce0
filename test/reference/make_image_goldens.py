"""Writes test/golden/image/pillow.json: what Pillow makes of made-up pictures.

    python -m venv venv && venv/bin/pip install pillow==13.0.0 numpy
    venv/bin/python test/reference/make_image_goldens.py
"""
import base64
import io
import json
import pathlib
import struct
import zlib

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

OUT = pathlib.Path(__file__).parent.parent / "golden" / "image" / "pillow.json"


def fnv(data):
    h = 2166136261
    for b in data:
        h = ((h ^ b) * 16777619) & 0xFFFFFFFF
    return h


def noise(name, n):
    x, out = fnv(name.encode()), bytearray(n)
    for i in range(n):
        x = (1664525 * x + 1013904223) & 0xFFFFFFFF
        out[i] = x >> 24
    return bytes(out)


def picture(name, w, h):
    return Image.frombytes("RGB", (w, h), noise(name, w * h * 3))


FILTERS = {"box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}


def resizes():
    rows = []
    for name, f in FILTERS.items():
        for (w, h), (ow, oh) in [((61, 43), (24, 24)), ((61, 43), (96, 70)), ((1, 40), (9, 7)), ((300, 2), (48, 48)), ((640, 97), (13, 97)), ((50, 50), (25, 25))]:
            rows.append((name, f, w, h, ow, oh, None))
        for box in [(3.25, 2.5, 50.125, 40.75), (0, 0, 61, 20), (10, 5, 34, 29), (7.3, 1.1, 7.9, 42.6), (0.1, 0.2, 60.7, 42.9), (0, 3, 61, 27)]:
            rows.append((name, f, 61, 43, 24, 24, box))
    out = []
    for name, f, w, h, ow, oh, box in rows:
        data = picture("resize", w, h).resize((ow, oh), f, box=box).tobytes()
        out.append({"filter": name, "from": [w, h], "to": [ow, oh], "box": box, "hash": fnv(data)})
    return out


def hue(image, shift):
    h, s, v = image.convert("HSV").split()
    moved = np.array(h, dtype=np.uint8) + np.int32(shift * 255).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(moved), s, v)).convert("RGB")


def effects():
    image = picture("effects", 61, 43)
    makers = {
        "brightness": lambda x: ImageEnhance.Brightness(image).enhance(x),
        "contrast": lambda x: ImageEnhance.Contrast(image).enhance(x),
        "saturation": lambda x: ImageEnhance.Color(image).enhance(x),
        "hue": lambda x: hue(image, x),
        "blur": lambda x: image.filter(ImageFilter.GaussianBlur(x)),
        "solarize": lambda x: ImageOps.solarize(image, x),
        "greyscale": lambda x: image.convert("L").convert("RGB"),
    }
    values = {
        "brightness": [0, 0.6, 0.9371, 1, 1.4],
        "contrast": [0, 0.6, 0.9371, 1, 1.4],
        "saturation": [0, 0.8, 0.9371, 1, 1.2],
        "hue": [-0.5, -0.1, -0.0371, 0, 0.0371, 0.1, 0.5],
        "blur": [0.1, 0.5, 0.9371, 1, 1.7, 2, 5.3, 40],
        "solarize": [128, 1],
        "greyscale": [0],
    }
    return [{"effect": k, "value": v, "hash": fnv(makers[k](v).tobytes())} for k in makers for v in values[k]]


def png16(array, colour_type):
    h, w = array.shape[:2]
    rows = b"".join(b"\0" + array[y].astype(">u2").tobytes() for y in range(h))
    chunk = lambda t, d: struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 16, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def encoded(image, fmt, **options):
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def formats():
    w, h = 21, 13
    y, x = np.mgrid[0:h, 0:w]
    rgb = np.stack([x * 12, y * 19, (x * y) % 256], -1).astype(np.uint8)
    alpha = ((x + y) * 7 % 256).astype(np.uint8)
    image = Image.fromarray(rgb)
    rgba = Image.fromarray(np.concatenate([rgb, alpha[..., None]], -1))
    wide = rgb.astype(np.uint16) * 256 + alpha[..., None]
    palette = image.quantize(16)
    exif = Image.Exif()
    exif[0x112] = 6
    files = {
        "jpeg 4:2:0": encoded(image, "JPEG", quality=80, subsampling=2),
        "jpeg 4:2:2 progressive": encoded(image, "JPEG", quality=80, subsampling=1, progressive=True),
        "jpeg 4:4:4, EXIF orientation 6": encoded(image, "JPEG", quality=80, subsampling=0, exif=exif),
        "jpeg grey": encoded(image.convert("L"), "JPEG", quality=80),
        "jpeg CMYK": encoded(Image.fromarray(np.concatenate([rgb, alpha[..., None] // 2], -1), "CMYK"), "JPEG", quality=80),
        "png 1 bit": encoded(image.convert("1"), "PNG"),
        "png grey": encoded(image.convert("L"), "PNG"),
        "png grey alpha": encoded(rgba.convert("LA"), "PNG"),
        "png palette": encoded(palette, "PNG"),
        "png palette, one transparent colour": encoded(palette, "PNG", transparency=3),
        "png RGBA": encoded(rgba, "PNG"),
        "png RGB 16 bit": png16(wide, 2),
        "png RGBA 16 bit": png16(np.concatenate([wide, (alpha.astype(np.uint16) * 257)[..., None]], -1), 6),
        "gif": encoded(palette, "GIF"),
        "webp": encoded(image, "WEBP", quality=70),
        "webp lossless RGBA": encoded(rgba, "WEBP", lossless=True, exact=True),
        "tiff CMYK": encoded(image.convert("CMYK"), "TIFF", compression="tiff_lzw"),
    }
    rows = []
    for name, data in files.items():
        opened = Image.open(io.BytesIO(data))
        rows.append(
            {
                "name": name,
                "mode": opened.mode,
                "size": opened.size,
                "rgb": fnv(opened.convert("RGB").tobytes()),
                "upright": fnv(ImageOps.exif_transpose(opened).convert("RGB").tobytes()),
                "base64": base64.b64encode(data).decode(),
            }
        )
    return rows


if __name__ == "__main__":
    sections = {"resize": resizes(), "effects": effects(), "formats": formats()}
    lines = [f'"pillow": {json.dumps(PIL.__version__)}']
    for name, rows in sections.items():
        lines.append(f'"{name}": [\n' + ",\n".join("  " + json.dumps(r, separators=(",", ":")) for r in rows) + "\n]")
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(OUT, OUT.stat().st_size)

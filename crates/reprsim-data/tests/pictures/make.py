"""Makes the pictures beside it, which the image crate cannot write (Pillow 13):
each is 16 x 8, red on the left and blue on the right."""

import struct
import zlib
from pathlib import Path

from PIL import Image

here = Path(__file__).parent
RED, BLUE = (220, 40, 30), (20, 60, 200)

plain = Image.new("RGB", (16, 8), RED)
plain.paste(BLUE, (8, 0, 16, 8))
plain.convert("CMYK").save(here / "inks.jpg")
plain.save(here / "progressive.jpg", progressive=True, quality=95)
plain.convert("LA").save(here / "grey-alpha.png")
plain.save(here / "lossy.webp", quality=90)
other = plain.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
for name in ["moving.png", "moving.webp", "moving.gif"]:
    plain.save(here / name, save_all=True, append_images=[other], duration=100)
palette = plain.quantize(2)
transparent = palette.getpixel((15, 0))  # blue
palette.save(here / "palette.png", transparency=transparent, bits=1)
palette.save(here / "palette.gif", transparency=transparent)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# Interlaced (Adam7), which Pillow reads but does not write.
passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
rows = b""
for left, top, across, down in passes:
    for y in range(top, 8, down):
        pixels = [plain.getpixel((x, y)) for x in range(left, 16, across)]
        rows += bytes([0]) + bytes(v for pixel in pixels for v in pixel)
head = struct.pack(">IIBBBBB", 16, 8, 8, 2, 0, 0, 1)
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
(here / "interlaced.png").write_bytes(png)
assert Image.open(here / "interlaced.png").convert("RGB").tobytes() == plain.tobytes()

"""The colours of an opened picture: to 8 bits a channel of sRGB, grey or colour."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from tellapart.errors import ImageError

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

MAX_PROFILE_BYTES = 4 * 2**20
"""A larger ICC profile is ignored; those of printing presses take about 2 MiB."""

_BITS_PER_SAMPLE = 258  # a tag of TIFF


def to_mode(
    image: Image.Image,
    mode: Literal["L", "RGB"] | None,
    background: tuple[int, int, int],
    name: str,
) -> Image.Image:
    """Brings a picture's colours to 8 bits of sRGB, on a background where it is transparent.

    Args:
        image: upright, decoded.
        mode: "L" (grey) or "RGB"; None keeps a grey picture grey and makes all others RGB.
        background: red, green, blue behind transparent pixels.
        name: what errors call the picture.

    Raises:
        ImageError: its numbers do not say what is white.
    """
    if image.mode == "F":
        raise ImageError(name, "holds floating-point pixels; save it with 8 or 16 bits a channel")
    wanted = mode or ("L" if is_grey(image) else "RGB")
    profile = image.info.get("icc_profile")
    if image.mode == wanted and not profile and not image.has_transparency_data:
        return image
    if image.mode.startswith("I"):
        image = _to_8_bits(image, name)
    transparent = image.has_transparency_data
    if profile:
        image = _to_srgb(image, profile)
    if transparent:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(canvas, image)
    return image.convert(wanted)


def refuse_32_bits(image: Image.Image, name: str) -> None:
    """Refuses a TIFF of 32-bit integers, of which nothing says what is white: 255 or 4 billion."""
    if image.mode == "I" and image.format == "TIFF":
        bits = max(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (1,)))
        if bits > 16:
            raise ImageError(
                name, f"holds {bits}-bit whole numbers; save it with 8 or 16 bits a channel"
            )


def _to_8_bits(image: Image.Image, name: str) -> Image.Image:
    """Makes a grey picture of 16 bits one of 8. Pillow holds some of them in 32 bits."""
    deep = np.asarray(image).astype(np.int32)
    lowest, highest = deep.min(), deep.max()
    if lowest < 0 or highest > 65535:
        raise ImageError(
            name,
            f"holds whole numbers from {lowest:,} to {highest:,}; expected 0 to 65,535: save it "
            "with 8 or 16 bits a channel",
        )
    return Image.fromarray(((deep + 128) // 257).astype(np.uint8))


def is_grey(image: Image.Image) -> bool:
    """Whether a picture has no colours but shades of grey, by its mode."""
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Applies a picture's ICC profile. One that is broken or of other colours is ignored."""
    transparent = image.has_transparency_data
    if image.mode in ("1", "L", "LA", "La"):
        ink = "L"
    elif image.mode in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX"):
        ink = "RGB"
    elif image.mode == "CMYK":
        ink = "CMYK"
    else:  # LAB, YCbCr: Pillow knows what their numbers mean
        return image
    transform = _srgb_transform(profile, ink)
    if transform is None:
        return image
    alpha = image.convert("RGBA").getchannel("A") if transparent else None
    if image.mode != ink:  # by way of RGBA, or transparent palette entries lose their colour
        image = image.convert("RGBA").convert(ink) if transparent else image.convert(ink)
    image = transform.apply(image)
    if alpha is not None:
        image.putalpha(alpha)
    return image


@lru_cache(maxsize=16)  # the pictures of one camera or press share a profile
def _srgb_transform(profile: bytes, mode: str) -> ImageCmsTransform | None:
    """Returns the way from a profile's colours to sRGB, or None where there is nothing to do."""
    if len(profile) > MAX_PROFILE_BYTES or _is_srgb(profile):
        return None
    from PIL import ImageCms  # imported where it is needed: most pictures have no profile

    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _is_srgb(profile: bytes) -> bool:
    """Whether the profile calls itself sRGB, in ASCII (ICC version 2) or UTF-16 (version 4)."""
    return any("sRGB".encode(encoding) in profile for encoding in ("ascii", "utf-16-be"))


def luma(colour: tuple[int, int, int]) -> int:
    """Returns how bright a colour is, 0 to 255, by ITU-R 601."""
    pixel = Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))
    return int(pixel)  # type: ignore[arg-type]  # one number in mode "L"

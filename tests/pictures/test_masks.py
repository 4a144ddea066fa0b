"""restora.pictures.masks: what people paint, in all the ways that they do, becomes the same mask."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from restora.errors import MaskError, OptionError
from restora.pictures import image, masks
from restora.pictures.image import Picture

SIDE = 128
Transpose = Image.Transpose


def paint(sheet: Image.Image, colour: Any = 255) -> Image.Image:
    """A stroke and a disc, of which nothing is symmetric."""
    pen = ImageDraw.Draw(sheet)
    pen.line([(8, 20), (60, 90), (120, 100)], fill=colour, width=5)
    pen.ellipse([80, 20, 100, 40], fill=colour)
    return sheet


def photo() -> Image.Image:
    """Shades, edges and grain, of no colour that is pure."""
    row, column = np.mgrid[0:SIDE, 0:SIDE]
    stripes = 60 * ((row // 16 + column // 24) % 2)
    shades = np.stack([50 + row * 0.6, 150 - column * 0.7, 60 + column * 0.5], 2) + stripes[..., None] / 2
    grain = np.random.default_rng(0).normal(0, 3, (SIDE, SIDE, 1))
    return Image.fromarray((shades + grain).clip(20, 230).astype(np.uint8))


WHITE = paint(Image.new("L", (SIDE, SIDE)))
MISSING = np.asarray(WHITE) > 0
PHOTO = photo()


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def find(mask: Image.Image | bytes, of: Image.Image | None = PHOTO, grow: int = 0) -> masks.Found:
    data = mask if isinstance(mask, bytes) else encoded(mask)
    picture = None if of is None else image.read(encoded(of))
    return masks.read_sheet(data, "mask.png").find(picture, "photo.png", grow)


def missing(mask: Image.Image | bytes, of: Image.Image | None = PHOTO, grow: int = 0) -> NDArray[np.bool_]:
    return find(mask, of, grow).observed[0].numpy() == 0


def assert_close(found: NDArray[np.bool_], least: NDArray[np.bool_] = MISSING, rim: float = 3) -> None:
    """All that was painted, and nothing that is further from it."""
    assert not (least & ~found).any()
    assert not (found & (ndimage.distance_transform_edt(~least) > rim)).any()


def layer(colour: tuple[int, int, int, int]) -> Image.Image:
    return paint(Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0)), colour)


def values(low: int, high: int, dtype: type = np.uint8) -> Image.Image:
    return Image.fromarray(np.where(MISSING, high, low).astype(dtype))


EXACT = {
    "grey": WHITE,
    "RGB": WHITE.convert("RGB"),
    "palette": WHITE.convert("P"),
    "one bit": WHITE.convert("1"),
    "red on black": paint(Image.new("RGB", (SIDE, SIDE)), (200, 0, 0)),
    "opaque": WHITE.convert("RGBA"),
    "0 and 1": values(0, 1),
    "0 and 1 of 16 bits": values(0, 1, np.uint16),
    "0 and 128": values(0, 128),
    "white on transparency": layer((255, 255, 255, 255)),
    "black on transparency": layer((0, 0, 0, 255)),
    "half-transparent red": layer((255, 0, 0, 100)),
    "red on a copy": paint(PHOTO.copy(), (255, 0, 0)),
    "white on a copy": paint(PHOTO.copy(), (255, 255, 255)),
    "black on a copy": paint(PHOTO.copy(), (0, 0, 0)),
}


@pytest.mark.parametrize("mask", EXACT.values(), ids=EXACT)
def test_the_mask_is_what_was_painted(mask: Image.Image) -> None:
    found = masks.read_mask(encoded(mask), image.read(encoded(PHOTO)))
    assert found.shape == (1, SIDE, SIDE)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found[0].numpy(), ~MISSING)


@pytest.mark.parametrize("radius", [0.7, 2, 4])
def test_a_soft_edge_is_missing_to_its_end(radius: float) -> None:
    soft = WHITE.filter(ImageFilter.GaussianBlur(radius))
    np.testing.assert_array_equal(missing(soft), np.asarray(soft) > 0)
    transparent = layer((255, 0, 0, 255))
    transparent.putalpha(soft)
    np.testing.assert_array_equal(missing(transparent), np.asarray(soft) > 0)


@pytest.mark.parametrize("quality", [95, 75, 50])
@pytest.mark.parametrize("low", [0, 16])
def test_the_waves_of_a_jpeg_are_not_missing_but_its_edges_are(quality: int, low: int) -> None:
    mask = encoded(values(low, 235 + (low == 0) * 20), "JPEG", quality=quality)
    stored = np.asarray(Image.open(io.BytesIO(mask)))
    far = ndimage.distance_transform_edt(~MISSING) > 4
    assert len(np.unique(stored[far])) > 3  # so there are waves
    assert_close(missing(mask), rim=4)
    assert_close(missing(Image.fromarray(stored)), rim=4)


def test_a_soft_edge_that_was_compressed() -> None:
    soft = WHITE.filter(ImageFilter.GaussianBlur(2))
    assert_close(missing(encoded(soft, "JPEG", quality=80)), np.asarray(soft) > 20, rim=8)


@pytest.mark.parametrize(("orientation", "turn"), [(3, Transpose.ROTATE_180), (6, Transpose.ROTATE_90)])
def test_a_turned_mask_is_turned_back(orientation: int, turn: Transpose) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_close(missing(encoded(WHITE.transpose(turn), "JPEG", exif=exif, quality=95)))


@pytest.mark.parametrize("quality", [95, 75])
@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (255, 255, 255)])
def test_strokes_over_a_copy_that_was_compressed(quality: int, colour: tuple[int, int, int]) -> None:
    assert_close(missing(encoded(paint(PHOTO.copy(), colour), "JPEG", quality=quality)), rim=4)
    compressed = Image.open(io.BytesIO(encoded(PHOTO, "JPEG", quality=quality))).convert("RGB")
    assert_close(missing(paint(PHOTO.copy(), colour), of=compressed))


def test_red_over_a_grey_photo_is_seen_by_its_colour() -> None:
    grey = Image.new("L", (SIDE, SIDE), 76)  # the luma of pure red
    np.testing.assert_array_equal(missing(paint(grey.convert("RGB"), (255, 0, 0)), of=grey), MISSING)


def test_red_over_a_white_page() -> None:
    page = Image.new("RGB", (SIDE, SIDE), (252, 252, 252))
    np.testing.assert_array_equal(missing(paint(page.copy(), (255, 0, 0)), of=page), MISSING)


def test_transparent_parts_of_a_copy() -> None:
    erased = PHOTO.convert("RGBA")
    erased.putalpha(Image.fromarray(np.where(MISSING, 0, 255).astype(np.uint8)))
    np.testing.assert_array_equal(missing(erased), MISSING)


@pytest.mark.parametrize("factor", [0.5, 2])
@pytest.mark.parametrize("over", [False, True])
def test_another_size_in_the_same_proportion_is_scaled_and_noted(factor: float, over: bool) -> None:
    side = round(SIDE * factor)
    mask = paint(PHOTO.copy(), (255, 0, 0)) if over else WHITE
    found = find(mask.resize((side, side)))
    assert_close(found.observed[0].numpy() == 0, rim=6)
    assert found.notes[-1] == f"mask.png: scaled from {side}x{side} to 128x128, as photo.png is"


def test_another_proportion_is_refused() -> None:
    with pytest.raises(
        MaskError, match=r"the mask is 128x96 but photo\.png is 128x128; expected the same size, or"
    ):
        find(WHITE.resize((SIDE, 96)))
    assert find(WHITE.resize((64, 48)), PHOTO.resize((SIDE, 97))).observed.shape == (1, 97, SIDE)  # rounded


def test_notes_say_what_was_understood() -> None:
    assert find(WHITE).notes == ()
    assert find(values(0, 1)).notes == ("mask.png: its values are 0, 1 of 255; all but 0 is missing",)
    assert "0, 1 of 65535" in find(values(0, 1, np.uint16)).notes[0]
    assert find(EXACT["red on a copy"]).notes == (
        "mask.png: a copy of photo.png; what was painted over it is missing",
    )
    large = Image.new("L", (SIDE, SIDE), 0)
    large.paste(255, (0, 0, SIDE, 90))
    assert "70% of it is missing. If it is inverted" in find(large).notes[0]


def test_grow_adds_pixels_all_around() -> None:
    np.testing.assert_array_equal(missing(WHITE, grow=3), ndimage.distance_transform_edt(~MISSING) <= 3)
    with pytest.raises(OptionError, match="grow: expected a whole number"):
        masks.Reading(grow=-1)
    with pytest.raises(MaskError, match="the mask is white everywhere"):
        find(WHITE, grow=SIDE)


REFUSED = {
    "black": (Image.new("L", (SIDE, SIDE)), "nothing is missing .*values from 0 to 0 of 255"),
    "hardly any paint": (
        values(0, 12).filter(ImageFilter.GaussianBlur(2)),
        "nothing is missing .* 0 to 12 of",
    ),
    "black JPEG": (encoded(Image.new("L", (SIDE, SIDE)), "JPEG"), "nothing is missing"),
    "white": (Image.new("L", (SIDE, SIDE), 255), "the mask is white everywhere.*Is it inverted"),
    "inverted": (values(255, 0), r"white nearly everywhere \(9\d\.\d%\)"),
    "nothing on transparency": (Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0)), "nothing is missing"),
    "the photo": (PHOTO, "nothing is missing"),
    "another photo": (
        PHOTO.transpose(Transpose.ROTATE_90),
        r"not black and white \(.*% between; .*nor a copy",
    ),
    "grey": (Image.new("L", (SIDE, SIDE), 128), "values from 128 to 128 of 255"),
}


@pytest.mark.parametrize(("mask", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_mask_is_refused_in_a_line(mask: Image.Image | bytes, message: str) -> None:
    with pytest.raises(MaskError, match=message) as caught:
        find(mask)
    assert str(caught.value).startswith("mask.png: ")
    assert "\n" not in str(caught.value)


def test_what_needs_no_picture_is_told_at_once() -> None:
    with pytest.raises(MaskError, match="white everywhere"):
        masks.read_sheet(encoded(Image.new("L", (8, 8), 255)), "m").check()
    masks.read_sheet(encoded(EXACT["red on a copy"]), "m").check()
    np.testing.assert_array_equal(missing(WHITE, of=None), MISSING)


def test_the_alpha_of_the_picture() -> None:
    cut = PHOTO.convert("RGBA")
    cut.putalpha(Image.fromarray(np.where(MISSING, 100, 255).astype(np.uint8)))
    picture = image.read(encoded(cut))
    np.testing.assert_array_equal(masks.of_alpha(picture, "a.png").observed[0] == 0, MISSING)
    assert (
        masks.of_alpha(picture, "a.png", 2).observed.sum() < masks.of_alpha(picture, "a.png").observed.sum()
    )
    for opaque in (PHOTO, PHOTO.convert("RGBA")):
        with pytest.raises(MaskError, match=r"a\.png: no transparent areas to fill"):
            masks.of_alpha(image.read(encoded(opaque)), "a.png")
    with pytest.raises(MaskError, match="everywhere"):
        masks.of_alpha(Picture(torch.ones(3, 4, 4), alpha=torch.zeros(1, 4, 4)), "a.png")


def test_a_mask_of_several_pages_is_refused() -> None:
    data = encoded(WHITE, "TIFF", save_all=True, append_images=[WHITE])
    with pytest.raises(
        MaskError, match="2 pages or frames; expected a mask with one page, which is used for all"
    ):
        masks.read_sheet(data, "mask.tif")

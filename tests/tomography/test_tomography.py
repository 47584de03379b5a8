"""The projector against exact geometry and scikit-image, phantoms, noise, and small reconstructions."""

from dataclasses import replace

import numpy as np
import pytest
from skimage.transform import radon

import zipsgd
from zipsgd import Options
from zipsgd.rows import in_memory
from zipsgd.tomography import (
    PHANTOMS,
    Geometry,
    Scan,
    disc,
    foam,
    photon_noise,
    relative_error,
    shepp_logan,
    structural_similarity,
)
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.preparation import prepare

OPTIONS = Options(intercept=False, nonnegative=True, epochs=6, keep="last")


@pytest.mark.parametrize(("side", "views"), [(32, 20), (33, 18)])
@pytest.mark.parametrize("phantom", PHANTOMS)
def test_parallel_rays_agree_with_radon(side: int, views: int, phantom: str) -> None:
    """``radon`` turns the image and interpolates, so that it is near, and equal at 0 degrees."""
    image = PHANTOMS[phantom](side)
    found = Scan(Geometry.parallel(side, views)).sinogram(image).reshape(views, side)
    expected = radon(image, np.arange(views) * 180 / views, circle=True).T
    np.testing.assert_allclose(found[0], expected[0], atol=1e-9)
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)
    shifted = np.roll(found, 1, axis=1)
    assert np.linalg.norm(shifted - expected) > 3 * np.linalg.norm(found - expected)


@pytest.mark.parametrize("geometry", [Geometry.parallel(21, 7, 25), Geometry.fan(20, 9, 23, distance=31)])
def test_lengths_add_up_to_chords(geometry: Geometry) -> None:
    """Over all pixels of the square, whose sides are at -n // 2 - 1/2 and n further."""
    side = geometry.side
    places = np.arange(side * side)
    from zipsgd.tomography.scan import RayRows

    rows = in_memory(RayRows(geometry, places)).astype(np.float64)
    low = -(side // 2) - 0.5, side // 2 + 0.5 - side
    for row, angle, offset in zip(rows, geometry.angles, geometry.offsets, strict=True):
        normal, along = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        start = offset * normal
        ends = [
            sorted(((edge - start[k]) / along[k], (edge + side - start[k]) / along[k]))
            for k, edge in enumerate(low)
            if abs(along[k]) > 1e-9
        ]
        inside = all(edge < start[k] < edge + side for k, edge in enumerate(low) if abs(along[k]) <= 1e-9)
        chord = max(0.0, min(end for _, end in ends) - max(begin for begin, _ in ends)) * inside
        assert row.sum() == pytest.approx(chord, abs=1e-5)
        assert row.max() <= np.sqrt(2) + 1e-6


def test_a_fan_sees_the_same_lines_as_a_parallel_beam() -> None:
    fan = Geometry.fan(16, 12)
    assert np.abs(fan.offsets).max() < 8
    image = foam(16)
    again = Geometry(16, fan.angles + np.pi, -fan.offsets, fan.views)  # the other way along the same lines
    np.testing.assert_allclose(Scan(fan).sinogram(image), Scan(again).sinogram(image), atol=1e-9)


def test_rows_are_those_of_the_integrals() -> None:
    scan = Scan(Geometry.fan(17, 6))
    rows, image = scan.rows, shepp_logan(17)
    matrix = in_memory(rows)
    assert rows.shape == matrix.shape == (6 * 17, np.count_nonzero(disc(17)))
    np.testing.assert_allclose(matrix @ image[scan.inside], scan.sinogram(image), atol=1e-5)
    np.testing.assert_array_equal(rows[np.array([5, 2])], matrix[[5, 2]])
    np.testing.assert_array_equal(scan.crossings(), np.count_nonzero(matrix, axis=1))
    np.testing.assert_array_equal(scan.image(image[scan.inside]), image)


def test_wrong_arguments() -> None:
    for call, message in (
        (lambda: Geometry.parallel(1, 3), "2 pixels or more, not 1"),
        (lambda: Geometry.parallel(8, 0), "1 or more views, not 0"),
        (lambda: Geometry.parallel(8, 2, 0), "1 or more detectors, not 0"),
        (lambda: Geometry.fan(8, 3, distance=4), "more than 4 pixels away, not 4"),
        (lambda: Geometry(8, np.zeros(3), np.zeros(2), 1), "vectors of the same length"),
        (lambda: Geometry(8, np.zeros(3), np.zeros(3), 2), "3 rays do not make 2 views"),
        (lambda: Scan(Geometry.parallel(8, 2)).sinogram(np.zeros((8, 7))), "must have 8 x 8 pixels"),
        (lambda: Scan(Geometry.parallel(8, 2)).sinogram(np.ones((8, 8))), "outside the disc are not 0"),
        (lambda: photon_noise(np.ones(3), 0), "photons must be 1 or more"),
        (lambda: photon_noise(np.ones(3), 10, deepest=0), "deepest must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_photon_noise() -> None:
    """Its spread is that of the counts; many photons leave the sinogram as it is."""
    exact = np.linspace(0, 8, 20_000)
    assert np.abs(photon_noise(exact, 1e12) - exact).max() < 1e-3
    noisy = photon_noise(exact, 1e4, seed=3)
    np.testing.assert_array_equal(noisy, photon_noise(exact, 1e4, seed=3))
    expected = 2 / np.sqrt(1e4 * np.exp(-exact / 2))  # 8 is an attenuation of 4
    assert np.std((noisy - exact) / expected) == pytest.approx(1, abs=0.03)
    assert np.isfinite(photon_noise(exact, 1)).all()
    assert not photon_noise(np.zeros(3), 1e12).round(3).any()


def test_phantoms_and_quality() -> None:
    for phantom in PHANTOMS.values():
        image = phantom(24)
        assert image.shape == (24, 24)
        assert image.min() == 0
        assert 0.5 < image.max() <= 1
        assert not image[~disc(24)].any()
        assert relative_error(image, image) == 0
        assert relative_error(image * 0, image) == 1
        assert structural_similarity(image, image) == 1 > structural_similarity(image * 0.5, image)
    assert set(np.unique(foam(24))) <= {0.0, 0.5, 1.0}


def test_a_small_reconstruction() -> None:
    """Rows computed when they are read give the bits of rows in memory, and few bits nearly the error of float64."""
    image = shepp_logan(16)
    scan = Scan(Geometry.parallel(16, 24))
    table = scan.table(scan.sinogram(image))
    streamed = zipsgd.train(table, options=OPTIONS, bits=4, memory=1 << 14)
    assert streamed.intercept == 0
    assert min(streamed.coef) >= 0
    kept = zipsgd.train(in_memory(scan.rows), scan.sinogram(image), options=OPTIONS, bits=4)
    assert streamed.model_words == kept.model_words
    short = replace(OPTIONS, epochs=1, bits=4)
    golden = zipsgd.train(table, options=short, backend="golden")
    assert golden.model_words == zipsgd.train(table, options=short).model_words
    exact = float_sgd(prepare(table, options=OPTIONS))
    task = prepare(table, options=OPTIONS)
    best = relative_error(scan.image(task.scalings[0].coefficients(exact.models[0])[0]), image)
    assert best < relative_error(scan.image(streamed.coef), image) < 1.1 * best < 0.4

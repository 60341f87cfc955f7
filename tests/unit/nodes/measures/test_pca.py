"""Principal components: exact facts of linear algebra, and the CLIP whose embeddings they are of."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nodegraph import Mismatch
from nodegraph.runtime.meta.abstract import abstract_run
from nodes.library.embeddings import pca_fit, pca_project, pca_reconstruct
from nodes.measures.pca import Pca
from nodes.models.embeddings import Embedding
from nodes.wires.embeddings import PORT_TYPES

ROWS, WIDTH = 200, 12


@pytest.fixture
def embeddings() -> Embedding:
    """Correlated rows far from the origin, of very different spreads."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(WIDTH, WIDTH)) * np.geomspace(4, 0.05, WIDTH)[:, None]
    values = rng.normal(size=(ROWS, WIDTH)) @ mixing + rng.normal(size=WIDTH)
    return Embedding(torch.from_numpy(values).float(), "one")


def test_components_are_orthonormal_and_sorted(embeddings: Embedding) -> None:
    pca = pca_fit(embeddings, WIDTH)
    torch.testing.assert_close(pca.components @ pca.components.T, torch.eye(WIDTH))
    assert bool((pca.eigenvalues.diff() <= 0).all())
    torch.testing.assert_close(pca.mean[0], embeddings.values.mean(0))


def test_they_are_the_singular_vectors(embeddings: Embedding) -> None:
    pca = pca_fit(embeddings, 5)
    centred = embeddings.values.double().numpy()
    centred -= centred.mean(0)
    _, lengths, rows = np.linalg.svd(centred)
    np.testing.assert_allclose(pca.eigenvalues.numpy(), lengths**2 / ROWS, rtol=1e-5, atol=1e-6)
    along = np.abs((pca.components.double().numpy() * rows[:5]).sum(1))
    np.testing.assert_allclose(along, np.ones(5), atol=1e-6)
    largest = pca.components.gather(1, pca.components.abs().argmax(1, keepdim=True))
    assert bool((largest > 0).all())


def test_coefficients_are_uncorrelated_and_within_their_range(embeddings: Embedding) -> None:
    pca = pca_fit(embeddings, WIDTH)
    found = pca_project(pca, embeddings).double()
    torch.testing.assert_close(
        found.T @ found / ROWS, pca.eigenvalues.double().diag(), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(found.amin(0), pca.low.double(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.amax(0), pca.high.double(), rtol=1e-4, atol=1e-4)


def test_all_components_give_the_embeddings_back(embeddings: Embedding) -> None:
    pca = pca_fit(embeddings, WIDTH)
    again = pca_reconstruct(pca, pca_project(pca, embeddings))
    torch.testing.assert_close(again.values, embeddings.values, rtol=1e-4, atol=1e-4)
    assert again.space == "one"


@pytest.mark.parametrize("kept", [0, 1, 4, 11])
def test_the_error_is_what_was_dropped(embeddings: Embedding, kept: int) -> None:
    pca = pca_fit(embeddings, WIDTH)
    again = pca_reconstruct(pca, pca_project(pca, embeddings), kept)
    error = (again.values - embeddings.values).square().sum(1).mean()
    torch.testing.assert_close(error, pca.eigenvalues[kept:].sum(), rtol=1e-3, atol=1e-5)


def test_several_numbers_give_several_rows(embeddings: Embedding) -> None:
    pca = pca_fit(embeddings, 6)
    coefficients = pca_project(pca, embeddings)[:2]
    many = pca_reconstruct(pca, coefficients, [1, 3, 6]).values
    assert many.shape == (6, WIDTH)
    for row in range(2):
        for place, kept in enumerate((1, 3, 6)):
            one = pca_reconstruct(pca, coefficients[row : row + 1], kept).values
            torch.testing.assert_close(many[3 * row + place : 3 * row + place + 1], one)
    assert torch.equal(pca_reconstruct(pca, coefficients, 0).values, pca.mean.expand(2, -1))


def test_what_does_not_fit_is_refused(embeddings: Embedding) -> None:
    pca = pca_fit(embeddings, 6)
    coefficients = pca_project(pca, embeddings)
    with pytest.raises(Mismatch, match="of the CLIP 'one', what is wired comes from 'two'"):
        pca_project(pca, Embedding(embeddings.values, "two"))
    with pytest.raises(Mismatch, match="12 wide, not 5"):
        pca_project(pca, Embedding(torch.zeros(1, 5), "one"))
    with pytest.raises(Mismatch, match="7 components of 6"):
        pca_reconstruct(pca, coefficients, [2, 7])
    with pytest.raises(Mismatch, match=r"\[B, 6\], not \[200, 3\]"):
        pca_reconstruct(pca, coefficients[:, :3])
    with pytest.raises(Mismatch, match="13 components of 200 vectors of 12 numbers"):
        pca_fit(embeddings, 13)
    with pytest.raises(Mismatch, match="at most 3"):
        pca_fit(Embedding(embeddings.values[:4], "one"), 4)


def test_it_is_kept_and_described(embeddings: Embedding, tmp_path: Path) -> None:
    port = PORT_TYPES[Pca]
    pca = pca_fit(embeddings, 3)
    assert port.dump and port.load and port.describe
    port.dump(pca, tmp_path)
    again = port.load(tmp_path)
    assert again.space == "one"
    for name in ("mean", "components", "eigenvalues", "low", "high"):
        assert torch.equal(getattr(again, name), getattr(pca, name))
    share = float(pca.eigenvalues[:3].sum() / pca.eigenvalues.sum())
    assert port.describe(pca) == f"3 components of 12, {share:.1%} of the variance, of one"


def test_shapes_are_known_without_values() -> None:
    with abstract_run():
        shapes = Embedding(torch.empty(50, WIDTH, device="meta"), "one")
        pca = pca_fit(shapes, 4)
        again = pca_reconstruct(pca, pca_project(pca, shapes), [1, 4])
        assert again.values.shape == (100, WIDTH)
        assert PORT_TYPES[Pca].describe(pca) == "4 components of 12, of one"  # type: ignore[misc]

"""The proof in a bundle is the same picture everywhere."""

import hashlib
import io

import numpy as np

from services.bundle.architectures import build
from services.bundle.preprocessing import prepare
from tests.bundles import ARCHITECTURE, EDGE, PREPROCESSING
from training.probe import draw_probe, prove


def test_the_probe_is_drawn_the_same_everywhere() -> None:
    picture = draw_probe()
    assert picture.shape == (240, 320, 3)
    assert picture.dtype == np.uint8
    assert hashlib.sha256(picture.tobytes()).hexdigest() == (
        "6e44ffcb40787b72efb415be84add43580660d9fdde43b9aea11cec274559020"
    )


def test_a_proof_holds_the_picture_its_tensor_and_what_the_classifier_says() -> None:
    model = build(ARCHITECTURE, (EDGE, EDGE), 3)
    content, probe = prove(model, PREPROCESSING)
    assert probe.sha256 == hashlib.sha256(content).hexdigest()
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["pixels"], draw_probe())
        np.testing.assert_array_equal(arrays["tensor"], prepare(draw_probe(), PREPROCESSING))
        logits = np.asarray(model.predict_on_batch(arrays["tensor"][None].astype(np.float32)))[0]
    np.testing.assert_allclose(logits, probe.logits, atol=1e-5)

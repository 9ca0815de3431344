"""What a classifier said does not depend on how it was asked."""

from typing import Any

import numpy as np
import pytest

from tests.training.conftest import Trained
from training.answers import answer


@pytest.mark.parametrize("batch_size", [1, 5, 12, 100])
def test_batches_do_not_change_the_answers(batch_size: int, trained: Trained) -> None:
    found = answer(trained.tuned.classifier, trained.test, batch_size)
    model: Any = trained.tuned.classifier
    expected = np.asarray(model(np.asarray(trained.test.pixels[:], np.float32), training=False))
    np.testing.assert_allclose(found.logits, expected, atol=1e-4)
    assert found.logits.dtype == np.float64
    assert found.samples == trained.test.samples


def test_the_truth_goes_with_the_answers(trained: Trained) -> None:
    found = answer(trained.tuned.classifier, trained.test)
    named = [trained.plan.folder.labels[number] for number in found.classes]
    assert named == [sample.label for sample in found.samples]
    assert found.truths.sum(axis=1).tolist() == [1] * len(named)

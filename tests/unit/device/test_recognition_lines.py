"""What a person reads of a recognised picture (C7 C10)."""

import pytest

from cluster.contracts.image_models import Recognition
from cluster.device.show import recognition_lines


@pytest.mark.parametrize(("decided", "is_said"), [("ig", True), ("basophil", False)])
def test_a_class_that_is_not_the_likeliest_says_why_it_was_decided(
    decided: str, is_said: bool
) -> None:
    probabilities = {"basophil": 0.42, "ig": 0.41, "neutrophil": 0.17}
    result = Recognition(
        model="cells",
        version="0" * 64,
        variant="int8",
        label=decided,
        probability=probabilities[decided],
        outside=False,
        probabilities=probabilities,
    )
    told = "\n".join(str(line) for line in recognition_lines("a.png", result))
    assert f"a.png: {decided}" in told
    assert ("weights of the classes" in told) is is_said

"""Reports on image models, for tests."""

import io
from typing import Any

import numpy as np
from PIL import Image

from cluster.contracts.image_models import (
    Bundle,
    Epoch,
    ImageModelCard,
    LabelCard,
    Preprocessing,
    StartingWeights,
    Variant,
)
from cluster.contracts.images import ClassCounts, DataSetCard, ImageFinding
from cluster.imaging.metrics import examine, reliability, wilson
from cluster.imaging.shortcut import BorderCheck
from cluster.report.image_model import Answer, ModelReport

LABELS = ("normal", "<b>ill</b>", "healed")
TRUTH_N = np.repeat([0, 1, 2], 10)
DECIDED_N = np.where(np.arange(30) % 10 == 9, (TRUTH_N + 1) % 3, TRUTH_N)
DECIDED_N[11] = 2
P_NK = np.where(DECIDED_N[:, None] == np.arange(3), 0.8, 0.1)
OUTSIDE_N = np.arange(30) == 4


def a_picture(form: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 40, 40)).save(stream, form)
    return stream.getvalue()


def an_image_card(**changes: Any) -> ImageModelCard:
    content: dict[str, Any] = {
        "name": "three-kinds",
        "made_at": 0.0,
        "made_by": "fit_inception",
        "intended_use": "To try the page.",
        "licence": "CC BY 4.0",
        "attribution": "A <i>Source</i>",
        "changelog": "First of its name.",
        "backbone": "inception_v3",
        "weights": StartingWeights(name="weights-x", sha256="ab" * 32, origin="From photographs."),
        "data_set": "pictures",
        "data_set_digest": "cd" * 32,
        "split_by": "person",
        "seed": 1,
        "config": '{"depth": "all"}',
        "temperature": 1.25,
        "metrics": examine(P_NK, TRUTH_N, LABELS, DECIDED_N, OUTSIDE_N),
        "rejection": "By the distance of its features.",
        "limits": ("It knows <b>three</b> kinds.",),
        "epochs": (
            *(
                Epoch(
                    stage=stage,
                    training_loss=1 / n,
                    validation_loss=1.1 / n,
                    validation_accuracy=1 - 0.5 / n,
                    seconds=2.0,
                )
                for stage in ("head", "fine-tuning")
                for n in (1, 2, 3)
            ),
        ),
    }
    return ImageModelCard(**(content | changes))


def a_bundle(**changes: Any) -> Bundle:
    """Of three classes, one of which has a name that looks like HTML."""
    return Bundle(
        name="three-kinds",
        labels=tuple(
            LabelCard(label=label, images=70, disease_id="MONDO:1" if place else "", weight=1.5)
            for place, label in enumerate(LABELS)
        ),
        preprocessing=Preprocessing(size=299),
        variants=(
            Variant(name="fp32", sha256="0" * 64, size=87_600_000, outside_above=4.0, accuracy=0.9),
            Variant(name="int8", sha256="1" * 64, size=22_500_000, agreement=0.995),
        ),
        files=(),
        card=an_image_card(**changes),
    )


def a_model_report(**changes: Any) -> ModelReport:
    """With every part that a report may have."""
    wrong = Answer(a_picture(), "normal", "<b>ill</b>", 0.77)
    right = Answer(a_picture(), "healed", "healed", 0.91, heat=a_picture("PNG"))
    file = ImageFinding(level="warning", code="x", place="ill/jane-doe-1970.jpg", message="m")
    counts = (
        ClassCounts(name=name, files=100, training=70, validation=15, test=15) for name in LABELS
    )
    content: dict[str, Any] = {
        "bundle": a_bundle(),
        "version": "ef" * 32,
        "data_set": DataSetCard(
            accepted=True, classes=tuple(counts), files=300, groups=250, findings=(file,)
        ),
        "mistakes": (wrong, Answer(a_picture(), "healed", "normal", 0.95)),
        "saliency": (right,),
        "reliability": reliability(P_NK, TRUTH_N),
        "distances": tuple(np.linspace(1, 5, 30)),
        "border": BorderCheck(wilson(150, 210), 1 / 3),
    }
    return ModelReport(**(content | changes))

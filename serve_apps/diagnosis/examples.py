"""Requests that the OpenAPI description shows, and that the tests send; all SIMULATED."""

from typing import Any, Final

R: Final[dict[str, Any]] = {
    "model": "lungs",
    "version": "0" * 64,
    "variant": "int8",
    "label": "pneumonia",
    "disease_id": "DOID:552",
    "probability": 0.93,
    "outside": False,
    "distance_ratio": 0.4,
    "probabilities": {"normal": 0.07, "pneumonia": 0.93},
}
RESULT: Final[Any] = {"recognised": {"summary": "what a device gave (SIMULATED)", "value": R}}
ACCEPTANCE: Final[Any] = {
    "accept": {"summary": "the second version", "value": {"version": "2", "decision": "accept"}}
}
TRAINING: Final[Any] = {
    "small": {
        "summary": "the small backbone, from the weights of the installed package",
        "value": {
            "data_set": "blood-cells",
            "name": "blood",
            "weights": "package",
            "config": {"backbone": "efficientnet_lite0", "epochs_max": 5},
        },
    }
}

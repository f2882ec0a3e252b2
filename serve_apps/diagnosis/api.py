"""Routes of diagnosis: models for devices, diseases, results, images and uploads (C1, C4, C8, C9).

Recognition itself is on the device or in a job: no route takes an image to be recognised.
"""

from typing import Final

from fastapi import APIRouter

from serve_apps.diagnosis.diseases import Diseases, add_diseases
from serve_apps.diagnosis.image_models import add_image_models
from serve_apps.diagnosis.image_sets import add_image_sets
from serve_apps.diagnosis.ports import DiagnosisPorts
from serve_apps.diagnosis.public import PublicFolder, add_public
from serve_apps.diagnosis.training import add_training
from serve_apps.diagnosis.uploads import Uploads
from serve_apps.http.application import router

PREFIX: Final = "/diagnosis/v1"


def routes(ports: DiagnosisPorts) -> APIRouter:
    """Return the routes over a cluster."""
    made = router(PREFIX)
    settings = ports.settings
    diseases, uploads = Diseases(settings), Uploads(settings.data_dir)
    add_public(made, PublicFolder(settings.data_dir))
    add_image_models(made, ports, diseases, uploads)
    add_diseases(made, ports, diseases)
    add_image_sets(made, settings, uploads)
    add_training(made, ports)
    return made

"""All applications and where they answer."""

from serve_apps.diagnosis.app import app as diagnosis
from serve_apps.http.serving import Place
from serve_apps.prediction.app import app as prediction
from serve_apps.share.app import app as share
from serve_apps.standards.app import app as standards


def places() -> list[Place]:
    """Return the applications."""
    return [
        Place("share", "/share", share),
        Place("prediction", "/prediction", prediction),
        Place("diagnosis", "/diagnosis", diagnosis),
        Place("standards", "/", standards),
    ]

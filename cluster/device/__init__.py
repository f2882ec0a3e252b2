"""What runs on a user's own device: list, cache, picture, recognition and answer (C5–C7, C10).

It needs numpy, Pillow, onnxruntime, pydantic, httpx, stamina, typer and rich; no cluster, no
database and no training library is loaded.
"""

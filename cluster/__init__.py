"""The core of Dazzle: decides about cases, rarity, trends and sharing; knows no Ray, no HTTP."""

import os

# onnxruntime tells its maker of its use, over HTTPS, unless it is told not to before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

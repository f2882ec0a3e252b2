"""Decides by its content what an uploaded file is; its name says nothing (C9).

Two forms are taken: ONNX, and safetensors in the layout of InceptionV3. All others that models come
in can hold code that runs when they are loaded, so they are named, refused, and never loaded.
"""

from typing import Final, Literal, NoReturn

from cluster.models.bundle import Problem, refusal

Form = Literal["onnx", "safetensors"]
FILE: Final = "file"
"""Place of a problem that is with the file as a whole."""
ENDS_BYTES: Final = 1 << 16
"""Of the beginning and the end of a zip, where the names of its members are looked for."""
LENGTH_BYTES: Final = 8
QUOTED_MAX: Final = 80
HEADER_BYTES_MAX: Final = 1 << 20
"""Of a safetensors file: the names and places of its tensors."""
TAKEN: Final = "taken are ONNX, and safetensors in the layout of InceptionV3"
PICKLE: Final = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""Its first operation and the number of its protocol; older ones have no signature."""
ZLIB: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
OTHERS: Final = (
    *(
        (0, sign, "pickle", "is a pickle, as of torch.save or joblib, which can hold any code")
        for sign in PICKLE
    ),
    *((0, sign, "compressed", "is compressed, as joblib does") for sign in ZLIB),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5", "is HDF5, as of Keras, which can hold code"),
    (0, b"\x08\x01\x12", "saved_model", "is a SavedModel of TensorFlow, which can hold code"),
    (4, b"TFL3", "tflite", "is of TensorFlow Lite"),
    (0, b"\x1f\x8b", "compressed", "is compressed"),
    (0, b"BZh", "compressed", "is compressed"),
    (0, b"\xfd7zXZ", "compressed", "is compressed"),
    (0, b"\x28\xb5\x2f\xfd", "compressed", "is compressed"),
    (0, b"7z\xbc\xaf\x27\x1c", "compressed", "is an archive"),
)
"""Place and bytes of a signature, the code and the words of what it stands for."""
WITHIN_ZIP: Final = (
    (b"constants.pkl", "torchscript", "is TorchScript, which holds code"),
    (b"data.pkl", "pickle", "is of torch.save, a zip with a pickle, which can hold any code"),
    (b"model.weights.h5", "keras", "is of Keras, which can hold code"),
    (b"saved_model.pb", "saved_model", "is a SavedModel of TensorFlow, which can hold code"),
)


def quoted(text: str) -> str:
    """Return a text from inside a file as it is safe to print: escaped, and cut if long."""
    return ascii(text[:QUOTED_MAX])


def form_of(content: bytes) -> Form:
    """Return which of the two forms a file has; whether it can be read is for later.

    Safetensors comes first: its length and its brace are nine bytes that no other form begins with,
    while the low bytes of the length can be any of the signatures.

    Raises:
        ModelRefused: it is of a form that is not taken, or empty.
    """
    if not content:
        _refuse("file_empty", "is empty")
    length = int.from_bytes(content[:LENGTH_BYTES], "little")
    if content[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{" and not length >> 32:
        if length > HEADER_BYTES_MAX:
            _refuse("header_too_large", f"has a header of {length:,} bytes; 1 MiB are taken")
        return "safetensors"
    for place, sign, code, words in OTHERS:
        if content[place : place + len(sign)] == sign:
            _refuse(f"format_{code}", words)
    if content.startswith(b"PK"):
        ends = content[:ENDS_BYTES] + content[-ENDS_BYTES:]
        found = [(code, words) for sign, code, words in WITHIN_ZIP if sign in ends]
        code, words = found[0] if found else ("zip", "is a zip")
        _refuse(f"format_{code}", words)
    return "onnx"


def _refuse(code: str, words: str) -> NoReturn:
    raise refusal([Problem(code, FILE, f"it {words}; {TAKEN}")])

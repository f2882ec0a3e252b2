"""Who is asked for literature: addresses that are safe, a key that is nowhere written."""

import pytest

from cluster.errors import SettingInvalid
from cluster.settings import LITERATURE, load_settings

KEY = "0123456789abcdef-secret"


@pytest.mark.parametrize(
    "url",
    [
        "https://eutils.example.org/entrez/eutils",
        "http://127.0.0.1:8080/x",
        "http://localhost/x",
        "http://[::1]:80",
    ],
)
def test_a_safe_address_is_taken(url: str) -> None:
    """A12 B9: encrypted, or on this machine."""
    assert load_settings({"ncbi_url": url}).ncbi_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://eutils.example.org/entrez",
        "http://127.0.0.1.example.org/",
        "http://localhost@example.org/",
        "https://me:secret@example.org/",
        "ftp://127.0.0.1/",
        "https:///path",
        "//example.org",
        "",
    ],
)
def test_another_address_is_refused(url: str) -> None:
    """A12 B9: before anything starts, with the name of the setting and not its value."""
    with pytest.raises(SettingInvalid) as caught:
        load_settings({"ncbi_url": url})
    assert caught.value.where == "ncbi_url"
    assert "secret" not in str(caught.value)


def test_a_secret_is_not_among_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A12 B9: a run keeps no key and no source; the environment gives them again."""
    chosen = {"ncbi_api_key": KEY, "ncbi_email": "a@b.org", "related_max": "7"}
    settings = load_settings(chosen)
    texts = settings.texts()
    assert not set(LITERATURE) & set(texts) and texts["related_max"] == "7"
    assert KEY not in repr(settings) and KEY not in str(texts)
    monkeypatch.setenv("DAZZLE_NCBI_API_KEY", "another")
    monkeypatch.setenv("DAZZLE_NCBI_EMAIL", "c@d.org")
    again = load_settings(texts)
    assert (again.ncbi_api_key.get_secret_value(), again.ncbi_email) == ("another", "c@d.org")
    same = {name: getattr(settings, name) for name in LITERATURE}
    assert again.model_copy(update=same) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("literature_path", "papers.tsv"),
        ("ncbi_email", "a@b.org"),
        ("ncbi_api_key", KEY),
        ("ncbi_url", "https://eutils.example.org"),
    ],
)
def test_another_source_of_literature_needs_no_other_actors(name: str, value: str) -> None:
    """A12 A13: they are told with each refresh, so running actors do not differ by them."""
    assert name in LITERATURE
    assert load_settings({name: value}).digest() == load_settings().digest()
    assert load_settings({"related_max": "7"}).digest() != load_settings().digest()

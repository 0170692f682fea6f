"""How URLs are read; what is refused is in ssrf.py, too."""

import pytest

from delivery.destination import Destination, read


@pytest.mark.parametrize(
    ("url", "destination", "authority"),
    [
        ("https://a.example", ("https", "a.example", 443, "/"), "a.example"),
        ("https://a.example:443/", ("https", "a.example", 443, "/"), "a.example"),
        ("https://a.example:/x", ("https", "a.example", 443, "/x"), "a.example"),
        ("https://a.example:8443/", ("https", "a.example", 8443, "/"), "a.example:8443"),
        ("https://a.example:1024/", ("https", "a.example", 1024, "/"), "a.example:1024"),
        ("https://a.example:65535/", ("https", "a.example", 65535, "/"), "a.example:65535"),
        ("HTTPS://A.Example/X", ("https", "a.example", 443, "/X"), "a.example"),
        ("https://a.example?x=1", ("https", "a.example", 443, "/?x=1"), "a.example"),
        (
            "https://a.example/x;y=1/z?a=%20&b=c+d/?",
            ("https", "a.example", 443, "/x;y=1/z?a=%20&b=c+d/?"),
            None,
        ),
        ("https://a.example/?", ("https", "a.example", 443, "/"), "a.example"),
        ("https://a.example/#", ("https", "a.example", 443, "/"), "a.example"),
        ("https://a.example//b/../c", ("https", "a.example", 443, "//b/../c"), "a.example"),
        ("https://a.example/ü?q=ß", ("https", "a.example", 443, "/%C3%BC?q=%C3%9F"), "a.example"),
        ('https://a.example/"<>\\^`{|}', ("https", "a.example", 443, "/%22%3C%3E%5C%5E%60%7B%7C%7D"), None),
        ("https://Bücher.example/", ("https", "xn--bcher-kva.example", 443, "/"), "xn--bcher-kva.example"),
        ("https://my_host-1/", ("https", "my_host-1", 443, "/"), "my_host-1"),
        ("https://1.1.1.1/", ("https", "1.1.1.1", 443, "/"), "1.1.1.1"),
        ("https://[2A00:1450:0::1]/", ("https", "2a00:1450::1", 443, "/"), "[2a00:1450::1]"),
        ("https://[2a00:1450::1]:8443/", ("https", "2a00:1450::1", 8443, "/"), "[2a00:1450::1]:8443"),
        (f"https://{'a' * 63}.example/", ("https", f"{'a' * 63}.example", 443, "/"), None),
    ],
)
@pytest.mark.parametrize("allow_http", [True, False])
def test_read(
    url: str, destination: tuple[str, str, int, str], authority: str | None, allow_http: bool
) -> None:
    """Names in small letters and ASCII, the default port, and a target that is sent as it stands."""
    found = read(url, allow_http=allow_http)
    assert found == Destination(*destination)
    assert found.authority == (authority or found.host)


def test_http_where_it_is_allowed() -> None:
    """Its default port is 80, and 443 is https:'s."""
    assert read("http://a.example", allow_http=True) == Destination("http", "a.example", 80, "/")
    assert read("http://a.example:80/", allow_http=True).authority == "a.example"
    assert read("http://a.example:8080/", allow_http=True).authority == "a.example:8080"
    for url in ("http://a.example:443/", "https://a.example:80/", "ftp://a.example/"):
        with pytest.raises(ValueError, match=r"\.$"):
            read(url, allow_http=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://faß.example/",
        "https://ςας.example/",
        f"https://{'a' * 64}.example/",
        f"https://{'ü' * 64}.example/",
        "https://" + ".".join(["a" * 50] * 5) + "/",
        "https://a.example:99999999999999999999/",
    ],
)
def test_names_that_are_nobody_s_or_two_people_s(url: str) -> None:
    """Too long, or with letters that one standard maps and another keeps."""
    with pytest.raises(ValueError, match=r"."):
        read(url, allow_http=True)

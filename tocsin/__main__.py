"""`tocsin`, and `python -m tocsin` wherever the packages are: the command line."""

from tocsin.garbage import loading


def main() -> None:
    """Run the command line."""
    with loading():
        from tocsin.cli import app  # noqa: PLC0415  loaded in the block
    app(prog_name="tocsin")


if __name__ == "__main__":
    main()

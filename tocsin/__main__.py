"""`python -m tocsin`: the command line, wherever the packages are."""

from tocsin.cli import app

app(prog_name="tocsin")

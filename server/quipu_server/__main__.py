"""`python -m quipu_server` is `quipu`."""

from quipu_server.cli import main

main()

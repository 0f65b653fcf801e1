"""`python -m gradeway.cli`: the command line where its script is not on the path."""

from gradeway.cli import main

main(prog_name="gradeway")

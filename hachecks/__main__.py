"""`python -m hachecks` is `hacheck`."""

from hachecks.cli import main

main()

"""`python -m tellapart` is `tellapart`."""

from tellapart.cli import main

if __name__ == "__main__":
    main()

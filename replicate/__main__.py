"""`python -m replicate` is the `replicate` command."""

from replicate.cli.main import main

if __name__ == "__main__":
    main()

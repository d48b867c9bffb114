"""`python -m sokrates` is the program `sokrates`."""

from sokrates.cli import main

if __name__ == "__main__":
    main()

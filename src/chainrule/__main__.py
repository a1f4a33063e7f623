"""``python -m chainrule``: the command line."""

from chainrule.command import main

if __name__ == "__main__":
    main()

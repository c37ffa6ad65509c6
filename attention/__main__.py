"""`python -m attention`: see `attention.commands.main`."""

import sys

from attention.commands.main import main

if __name__ == "__main__":
    sys.exit(main())

"""`sage`: one verb per entry point of the group `sage.commands`, each loaded when it is used."""

from __future__ import annotations

import sys

import click

from runtime.verbs import Verbs

GROUP = "sage.commands"


@click.group(cls=Verbs, points=GROUP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sage-runtime", prog_name="sage")
def main() -> None:
    """An event-driven society of processes that hears, answers, rests and dreams.

    Begin with `sage up`, then `sage ask "what is two plus three"`. Every command takes --json and --timeout.
    Exit codes: 0 done, 1 failed, 2 wrong command line or configuration, 3 nothing runs here (for `up`: something
    already does), 4 out of time, 130 interrupted.
    """


if __name__ == "__main__":
    sys.exit(main())

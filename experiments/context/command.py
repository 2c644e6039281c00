"""`sage bench context`: whether the sense of context tells the four kinds of moments apart, and how fast.

`sage context fit` is what its figures rest on.
"""

from __future__ import annotations

from pathlib import Path

import click

from runtime import console
from runtime.bench.session import Outcome, Session, measured


@click.command("context")
@measured("context")
@click.option("--encoder", "encoders", multiple=True, help="Also with this encoder; needs its fit. Repeatable.")
@click.option("--folder", default="", help="Folder of the encoder `sentence`.")
@click.option("--levels", default="configs/levels.yaml", show_default=True, help="Levels file, for `model`.")
def bench_context(session: Session, encoders: tuple[str, ...], folder: str, levels: str) -> Outcome:
    """Held-out dialogues and hand-written traps, with nothing known and much known; the forerunner's rules beside."""
    from experiments.context.measure import measure

    return measure(session, encoders, folder, levels)


@click.command("fit")
@click.option("--encoder", required=True, help="One of those registered under sage.encoders.")
@click.option("--level", default="sensory", show_default=True, help="Whose model reads, for `model`.")
@click.option("--levels", default="configs/levels.yaml", show_default=True, help="Levels file, for `model`.")
@click.option("--folder", default="", help="Folder with model.onnx and tokenizer.json, for `sentence`.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="[where the encoder looks for it]")
@console.common(timeout=1800)
def fit(encoder: str, level: str, levels: str, folder: str, out: Path | None, as_json: bool, timeout: float) -> None:
    """Fit an encoder to the tuning half of the labelled dialogues: the scale of its vectors, and what they weigh.

    The weights of `tokens` are printed as they stand in configs/context.yaml; any other encoder's fit is a file.
    """
    import msgspec
    import yaml

    from experiments.context.fit import fit as fitted
    from nodes.context_classifier import config, fits
    from runtime.paths import write_atomically

    settings = config.load()
    choice = msgspec.structs.replace(settings.encoder, name=encoder, level=level, folder=folder)
    made = fitted(choice, settings.limits, levels)
    if encoder == "tokens" and out is None:
        print(yaml.safe_dump({"questions": msgspec.to_builtins(made.questions)}, sort_keys=False))
        return
    where = out or fits.place(encoder)
    write_atomically(where, msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n", mode=0o644)
    if as_json:
        console.show_json({"path": str(where), "encoder": encoder, "base": made.base, "dimensions": made.dimensions})
    else:
        click.echo(f"{where}: {encoder}, {made.dimensions} dimensions of {made.width}, made by {made.base or 'itself'}")

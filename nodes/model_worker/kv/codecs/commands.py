"""`sage kv fit`."""

from __future__ import annotations

from pathlib import Path

import click

from nodes.model_worker.texts import Progress, cut, read, text_options
from runtime import console


@click.command()
@click.argument("level")
@text_options
@click.option(
    "--step", type=click.FloatRange(min=0, min_open=True, max=8), default=0.3, show_default=True,
    help="To what precision: a share of how far a number spreads. Less is truer and larger.",
)  # fmt: skip
@console.common(timeout=3600)
def fit(level: str, text: Path, file: str, length: int, step: float, as_json: bool, timeout: float) -> None:
    """Fit the codec `learned` to texts, so that LEVEL's attention state takes few bytes.

    The texts are JSON Lines, each {"messages": [{"role": …, "content": …}, …]} or {"text": …}. They are cut into
    contexts of --length tokens; a tenth of those only measures what each precision costs and saves. Stopped, it goes on
    where it was. A worker takes the fit up when it starts, if the level has `codec: learned`.

    \b
    Example: sage kv fit specialized --text conversations.jsonl
    """
    from nodes.model_worker import levels, loading
    from nodes.model_worker.kv.codecs import learned
    from nodes.model_worker.kv.codecs.fit import fit as fit_codec
    from runtime.paths import state_dir

    chosen = levels.load(file).by_name(level)
    loaded = loading.load(chosen)
    folder = state_dir() / learned.FOLDER
    contexts = list(cut(read(text), loaded, length))
    found = fit_codec(
        loaded,
        contexts,
        level=level,
        folder=folder,
        step=step,
        chunk=chosen.prefill_chunk,
        report=Progress(timeout),
    )
    path = learned.path_of(folder, loaded.fingerprint["config"])
    learned.save(path, found.fit, found.card)
    if as_json:
        console.show_json({**console.plain(found.card), "path": str(path)})
        return
    rows = [
        (
            f"{row.step:g}" + (" *" if row.step == step else ""),
            f"{row.smaller:.1f} ×",
            f"{row.excess_nll:+.2%}",
            f"{row.kl:.4f}",
            f"{row.same:.2%}",
        )
        for row in found.card.measured
    ]
    click.echo(console.table(rows, header=("step", "smaller", "less likely", "KL (nats)", "same word")))
    click.echo(f"fitted to {found.card.tokens:,} tokens; * is written to {path}")

"""python -m jobs.predict_trend --model DIR --windows FILE.parquet --out PRED.parquet   forecasts

The model is a folder that fit_trend has written, or its model.safetensors. Written is one row a
window, in their order: item_id (the window's sample_id), pred_log_inc (log2 of 1 + accesses to
come), hot_prob and surge_prob (S700). No cluster is needed.
"""

from pathlib import Path
from typing import Annotated

import typer

from cluster.errors import InputError
from cluster.flow.trend_files import forecast_table, open_model
from cluster.storage.trend_models import CARD, WEIGHTS
from cluster.storage.windows import read_windows, write_forecasts
from jobs import shell


def main(
    model: Annotated[Path, typer.Option(help="folder of a model, or its weights")],
    windows: Annotated[Path, typer.Option(help="Parquet file of access windows")],
    out: Annotated[Path, typer.Option(help="Parquet file of the forecasts")],
) -> None:
    shell.out_file(out)
    folder = model if model.is_dir() else model.parent
    read = {windows, model, folder / WEIGHTS, folder / CARD}
    if out.resolve() in {path.resolve() for path in read}:
        what = f"{out} is what is read"
        raise InputError(what, "--out", "Name another file.")
    opened = open_model(model)
    forecasts = forecast_table(opened, read_windows(windows))
    write_forecasts(out, forecasts)
    screen = shell.console()
    screen.print(f"{forecasts.num_rows:,} windows, model {opened.version[:16]}")
    screen.print(str(out), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)

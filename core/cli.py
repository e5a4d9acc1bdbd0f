"""The command line: one function a command, over core. The contract is docs/formats.md."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from core import __version__
from core.cli_support import (
    find_model,
    json_lines,
    load,
    open_all,
    progress_bar,
    registry,
    slice_count,
    tell,
    tell_notes,
)
from core.detection.base import DetectRequest
from core.detection.config import LEAST_WIDTH, TrainConfig
from core.detection.registry import ModelEntry
from core.detection.requests import make_request
from core.doctor import check
from core.errors import Cancelled, InputError, OverreadError, UnreadableFile
from core.exchange.commands import export_workspace, import_into_workspace, write_key_image
from core.exchange.datasets import dataset_splits, load_dataset
from core.exchange.evaluating import measure, report_of, run_models
from core.exchange.evaluation_page import write_page
from core.exchange.results import catalog_report, finding_rows, image_row, write_json
from core.imaging.neighbours import ALONE, beside
from core.imaging.pixels import PixelCache
from core.jobs import CancelToken
from core.model import Detection, Series
from core.proposals.registry import Method, make_proposer
from core.settings import home
from core.store.workspace import Workspace

OpenWindow = Callable[[Sequence[Path], bool, Path | None], int]
Paths = Annotated[list[Path], typer.Argument(help="Folders or files: DICOM, DICOMDIR, zip, NIfTI, pictures.")]
Out = Annotated[Path, typer.Option(help="File to write.")]
OneOrAll = Literal["one", "all"]
Architecture = Literal["fast-rcnn", "rcnn"]
DeviceChoice = Literal["auto", "cpu"]
Format = Literal["coco", "yolo", "voc"]
Pictures = Literal["copy", "reference"]
CACHE_BYTES = 256 << 20

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    help="Review MRI slices, correct an R-CNN's boxes, sign off, retrain: on your own machine.",
)
models_app = typer.Typer(help="List, show, add, promote and roll back models.", invoke_without_command=True)
app.add_typer(models_app, name="models")
_window: list[OpenWindow] = []


def _open(paths: Sequence[Path], demo: bool, workspace: Path | None) -> None:
    if not _window:
        raise InputError("The window is opened with the command `overread`, or `python -m gui`.")
    raise typer.Exit(_window[0](paths, demo, workspace))


Workspace_ = Annotated[Path | None, typer.Option("--workspace", help="Workspace file; default: your own.")]


@app.command("open")
def open_(
    paths: Annotated[list[Path] | None, typer.Argument(help="What to open.")] = None,
    workspace: Workspace_ = None,
) -> None:
    """Open the application. `overread PATH...` is short for this."""
    _open(paths or [], False, workspace)


@app.command()
def demo(workspace: Workspace_ = None) -> None:
    """Open the application on the built-in phantom study."""
    _open([], True, workspace)


@app.command()
def info(
    paths: Paths,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    pixels: Annotated[bool, typer.Option(help="Read the pixels too: range and SHA-256.")] = False,
) -> None:
    """What was found, in which order, and what was left out and why."""
    catalog = open_all(paths)
    for series in catalog.series:
        kind = series.modality or "pictures"
        typer.echo(f"{kind}  {series.description or series.uid}: {len(series.slices)} slices")
        for note in series.notes:
            typer.echo(f"    {note}")
    cache = PixelCache(CACHE_BYTES)
    if json is not None:
        write_json(catalog_report(catalog, cache.get if pixels else None), json)


@app.command()
def propose(
    paths: Paths,
    out: Out,
    method: Annotated[Method, typer.Option(help="How to look for regions.")] = "fast",
    limit: Annotated[int | None, typer.Option(min=1, help="Keep the best N.")] = None,
) -> None:
    """Propose regions on every slice."""
    proposer, cancel = make_proposer(method, limit), CancelToken()
    if proposer.name != method:
        tell(f"numba is missing or does not fit the installed numpy: {proposer.name} stands in for {method}.")
    images = []
    for series, index, request in _each_slice(paths, "Proposing"):
        start = time.perf_counter()
        found = proposer.propose(request.image, cancel=cancel)
        ms = (time.perf_counter() - start) * 1000
        images.append(image_row(series, index, milliseconds=ms, proposals=found))
    write_json({"model": None, "method": proposer.name, "images": images}, out)


@app.command()
def detect(
    paths: Paths,
    out: Out,
    model: Annotated[str | None, typer.Option(help="Name or file; default: the model in use.")] = None,
    min_score: Annotated[float, typer.Option(min=0.0, max=1.0, help="Leave weaker ones out.")] = 0.05,
    proposals_too: Annotated[bool, typer.Option(help="Write the proposals as well.")] = False,
) -> None:
    """Run a model on every slice, and link what it finds across the slices of a series."""
    entry = find_model(model)
    detector = load(entry)
    images: list[dict[str, object]] = []
    order: list[tuple[Series, int]] = []
    found: dict[str, tuple[Series, dict[int, list[Detection]]]] = {}

    def requests() -> Iterator[DetectRequest]:
        for series, index, request in _each_slice(paths, "Detecting", detector.neighbours):
            order.append((series, index))
            yield request

    for result in detector.detect_many(requests(), cancel=CancelToken()):
        series, index = order[len(images)]
        kept = [d for d in result.detections if d.score >= min_score]
        found.setdefault(series.uid, (series, {}))[1][index] = kept
        proposals = result.proposals if proposals_too else None
        row = image_row(series, index, milliseconds=result.milliseconds, proposals=proposals, detections=kept)
        images.append(row)
    described = {
        "name": entry.name,
        "identity": detector.identity,
        "sha256": entry.sha256,
        "classes": list(detector.class_names),
    }
    findings = [row for series, by_slice in found.values() for row in finding_rows(series, by_slice)]
    write_json({"model": described, "images": images, "findings": findings}, out)


def _each_slice(
    paths: Sequence[Path], title: str, neighbours: int = 0
) -> Iterator[tuple[Series, int, DetectRequest]]:
    """Every slice with its pixels, without padding; one that cannot be read costs a line on stderr.

    Args:
        paths: What to open.
        title: Of the progress bar.
        neighbours: 1 brings the slices before and after as well.

    Raises:
        InputError: Not one slice could be read.
    """
    catalog, cache = open_all(paths), PixelCache(CACHE_BYTES)
    total, done, read = slice_count(catalog.series), 0, 0
    with progress_bar(title) as progress:
        for series in catalog.series:
            for index, ref in enumerate(series.slices):
                try:
                    around = beside(series, index) if neighbours else ALONE
                    yield series, index, make_request(ref, cache.get, around)
                    read += 1
                except UnreadableFile as error:
                    tell(f"left out: {error}")
                done += 1
                progress(done, total, ref.path.name)
    if not read:
        raise InputError("Not one slice could be read; the lines above say why.")


@app.command()
def train(
    datasets: Annotated[list[Path], typer.Argument(help="COCO json, YOLO tree or workspace, one or more.")],
    out: Annotated[Path, typer.Option(help="Folder for the run: model, card, metrics, checkpoint.")],
    valid: Annotated[Path | None, typer.Option(help="Validate on this; default: 15 % of the groups.")] = None,
    classes: Annotated[OneOrAll, typer.Option(help="one: all boxes are tumours; all: as labelled.")] = "all",
    architecture: Annotated[Architecture, typer.Option(help="How regions are judged.")] = "fast-rcnn",
    budget_minutes: Annotated[float, typer.Option(min=0.05, help="Wall time for everything.")] = 10.0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Stop after so many epochs.")] = None,
    seed: Annotated[int, typer.Option(help="Of split, weights, order, augmentation.")] = 0,
    init_from: Annotated[str | None, typer.Option(help="Go on from this model (name or file).")] = None,
    pretrained: Annotated[Path | None, typer.Option(help="torchvision ResNet weights (safetensors).")] = None,
    depth: Annotated[int, typer.Option(help="ResNet depth: 18, 34 or 50.")] = 18,
    width: Annotated[
        float, typer.Option(min=LEAST_WIDTH, help="Factor on the standard channels; 1 for pretrained.")
    ] = 0.5,
    neighbours: Annotated[
        int, typer.Option(min=0, max=1, help="1: see the slices before and after, too, in a stack.")
    ] = 0,
    device: Annotated[
        DeviceChoice, typer.Option(help="auto: a graphics processor where there is one; cpu: the processor.")
    ] = "auto",
    name: Annotated[str, typer.Option(help="Name of the model; default: the folder's.")] = "",
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
    register: Annotated[bool, typer.Option(help="Add the model to the registry.")] = False,
    progress_json: Annotated[bool, typer.Option(help="Progress as JSON lines on stdout.")] = False,
) -> None:
    """Train a model on data sets."""
    from core.detection.train import train as run  # noqa: PLC0415 - torch only when needed

    config = TrainConfig(
        architecture=architecture,
        depth=depth,
        width=width,
        neighbours=neighbours,
        device=device,
        classes=classes,
        budget_minutes=budget_minutes,
        epochs=epochs,
        seed=seed,
        pretrained=pretrained,
        init_from=find_model(init_from).path if init_from else None,
        name=name or out.resolve().name,
    )
    data = [load_dataset(path) for path in datasets]
    held_out = load_dataset(valid, split=_valid_split(valid)) if valid else None
    for dataset in (*data, *([held_out] if held_out else [])):
        tell_notes(dataset)
    with progress_bar("Training") as bar:
        progress = json_lines if progress_json else bar
        result = run(data, config, out, valid=held_out, resume=resume, progress=progress)
    figures = "  ".join(f"{k} {v:.4g}" for k, v in result.metrics.items())
    tell(f"split: {result.card.split}")
    if "computed on" in result.card.training:  # older cards do not say
        tell(f"computed on: {result.card.training['computed on']}")
    tell(f"{result.model_file}: done. {figures}")
    if register:
        tell(f"registered as {registry().add(result.model_file).name}")


def _valid_split(dataset: Path) -> str:
    return "val" if "val" in dataset_splits(dataset) else "all"


@app.command()
def evaluate(
    dataset: Annotated[Path, typer.Argument(help="COCO json, YOLO tree or workspace.")],
    out: Out,
    model: Annotated[str | None, typer.Option(help="Name or file; default: the model in use.")] = None,
    compare_with: Annotated[str | None, typer.Option(help="Another model, on the same slices.")] = None,
    report: Annotated[Path | None, typer.Option(help="HTML report with plots and worst cases.")] = None,
    classes: Annotated[
        OneOrAll | None, typer.Option(help="one: any class; all: each. Default: as the model.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="train, val, test or all; default: val if any.")] = None,
    per_patient: Annotated[bool, typer.Option(help="Figures for every group as well.")] = False,
    resamples: Annotated[int, typer.Option(min=0, help="Bootstrap resamples for the intervals.")] = 500,
) -> None:
    """Measure a model on a data set."""
    entries = [find_model(name) for name in (model, compare_with)[: 1 if compare_with is None else 2]]
    data = load_dataset(dataset, split=split or _valid_split(dataset))
    tell_notes(data)
    detectors, one_class = [load(entry) for entry in entries], _is_one(classes, entries[0])
    pixels = PixelCache(CACHE_BYTES).get
    with progress_bar("Evaluating") as progress:
        run, *others = run_models(data, detectors, pixels, one_class=one_class, progress=progress)
    other = others[0] if others else None
    figures = measure(run, other, resamples=resamples)
    write_json(report_of(run, figures, other, per_group=per_patient), out)
    if report is not None:
        write_page(run, figures, pixels, report, other)
    result = figures.evaluation
    tell(f"ap50 {result.ap50:.4g}  ap50_95 {result.ap50_95:.4g}  n_images {result.n_images}")


def _is_one(classes: str | None, entry: ModelEntry) -> bool:
    return len(entry.card.classes) == 1 if classes is None else classes == "one"


@app.command()
def export(
    workspace: Annotated[Path, typer.Option(help="Workspace to export from.")],
    format: Annotated[Format, typer.Option(help="The form to write.")],  # noqa: A002 - the option's name
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    images: Annotated[Pictures, typer.Option(help="Pictures, or paths to the slices.")] = "copy",
) -> None:
    """Write the labels of the read slices; they are read back and compared before it counts as done."""
    with progress_bar("Exporting") as progress:
        report = export_workspace(workspace, format, out, images=images, progress=progress)
    tell(report)


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="COCO json, YOLO tree or VOC folder.")],
    workspace: Annotated[Path, typer.Option(help="Workspace to import into.")],
    format: Annotated[Format | None, typer.Option(help="Default: by content.")] = None,  # noqa: A002
    slices: Annotated[list[Path] | None, typer.Option(help="Where the slices are, if not known yet.")] = None,
) -> None:
    """Read labels onto slices that the workspace knows."""
    found = open_all(slices) if slices else None
    tell(import_into_workspace(source, workspace, format, found))


@models_app.callback()
def models(context: typer.Context) -> None:
    """List the models where no other verb is given."""
    if context.invoked_subcommand is None:
        models_list()


@models_app.command("list")
def models_list() -> None:
    """Every model; * is the one in use."""
    for entry in registry().list():
        star = "*" if entry.current else " "
        origin = "bundled" if entry.bundled else "own"
        typer.echo(f"{star} {entry.name}  {entry.sha256[:8]}  {origin}  {', '.join(entry.card.classes)}")


@models_app.command("show")
def models_show(name: Annotated[str | None, typer.Argument()] = None) -> None:
    """A model's card."""
    typer.echo(find_model(name).card.to_markdown())


@models_app.command("add")
def models_add(file: Path, name: Annotated[str | None, typer.Option(help="Its name.")] = None) -> None:
    """Add a model file."""
    tell(f"added {registry().add(file, name).name}")


@models_app.command("promote")
def models_promote(name: str) -> None:
    """Put a model in use."""
    registry().promote(name)
    tell(f"in use: {name}")


@models_app.command("rollback")
def models_rollback() -> None:
    """Put the model in use before back in use."""
    tell(f"in use: {registry().rollback().name}")


@app.command()
def snapshot(
    path: Annotated[Path, typer.Argument(help="Folder or file.")],
    out: Out,
    slice: Annotated[int | None, typer.Option(help="1-based slice; default: the middle one.")] = None,  # noqa: A002
    workspace: Annotated[Path | None, typer.Option(help="Draw the boxes of this workspace.")] = None,
    detections: Annotated[bool, typer.Option(help="Draw the predictions of the model in use.")] = False,
    min_score: Annotated[float, typer.Option(min=0.0, max=1.0)] = 0.5,
) -> None:
    """A key image: window, boxes, letters, scale bar."""
    catalog = open_all([path])
    detector = load(find_model(None)) if detections else None
    write_key_image(
        catalog.series[0], slice, out, workspace=workspace, detector=detector, min_score=min_score
    )
    tell(f"{out}: written")


@app.command()
def verify(workspace: Annotated[Path, typer.Argument(help="Workspace.")]) -> None:
    """Check a workspace: pages, hash chain, replay."""
    with Workspace.open(workspace, reader="verify", create=False) as opened:
        report = opened.verify()
    if report.problems:
        raise InputError("\n".join(report.problems))
    tell(f"{workspace}: {report.entries} entries, sound")


@app.command()
def doctor() -> None:
    """Check this machine and this installation."""
    problems = 0
    for row in check(home()):
        typer.echo(f"{'ok  ' if row.ok else 'FAIL'}  {row.what}: {row.found}")
        problems += not row.ok
    raise typer.Exit(1 if problems else 0)


def _commands() -> set[str]:
    named = {c.name or (c.callback.__name__ if c.callback else "") for c in app.registered_commands}
    return named | {g.name or "" for g in app.registered_groups} | {"--help"}


def main(arguments: Sequence[str] | None = None, *, open_window: OpenWindow | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; None for this process's own.
        open_window: What opens the application; core itself knows no window.

    Returns:
        Exit status: 0 done, 1 failed (message on stderr), 2 wrong usage.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _window[:] = [open_window] if open_window else []
    if words == ["--version"]:
        typer.echo(__version__)
        return 0
    if not words or words[0] not in _commands():
        words.insert(0, "open")
    try:
        app(words, prog_name="overread")
    except SystemExit as stop:  # typer ends every command so; 2 is wrong usage
        return stop.code if isinstance(stop.code, int) else 1
    except Cancelled:
        tell("cancelled")
        return 1
    except OverreadError as error:
        tell(f"overread: {error}")
        return 1
    except OSError as error:  # no permission, disk full: it names the file itself
        where = f"{error.filename}: " if error.filename else ""
        tell(
            f"overread: {where}{error.strerror or error}. Free space or choose another place, then try again."
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

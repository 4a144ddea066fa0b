"""Command-line options made from dataclass fields, and tasks and solvers made from options."""

from __future__ import annotations

import argparse
import re
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any

from restora.cli.arguments import a_path, a_place, add_limit, max_pixels
from restora.cli.pages import INDENT
from restora.degradations import degradations, named
from restora.degradations.named import HOLE_OPTIONS
from restora.errors import OptionError, RestoraError
from restora.options import number, options, show, span, words
from restora.pictures.encoding import QUALITY
from restora.pictures.masks import ALPHA, Reading
from restora.runs.task import Task

MASK_HELP = (
    "an image that is white where pixels are missing, or a copy of the input with the damage painted over; a "
    "folder with one such file per input, of the same name; or 'alpha': fill the input's transparent parts"
)
HOLE_HELP = "a synthetic mask: center, half of each side (degrade and bench have more)"
QUALITY_HELP = (
    f"quality of jpg, webp and avif results ({QUALITY}; webp lossless); with --task jpeg, that of the input"
)
READING = tuple(entry.name for entry, _ in options(Reading))
Owners = dict[str, tuple[Field[Any], Any]]


def add_input(parser: argparse.ArgumentParser, text: str, needs_task: bool = True) -> None:
    parser.add_argument("inputs", nargs="+", type=a_place, metavar="INPUT", help=text)
    output = "output folder; or, for a single input, the output file, such as result.png"
    parser.add_argument("-o", "--output", type=a_place, required=True, metavar="DIR|FILE", help=output)
    recursive = "include images in subfolders; results and masks keep the same structure"
    parser.add_argument("--recursive", action="store_true", help=recursive)
    known = (
        f"{', '.join(degradations.names())}. Join several with +, in the order in which the damage happened, "
    )
    known += "such as deblur+superres+noise+jpeg. 'restora tasks' explains them"
    other = "" if needs_task else ". Default: whatever 'restora inspect' suggests for each image"
    parser.add_argument("--task", required=needs_task, metavar="TASK", help=known + other)
    add_limit(parser)


def add_task(parser: argparse.ArgumentParser, experiments: bool = True) -> None:
    """The options of every task, which `restora tasks NAME` explains. Without `experiments`, the only hole is
    the central one."""
    table = _task_options()
    for name, owners in table.items():
        if experiments or name not in HOLE_OPTIONS or name == "hole":
            of_file = next(iter(owners.values()))[0].metadata.get("per_image")
            kind = _source if of_file else str if experiments or name != "hole" else _central
            text = QUALITY_HELP if name == "quality" else argparse.SUPPRESS
            parser.add_argument(flag(name), type=kind, metavar="N", help=text)
    lines = []
    for task in degradations.names():
        own = ", ".join(
            map(flag, (n for n in _fields(task) if f"{flag(n)}" in parser._option_string_actions))
        )
        lines.append(f"{task:{INDENT - 4}}{own}")
    parser.add_argument_group("options of the tasks ('restora tasks NAME' explains them)", "\n".join(lines))


def task_options(task: str) -> list[tuple[str, str]]:
    """The options of a task, as they are given, and what they mean."""
    found = []
    for name, (entry, hint) in _fields(task).items():
        if entry.metadata.get("per_image"):
            found.append((f"{flag(name)} FILE|DIR|alpha", MASK_HELP))
            continue
        default = "" if name == "hole" or entry.default is MISSING else f" ({show(entry.default)})"
        text = HOLE_HELP if name == "hole" else meaning(entry, hint)
        only = "; degrade and bench only" if name in HOLE_OPTIONS and name != "hole" else ""
        value = "FILE" if entry.metadata.get("file") else metavar(hint)
        found.append((f"{flag(name)} {value}", f"{text}{only}{default}".removesuffix(" ()")))
    return found


def _task_options() -> dict[str, Owners]:
    """name of an option -> the tasks that have it, and their fields with the types."""
    table: dict[str, Owners] = {}
    for task in degradations.names():
        for name, entry in _fields(task).items():
            table.setdefault(name, {})[task] = entry
    return table


def _fields(task: str) -> dict[str, tuple[Field[Any], Any]]:
    """The options of a task; how masks are read are among them, where it has one."""
    found = named.option_fields(task)
    reading = {entry.name: (entry, hint) for entry, hint in options(Reading)} if "mask" in found else {}
    return found | reading


def _source(text: str) -> Path | str:
    """Where masks come from."""
    return ALPHA if text == ALPHA else a_path(text)


def _central(text: str) -> str:
    """The one hole that is not for experiments alone."""
    if text != "center":
        raise OptionError(
            f"--hole {text}: expected center; the other holes only work with degrade and bench. Paint "
            "what is missing white on a black picture of the same size, and give it as --mask"
        )
    return text


def meaning(entry: Field[Any], hint: Any) -> str:
    """The help of an option, with the range of a number."""
    text, limits = entry.metadata.get("help", ""), span(entry).removeprefix("of ")
    return f"{text}; {limits}" if number(hint) and limits else text


def metavar(*hints: Any) -> str:
    """What stands in the help for the value of an option, which has one of these types: X|auto."""
    kinds = ["N" if number(hint) is int else "X" for hint in hints if number(hint)]
    return "|".join(dict.fromkeys([*kinds, *(word for hint in hints for word in words(hint))])) or "TEXT"


def flag(name: str) -> str:
    """The option of the command line that gives this argument."""
    return f"--{name.replace('_', '-')}"


def spoken(error: RestoraError, args: argparse.Namespace) -> str:
    """The text of an error in one line, which speaks of the options of a command, not of arguments."""
    text, name = str(error), getattr(error, "name", None)
    if name is not None and name in vars(args):
        off = f", --no-{flag(name)[2:]}" if isinstance(getattr(args, name), bool) else ""
        text = f"{flag(name)}{off}{text.removeprefix(name)}"
    return as_options(" ".join(text.split()), args)


def as_options(text: str, args: argparse.Namespace) -> str:
    """Arguments in a text of the library, name=True and name='value', as options of the command."""
    text = text.replace("leave it at uncertainty=False", "leave --uncertainty out")
    text = text.replace("uncertainty=False", "no --uncertainty")
    text = text.replace("raise max_pixels", "raise --max-megapixels")
    name = rf"(?<![\w/.:-])(?<!--set )({'|'.join(vars(args)) or '(?!)'})="
    text = re.sub(rf"{name}True\b", lambda found: flag(found[1]), text)
    return re.sub(rf"{name}'?([\w.|-]+)'?", lambda found: f"{flag(found[1])} {found[2]}", text)


def make_task(args: argparse.Namespace, restoring: bool = False) -> Task:
    """The Task that the options describe. An option of another task is an error, never ignored. `restoring`:
    what is not given is found in the pictures, where the task can."""
    task, given = named.words(args.task)
    own, table = _fields(task), _task_options()
    for name in table:
        text = getattr(args, name, None)
        if text is None or (name not in own and name == "quality"):  # that of results
            continue
        if name not in own:
            raise OptionError(_not_its(name, task, list(own), ", ".join(table[name])))
        if name in given:
            raise OptionError(f"{flag(name)} is given twice: in --task and as an option")
        is_alpha = (name, text) == ("mask", ALPHA)
        is_text = isinstance(text, str) and not is_alpha
        given[name] = named.value_of(text, *own[name], flag(name)) if is_text else text
    if restoring:
        given = named.unknown(task) | given
    reading = Reading(**{name: given.pop(name) for name in READING if name in given})
    return Task(task, given, given.pop("hole", None), max_pixels(args), reading)


def needs_no_task(args: argparse.Namespace) -> None:
    """OptionError for an option of a task where none is named."""
    for name in _task_options():
        if getattr(args, name, None) is not None and name != "quality":
            raise OptionError(f"{flag(name)} is an option of a task; name it with --task")


def _not_its(name: str, task: str, own: list[str], others: str) -> str:
    """What to say of an option that the task does not have by this name."""
    shared = [known for known in own if known.endswith(f":{name}")]
    if not shared:
        return f"{flag(name)} is an option of {others}; task {task!r} has no such option"
    tasks = [known.partition(":")[0] for known in shared]
    said = "+".join(f"{one}:{name}=..." if one == tasks[0] else one for one in named.members(task))
    return f"{flag(name)} is an option of {' and '.join(tasks)}; say whose, such as --task {said}"

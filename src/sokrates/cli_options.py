"""Command-line options made from the fields of a section, so that help, types and defaults are written once.

Contract: an option that the user did not give is None (empty where it may be repeated) and overrides nothing: the
configuration file, else the class default, stands. Knows click and pydantic fields; not what a command does with them.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from sokrates import config
from sokrates.config import Section

Command = TypeVar("Command", bound=Callable[..., Any])


def options(section: type[Section], *names: str) -> Callable[[Command], Command]:
    """A decorator that gives a click command one `--kebab-case` option for each named field, shown in that order.

    Errors: KeyError for a name that is no field; TypeError for a field that one option cannot express.
    """
    made = [_option(name, section.model_fields[name]) for name in names]

    def decorate(command: Command) -> Command:
        for option in reversed(made):
            command = option(command)
        return command

    return decorate


def given(section: str, params: Mapping[str, Any]) -> list[str]:
    """The dotted overrides for the options of a section that the user gave; `""` is the top of the configuration.

    `params` are the values that click passed to the command; those that are no field of the section are left out.
    """
    prefix = f"{section}." if section else ""
    known = config.settings()
    return [
        # JSON is YAML with its strings quoted, so that the model named 1e-4 stays a name
        f"{prefix}{name}={json.dumps(value, ensure_ascii=False)}"
        for name, value in params.items()
        if prefix + name in known and value is not None and value != ()
    ]


def _option(name: str, field: FieldInfo) -> Callable[[Command], Command]:
    flag = f"--{name.replace('_', '-')}"
    kind = _without_none(field.annotation)
    settings: dict[str, Any] = {"default": None, "help": _help(field)}
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, **settings)
    if get_origin(kind) is list:
        kind = get_args(kind)[0]
        length = _bound(field, "min_length")
        fixed = length is not None and length == _bound(field, "max_length")
        settings |= {"nargs": length} if fixed else {"multiple": True}
    return click.option(flag, name, type=_click_type(kind, field, name), **settings)


def _without_none(annotation: Any) -> Any:
    """`T` for `T | None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else annotation
    return annotation


def _click_type(kind: Any, field: FieldInfo, name: str) -> click.ParamType[Any]:
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind))
    if kind is str:
        return click.STRING
    if kind is not int and kind is not float:
        raise TypeError(f"{name}: no command-line option for a field of type {kind}")
    low, above, high, below = (_bound(field, name) for name in ("ge", "gt", "le", "lt"))
    if low is above is high is below is None:
        return click.INT if kind is int else click.FLOAT
    return (click.IntRange if kind is int else click.FloatRange)(
        min=low if above is None else above,
        max=high if below is None else below,
        min_open=above is not None,
        max_open=below is not None,
    )


def _bound(field: FieldInfo, name: str) -> Any:
    """The value of a constraint such as `ge` or `max_length`, or None where the field has no such one."""
    return next((getattr(rule, name) for rule in field.metadata if hasattr(rule, name)), None)


def _help(field: FieldInfo) -> str:
    default = field.default
    if default is None or default == []:
        return field.description or ""
    if isinstance(default, bool):
        default = "yes" if default else "no"
    elif isinstance(default, list):
        default = " ".join(map(str, default))
    return f"{field.description} [default: {default}]"

"""Graph inputs as options: `--prompt "…" --seed 7`, and their help."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from rich.table import Table
from typer.core import TyperCommand

from nodegraph.base.diagnostics import nearest
from nodegraph.base.visible import visible_line
from nodegraph.cli.console import USAGE, add_row, fail, registry, results
from nodegraph.language.graph import Graph, GraphInput
from nodegraph.language.scope import plain


class Once(TyperCommand):
    """A command whose options stand once: of two values none wins in silence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As every command, after a look for options that stand twice."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for param, count in Counter(given).items():
            if count > 1 and not (getattr(param, "is_flag", False) or param.multiple):
                ctx.fail(f"{param.opts[-1]} stands twice; give it once")
        return super().parse_args(ctx, args)


def input_values(context: typer.Context, graph: Graph, named: Sequence[str] = ()) -> dict[str, str]:
    """Values by input name, as texts; `named` are NAME=VALUE. A wrong one ends the program with the nearest right one."""
    values = _named_values(named, graph)
    own = [option for param in context.command.params for option in param.opts]
    options = [*map(option_of, graph.inputs), *(o for o in own if o.startswith("--"))]
    rest = list(context.args)
    while rest:
        option, given, value = rest.pop(0).partition("=")
        if not option.startswith("--"):
            many = "; a value with blanks in it is quoted" if values else ""
            fail(f"'{option}' is not an option; inputs are given as --name value{many}", USAGE)
        name = option.removeprefix("--").replace("-", "_")
        if name not in graph.inputs:
            lists = f"`{context.command_path} {context.params['graph']} --help` lists the inputs"
            hint = nearest(option, options) or lists
            fail(f"the graph has no input '{option}'; {hint}", USAGE)
        if name in values:
            fail(f"{option} stands twice; give it once", USAGE)
        if not given:
            value = _next(option, rest, options)
        values[name] = value
    return values


def _named_values(named: Sequence[str], graph: Graph) -> dict[str, str]:
    """The values of `--input NAME=VALUE`."""
    values: dict[str, str] = {}
    for given in named:
        name, equals, value = given.partition("=")
        if not equals:
            fail(f"--input {given}: write NAME=VALUE", USAGE)
        if name not in graph.inputs:
            hint = nearest(name, graph.inputs)
            fail(f"the graph has no input '{name}'" + (f"; {hint}" if hint else ""), USAGE)
        if name in values:
            fail(f"--input {name} stands twice; give it once", USAGE)
        values[name] = value
    return values


def _next(option: str, rest: list[str], options: list[str]) -> str:
    """The value behind an option; another option is none."""
    if rest and rest[0].partition("=")[0] in options:
        mend = f"{option}={rest[0]}, if that is the value"
        fail(f"{option} needs a value, and {rest[0]} is an option; say {mend}", USAGE)
    if not rest:
        fail(f"{option} needs a value: {option} VALUE", USAGE)
    return rest.pop(0)


def option_of(name: str) -> str:
    """An input as an option: `--guidance-scale`."""
    return f"--{name.replace('_', '-')}"


def no_graph(context: typer.Context, show_help: bool) -> NoReturn:
    """What is said where no graph is named: the help, or what is missing; and which graphs there are."""
    command = context.command_path
    graphs = "\n  ".join(["shipped graphs:", *registry().listed])
    if show_help:
        typer.echo(context.get_help())
        results.print(graphs)
        raise typer.Exit
    example = f"{command} my.yaml, or {command} glide/text_to_image"
    fail(f"{command} needs a graph: {example}; `{command} --help` says more\n{graphs}", USAGE)


def print_help(graph: Graph, context: typer.Context, name: str) -> None:
    """The inputs of a graph as options, with their types, defaults and help."""
    results.print(f"Usage: {context.command_path} {name} [--INPUT VALUE …] [--preset P] [OPTIONS]")
    results.print(f"\n{visible_line(graph.title)}\n")
    table = Table("option", "type", "default", "", box=None, pad_edge=False)
    for declared in graph.inputs.values():
        cells = (option_of(declared.name), declared.type, _default(declared), _help(declared))
        add_row(table, *cells)
    results.print(table)
    if graph.presets:
        results.print(f"\npresets: {visible_line(', '.join(graph.presets))}")
    if graph.sweeps:
        results.print(f"\nsweeps: {visible_line(', '.join(graph.sweeps))}")
    own = " ".join(param.opts[-1] for param in context.command.params if param.name != "graph")
    results.print(f"\noptions: {own}")


def _default(declared: GraphInput) -> str:
    if declared.default is None:
        return "" if declared.optional else "required"
    value = plain(declared.default)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _help(declared: GraphInput) -> str:
    bounds = [f"{b:g}" for b in (declared.low, declared.high) if b is not None]
    offered = " | ".join(str(choice) for choice in declared.menu or ())
    notes = (declared.help, f"({' … '.join(bounds)})" if bounds else "", offered)
    return " ".join(note for note in notes if note)

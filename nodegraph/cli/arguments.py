"""Graph inputs as options: `--prompt "…" --seed 7`, and their help."""

from collections.abc import Sequence

from rich.table import Table

from nodegraph.cli.console import USAGE, fail, results
from nodegraph.errors import nearest
from nodegraph.graph import Graph, GraphInput, Listing, Literal


def input_values(arguments: Sequence[str], graph: Graph) -> dict[str, str]:
    """Values by input name, as texts. A wrong option ends the program with the nearest right one."""
    values: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        option = rest.pop(0)
        if not option.startswith("--"):
            fail(f"'{option}' is not an option; inputs are given as --name value", USAGE)
        name, given, value = option.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if name not in graph.inputs:
            hint = nearest(name, [*graph.inputs, "preset", "out", "device", "precision"])
            fail(
                f"the graph has no input '--{name.replace('_', '-')}'"
                + (f"; {hint}" if hint else ""),
                USAGE,
            )
        if not given:
            if not rest:
                fail(f"--{name} needs a value", USAGE)
            value = rest.pop(0)
        values[name] = value
    return values


def print_help(graph: Graph, command: str) -> None:
    """The inputs of a graph as options, with their types, defaults and help."""
    results.print(
        f"Usage: nodegraph {command} [--INPUT VALUE …] [--preset P] [OPTIONS]", markup=False
    )
    results.print(f"\n{graph.title}\n", markup=False)
    table = Table("option", "type", "default", "", box=None, pad_edge=False)
    for declared in graph.inputs.values():
        option = f"--{declared.name.replace('_', '-')}"
        table.add_row(
            option, declared.type.replace("[", r"\["), _default(declared), _help(declared)
        )
    results.print(table)
    if graph.presets:
        results.print(f"\npresets: {', '.join(graph.presets)}", markup=False)
    results.print(
        "\noptions: --preset --out --device --precision --no-cache --quiet --json", markup=False
    )


def _default(declared: GraphInput) -> str:
    if isinstance(declared.default, Listing):
        return "[…]"
    if isinstance(declared.default, Literal):
        return str(declared.default.value)
    return "" if declared.optional else "required"


def _help(declared: GraphInput) -> str:
    bounds = [f"{b:g}" for b in (declared.low, declared.high) if b is not None]
    return declared.help + (f" ({' … '.join(bounds)})" if bounds else "")

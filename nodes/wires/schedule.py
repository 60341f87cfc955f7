"""Schedules on the wires."""

from nodegraph.library.port import PortType
from nodes.diffusion.schedule import Schedule


def _describe_schedule(value: Schedule) -> str:
    jumps = f", {value.jumps} jumps up, {len(value.visits)} visits" if value.jumps else ""
    return f"{value.kind}, {len(value)} of {value.train_steps} steps{jumps}"


PORT_TYPES: dict[type, PortType] = {
    Schedule: PortType(
        "Schedule",
        "The steps that a sampler visits, with their noise levels.",
        colour="#f59e0b",
        describe=_describe_schedule,
    ),
}

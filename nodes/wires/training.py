"""What trainings are made of, on the wires: data sets, networks, objectives and folders."""

from pathlib import Path
from typing import Annotated, Any

from nodegraph.library.port import Context, PortType
from nodes.training.dataset import Dataset
from nodes.training.folder_digest import folder_digest
from nodes.training.networks import Network, PointModel, TextReader
from nodes.training.step import Objective
from nodes.wires.identities import of_read_folder, of_written_folder


def _writable(literal: Any, context: Context) -> Path:
    return context.writable(str(literal))


RunFolder = Annotated[
    Path,
    PortType(
        "RunFolder",
        "A folder below the output folder, for what a training keeps.",
        literal="path",
        parse=_writable,
        identify=of_written_folder,
        digest=str,
    ),
]

ReadFolder = Annotated[
    Path,
    PortType(
        "ReadFolder",
        "A folder of files to read.",
        literal="path",
        parse=lambda literal, context: context.readable(str(literal)),
        identify=of_read_folder,
        digest=folder_digest,
    ),
]
PORT_TYPES: dict[type, PortType] = {
    Dataset: PortType(
        "Dataset", "An endless source of training batches.", colour="#22c55e", shape="triangle"
    ),
    Network: PortType(
        "Network", "A network to be trained: a configuration.", colour="#a3e635", shape="triangle"
    ),
    Objective: PortType(
        "Objective", "What a training minimises.", colour="#facc15", shape="triangle"
    ),
    TextReader: PortType(
        "TextReader",
        "A text transformer that was taught to read.",
        colour="#d946ef",
        shape="diamond",
    ),
    PointModel: PortType(
        "PointModel", "A trained network for points.", colour="#c084fc", shape="diamond"
    ),
}

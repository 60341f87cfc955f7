"""The stable codes of diagnostics: what a tool may match on. One line each, for the docs."""

from enum import StrEnum


class Code(StrEnum):
    """A code, which is also its text (`E201`); its name in words (`unknown-port`), and what it means."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> "Code":
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    @property
    def word(self) -> str:
        """The name that stands beside the code: `unknown-port`."""
        return self.name.lower().replace("_", "-")

    YAML_SYNTAX = "E001", "The text is not YAML."
    DUPLICATE_KEY = "E002", "A key stands twice in one mapping."
    YAML_FEATURE = (
        "E003",
        "Tags, anchors, aliases, merge keys and several documents are not part of the format.",
    )
    TOO_DEEP = "E004", "The nesting is deeper than any graph needs."
    UNREADABLE_FILE = "E005", "The file is missing, or is not UTF-8 text."
    LONG_NUMBER = "E006", "A number with more digits than any that can be meant."
    LARGE_FILE = "E007", "The file is larger than any graph."
    UNREADABLE_PICTURE = "E008", "The picture carries no graph, or one that is damaged."
    UNKNOWN_KEY = "E101", "A key that the format does not have."
    UNSUPPORTED_VERSION = "E102", "The format version is not one that this program reads."
    WRONG_STRUCTURE = "E103", "A mapping, list or word stands where another is expected."
    NAME_USED_TWICE = "E104", "An input and a node have the same name."
    RESERVED_INPUT = "E105", "A graph input is named like an option of the command line."
    CYCLE = "E106", "Nodes wait for each other."
    SUBGRAPH_NOT_FOUND = "E107", "`type:` names a graph file that is not there."
    RECURSIVE_SUBGRAPH = "E108", "A graph contains itself."
    UNKNOWN_PRESET = "E109", "The graph has no preset of that name."
    UNKNOWN_INPUT = "E110", "The graph has no input of that name."
    NO_OUTPUTS = "E111", "A graph must say what comes out."
    BAD_NAME = "E112", "A name that `$name` cannot refer to."
    OUTSIDE_FOLDER = (
        "E113",
        "A graph names a graph file or a bundle outside the folders that it may read.",
    )
    TOO_MANY_STEPS = "E114", "With its subgraphs unfolded, the graph has too many steps."
    DEEP_SUBGRAPHS = "E115", "Subgraphs stand inside each other too deep."
    UNKNOWN_CHOICE = (
        "E116",
        "`each`, or `switch`, depends on what is known only while the graph runs.",
    )
    UNKNOWN_SWEEP = "E117", "The graph has no sweep of that name."
    NOT_EDITABLE = "E118", "An edit of a graph's text that cannot be made."
    UNKNOWN_PORT = "E201", "The node type has no input of that name."
    UNKNOWN_TYPE = "E202", "No node type, or no port type, of that name is installed."
    UNKNOWN_OUTPUT = "E203", "The node has no output of that name."
    UNRESOLVED_REFERENCE = "E204", "`$name` refers to nothing."
    MISSING_INPUT = "E205", "A required input is neither wired nor given."
    OUT_OF_RANGE = "E206", "A number outside the range of its port."
    NOT_IN_MENU = "E207", "A value that the port does not offer."
    BAD_LITERAL = "E208", "A value that cannot be read as the type of its port."
    UNKNOWN_PART = "E209", "The bundle has no part of that name."
    LARGE_TYPE = "E210", "A type is nested too deep, or names too many others."
    NAME_TAKEN_TWICE = "E211", "Two installed libraries have a node type, or a graph, of that name."
    CHANGED_TYPE = "E212", "The name of a port type means another one than in older versions."
    TYPE_MISMATCH = "E301", "A wire joins types that do not fit."
    WRONG_SHAPE = "E401", "Tensors whose shapes do not fit meet in a node."
    WRONG_MEANING = (
        "E402",
        "Values that do not belong together: another CLIP, schedule or set of conditions.",
    )
    BAD_VALUE = "E403", "A node refuses a value."
    MISSING_WEIGHTS = (
        "E404",
        "The weights of a model are not on this machine, or are those of another.",
    )
    WRONG_RESULT = "E405", "A node gives something else than its signature says."
    CHANGED_INPUT = "E406", "A node changes in place what it was given, which others read too."
    NODE_FAILED = "E501", "A node's own code raised an error."
    UNWRITTEN_OUTPUT = "E502", "What came out cannot be written where it was to be."
    LOST_WORKER = "E503", "A process that was to run a graph has ended, or is none that can run it."
    NO_PLACE = "E504", "What is named as a place to run graphs is none, or does not answer."
    NO_PACKAGE = "E505", "A place, or a cache, needs a package that is not installed."
    BAD_CACHE = "E506", "What is named as a cache that machines share is no address of one."
    UNUSED_NODE = "W101", "Nothing that comes out depends on this node."
    RENAMED_PORT = (
        "W103",
        "A port has its name of an older version of the node; it is read under the new one.",
    )
    NOT_IN_GRAPH = "W105", "The layout or a frame names something that the graph does not have."
    MANY_FAULTS = "W104", "There are more faults than anybody would read; some are left out."
    UNUSED_INPUT = "W102", "No node uses this input."
    INPUT_LIKE_OPTION = "W106", "An input is named like an option that came later."
    NOT_FINITE = "W402", "A picture is NaN or infinite; such pixels are written in magenta."
    ANOTHER_DEVICE = "W403", "A picture was made on another kind of device; pixels may differ."
    OTHER_WEIGHTS = "W404", "A model has other weights than those that made a picture."
    SLOW_PRECISION = "W405", "The CPU has no instructions for the precision of the run."
    REMOTE_CACHE = (
        "W501",
        "A cache that machines share fails, is slow, or gives what was not put there; it costs time only.",
    )
    NODE_WARNING = "W401", "A node says that its result may not be what is expected."

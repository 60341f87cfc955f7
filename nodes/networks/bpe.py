"""Byte-pair encodings: GLIDE's, from its vocabulary files, and CLIP's, from the file that open_clip ships."""

import gzip
import html
import importlib.util
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import ftfy
import regex

VOCABULARY = Path(__file__).with_name("vocabulary")
GPT2_PIECES = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
CLIP_PIECES = regex.compile(
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    regex.IGNORECASE,
)
CLIP_MERGES = 49_152 - 256 - 2
MOST, LARGEST = 2**24, 2**26
"""Symbols of the largest vocabulary, and bytes of its file."""
CLIP_SPECIALS = ("<|startoftext|>", "<|endoftext|>")


@cache
def byte_alphabet() -> dict[int, str]:
    """A printable character for each byte: itself where it prints, one beyond 255 where it does not."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (b for b in range(256) if b not in printable)
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


class BytePairEncoding:
    """Merges adjacent symbols by rank until none is left to merge. Ref: Sennrich et al. 2016; Radford et al. 2019.

    `ids`: number of each symbol; `merges`: pairs, the most frequent first; `end`: mark on the last symbol of a piece;
    `specials`: pieces that are symbols as they stand.
    """

    def __init__(
        self,
        ids: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        pieces: "regex.Pattern[str]",
        end: str = "",
        specials: Sequence[str] = (),
        unknown: str | None = None,
    ) -> None:
        self.ids = dict(ids)
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._pieces = pieces
        self._end = end
        self._specials = frozenset(specials)
        self._unknown = unknown
        self._symbols = {number: symbol for symbol, number in self.ids.items()}

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        return [self._id(symbol) for symbol in self._symbols_in(text)]

    def _id(self, symbol: str) -> int:
        return self.ids[symbol if symbol in self.ids or self._unknown is None else self._unknown]

    def strangers(self, text: str) -> tuple[str, ...]:
        """What a text holds that is no symbol of the vocabulary, each once."""
        symbols = dict.fromkeys(s for s in self._symbols_in(text) if s not in self.ids)
        return tuple(self._text_of(symbols).split())

    @property
    def merges(self) -> list[tuple[str, str]]:
        """Pairs of symbols that are merged, the most frequent first."""
        return list(self._ranks)

    @property
    def size(self) -> int:
        """One more than the largest number of a symbol."""
        return max(self.ids.values(), default=-1) + 1

    def _symbols_in(self, text: str) -> list[str]:
        return [s for piece in self._pieces.findall(text) for s in self._symbols_of(piece)]

    def _symbols_of(self, piece: str) -> list[str]:
        if piece in self._specials:
            return [piece]
        alphabet = byte_alphabet()
        return self.merged("".join(alphabet[b] for b in piece.encode()))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of token ids; bytes that are no UTF-8 become the replacement character."""
        return self._text_of(self._symbols[token] for token in tokens)

    def _text_of(self, symbols: Iterable[str]) -> str:
        bytes_of = {character: byte for byte, character in byte_alphabet().items()}
        found = bytearray()
        for symbol in symbols:
            ends = bool(self._end) and symbol.endswith(self._end)
            found += bytes(
                bytes_of[c] for c in (symbol.removesuffix(self._end) if ends else symbol)
            )
            found += b" " if ends else b""
        return found.decode("utf-8", errors="replace")

    def merged(self, word: str) -> list[str]:
        """The symbols of one piece."""
        symbols = [*word[:-1], word[-1] + self._end]
        while len(symbols) > 1:
            ranked = [(self._ranks.get(pair), i) for i, pair in enumerate(pairwise(symbols))]
            found = [(rank, i) for rank, i in ranked if rank is not None]
            if not found:
                break
            best = min(found)[1]
            symbols = _merge(symbols, (symbols[best], symbols[best + 1]))
        return symbols


def _merge(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    for symbol in symbols:
        if joined and (joined[-1], symbol) == pair:
            joined[-1] += symbol + "\0"
        else:
            joined.append(symbol)
    # The mark keeps a pair that was just merged from merging with the next symbol in the same pass.
    return [symbol.rstrip("\0") for symbol in joined]


def _merge_lines(path: Path) -> list[tuple[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1:]
    return [(a, b) for a, _, b in (line.partition(" ") for line in lines) if b]


@cache
def glide_encoding() -> BytePairEncoding:
    """GLIDE's encoding: 50,257 tokens; texts are lower-cased before it."""
    with gzip.open(VOCABULARY / "encoder.json.gz", "rt", encoding="utf-8") as file:
        ids = json.load(file)
    return BytePairEncoding(ids, _merge_lines(VOCABULARY / "vocab.bpe.gz"), GPT2_PIECES)


@cache
def clip_encoding() -> BytePairEncoding:
    """CLIP's encoding: 49,408 tokens, the last two start and end of text. Reads open_clip's file without importing it."""
    package = importlib.util.find_spec("open_clip")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "CLIP's vocabulary comes with open_clip_torch, which is not installed"
        )
    merges = _merge_lines(Path(package.origin).with_name("bpe_simple_vocab_16e6.txt.gz"))[
        :CLIP_MERGES
    ]
    bytes_in_order = list(byte_alphabet().values())
    symbols = [*bytes_in_order, *(s + "</w>" for s in bytes_in_order), *(a + b for a, b in merges)]
    symbols += CLIP_SPECIALS
    ids = {symbol: number for number, symbol in enumerate(symbols)}
    return BytePairEncoding(ids, merges, CLIP_PIECES, end="</w>", specials=CLIP_SPECIALS)


def vocabulary_files(folder: Path) -> tuple[Path, ...]:
    """The files of a vocabulary that transformers wrote: tokenizer.json, or vocab.json with merges.txt; none of a folder
    without."""
    for names in (("tokenizer.json",), ("vocab.json", "merges.txt")):
        files = tuple(folder / name for name in names)
        if all(file.is_file() for file in files):
            return files
    return ()


def folder_encoding(folder: Path) -> BytePairEncoding:
    """An encoding of CLIP's kind from the vocabulary in a folder; what is unknown is read as the end of text.

    Raises OSError, or ValueError naming the folder.
    """
    files = vocabulary_files(folder)
    return _folder_encoding(folder, tuple((file, file.stat().st_mtime_ns) for file in files))


@cache
def _folder_encoding(folder: Path, state: tuple[tuple[Path, int], ...]) -> BytePairEncoding:
    files = tuple(file for file, _ in state)
    try:
        ids, merges = _one_file(files[0]) if len(files) == 1 else _two_files(*files)
        _known(ids, merges)
    except RecursionError:
        raise ValueError(f"the vocabulary {_names(files)} is nested too deep") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"the vocabulary {_names(files)} cannot be read: {reason}") from None
    return BytePairEncoding(
        ids, merges, CLIP_PIECES, "</w>", CLIP_SPECIALS, unknown=CLIP_SPECIALS[1]
    )


def _names(files: Sequence[Path]) -> str:
    return " and ".join(map(str, files))


def _known(ids: Any, merges: list[tuple[str, str]]) -> None:
    """Raises ValueError unless every symbol is a text with a number, and the marks of CLIP are among them."""
    if not isinstance(ids, dict):
        raise ValueError("its symbols have no numbers")
    for symbol, number in cast("dict[str, Any]", ids).items():
        if type(number) is not int or not 0 <= number < MOST:
            raise ValueError(f"{symbol!r:.80} has the number {number!r:.80}")
    if absent := [mark for mark in CLIP_SPECIALS if mark not in ids]:
        raise ValueError(f"{' and '.join(absent)} are missing")
    if not all(isinstance(symbol, str) for pair in merges for symbol in pair):
        raise ValueError("what it merges are no texts")


def _read(path: Path) -> str:
    """The text of a file. Raises ValueError for one that is larger than any vocabulary."""
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"{path.name} is larger than any")
    return content.decode("utf-8")


def _one_file(path: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Merges are pairs, or words with a blank between."""
    model = json.loads(_read(path))["model"]
    if model["type"] != "BPE" or model.get("end_of_word_suffix") != "</w>":
        raise ValueError("tokenizer.json is of another kind than CLIP's")
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    return model["vocab"], [(a, b) for a, b in pairs]


def _two_files(ids: Path, merges: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    lines = _read(merges).split("\n")[1:]
    pairs = (line.partition(" ") for line in lines)
    return json.loads(_read(ids)), [(a, b) for a, _, b in pairs if b]


def padded_pieces(encoding: BytePairEncoding, text: str, padding: str) -> list[int]:
    """Token ids as transformers' CLIP tokenizer gives them: the padding symbol and the marks are found before all else.

    The text is composed (NFC), its blanks are collapsed and it is lower-cased; nothing is mended or unescaped.
    """
    ids: list[int] = []
    for chunk, marked in _chunks(encoding, text, padding):
        if marked:
            ids.append(encoding.ids[chunk])
        else:
            ids += encoding.encode(chunk)
    return ids


def padded_strangers(encoding: BytePairEncoding, text: str, padding: str) -> tuple[str, ...]:
    """What `padded_pieces` finds in a text that is no symbol of the vocabulary, each once."""
    chunks = (chunk for chunk, marked in _chunks(encoding, text, padding) if not marked)
    found = (stranger for chunk in chunks for stranger in encoding.strangers(chunk))
    return tuple(dict.fromkeys(found))


def _chunks(encoding: BytePairEncoding, text: str, padding: str) -> list[tuple[str, bool]]:
    """A text as the marks in it, and what stands between them."""
    marks = [mark for mark in (padding, *CLIP_SPECIALS) if mark in encoding.ids]
    found = regex.split("(" + "|".join(regex.escape(mark) for mark in marks) + ")", text)
    return [(c, True) if c in marks else (_composed(c), False) for c in found]


def _composed(text: str) -> str:
    return regex.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).lower()


def clip_clean(text: str) -> str:
    """A text as CLIP's tokenizer reads it: mended, unescaped, blanks collapsed, lower-cased."""
    mended = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return regex.sub(r"\s+", " ", mended).strip().lower()

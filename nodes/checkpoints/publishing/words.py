"""The tokenizer of a CLIP in a folder as transformers reads it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nodes.networks.bpe import clip_encoding, vocabulary_files
from nodes.networks.config import ClipConfig

TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")


def write_vocabulary(folder: Path, config: ClipConfig, options: Mapping[str, Any]) -> list[Path]:
    """Write the vocabulary of a CLIP with its `options`: its files, where it is another than CLIP's own."""
    folder.mkdir()
    _write(folder / "tokenizer_config.json", options)
    _write(folder / "special_tokens_map.json", {name: options[name] for name in TOKENS})
    if config.tokenizer.folder:
        files = vocabulary_files(Path(config.tokenizer.folder))
        return [Path(shutil.copyfile(file, folder / file.name)) for file in files]
    encoding = clip_encoding()
    _write(folder / "vocab.json", encoding.ids)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in encoding.merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    return []


def _write(path: Path, record: Mapping[str, Any]) -> None:
    text = json.dumps(record, ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8", newline="")

"""Folders as the installed diffusers saves them: both pipelines of unCLIP, in every form of their weights."""

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from nodegraph.base.diagnostics import GraphError
from nodegraph.base.paths import Sandbox
from nodegraph.runtime.context import RunContext
from nodes.checkpoints.catalogue import part_kinds
from nodes.models.clip import Clip
from nodes.models.handle import MissingWeights, parsed
from nodes.models.prior import Prior
from nodes.models.unet import UNet
from nodes.networks.clip.network import clip_tokenize

GOLDEN = Path(__file__).parents[3] / "golden" / "data"
FOLDERS = {
    "UnCLIPPipeline": GOLDEN / "unclip_tiny_karlo",
    "UnCLIPImageVariationPipeline": GOLDEN / "unclip_tiny_karlo_variations",
}
KINDS = {"Prior": Prior, "UNet": UNet, "Clip": Clip}
FORMS: dict[str, dict[str, Any]] = {
    "whole": {},
    "shards": {"max_shard_size": "60KB"},
    "variant": {"variant": "fp16"},
    "shards of a variant": {"variant": "fp16", "max_shard_size": "60KB"},
    "pickles": {"safe_serialization": False},
}


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Saves a pipeline anew in one of the forms; each once."""
    made: dict[tuple[str, str], Path] = {}

    def saved(pipeline: str, form: str) -> Path:
        if (pipeline, form) not in made:
            folder = tmp_path_factory.mktemp("saved") / pipeline
            with quiet():
                loaded(pipeline, "variant" in form).save_pretrained(folder, **FORMS[form])
            made[pipeline, form] = folder
        return made[pipeline, form]

    return saved


@contextmanager
def quiet() -> Iterator[None]:
    """diffusers and transformers warn of what is about to change in them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def loaded(pipeline: str, half: bool) -> Any:
    import diffusers
    import diffusers.pipelines
    from diffusers.pipelines.deprecated import unclip

    diffusers.pipelines.unclip = unclip
    found = getattr(diffusers, pipeline).from_pretrained(str(FOLDERS[pipeline]))
    return found.to(torch.float16) if half else found


def models(folder: Path) -> Iterator[tuple[str, Any]]:
    context = RunContext(Sandbox((folder,), Path("out")))
    for part, kind in part_kinds(str(folder)).items():
        yield part, parsed(KINDS[kind], str(folder / part), context)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pipeline", FOLDERS)
def test_every_part_is_the_one_that_was_saved(
    save: Callable[[str, str], Path], pipeline: str, form: str
) -> None:
    before = dict(models(FOLDERS[pipeline]))
    found = dict(models(save(pipeline, form)))
    assert found.keys() == before.keys()
    for part, model in found.items():
        model.verify()
        assert model.needs.here
        weights, expected = model.weights(torch.float32), before[part].weights(torch.float32)
        assert weights.keys() == expected.keys(), part
        for key, value in weights.items():
            like = expected[key].half().float() if "variant" in form else expected[key]
            assert torch.equal(value, like), f"{part}: {key}"


def test_the_forms_are_there(save: Callable[[str, str], Path]) -> None:
    """What the installed version writes is what is meant to be read."""
    names = {form: {p.name for p in save("UnCLIPPipeline", form).rglob("*")} for form in FORMS}
    assert "diffusion_pytorch_model.safetensors.index.json" in names["shards"]
    assert "diffusion_pytorch_model.fp16.safetensors" in names["variant"]
    assert "diffusion_pytorch_model.safetensors.index.fp16.json" in names["shards of a variant"]
    assert "diffusion_pytorch_model.bin" in names["pickles"]
    for form in ("variant", "shards of a variant", "pickles"):
        assert "diffusion_pytorch_model.safetensors" not in names[form]


def test_the_whole_file_comes_before_its_half(
    save: Callable[[str, str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "both"
    shutil.copytree(save("UnCLIPPipeline", "variant"), folder)
    shutil.copytree(save("UnCLIPPipeline", "whole"), folder, dirs_exist_ok=True)
    names = {path.name for _, model in models(folder) for path in model.files}
    assert names == {"diffusion_pytorch_model.safetensors", "model.safetensors"}


def test_texts_are_read_by_the_vocabulary_that_was_saved(save: Callable[[str, str], Path]) -> None:
    from transformers import CLIPTokenizer

    folder = save("UnCLIPPipeline", "whole")
    with quiet():
        tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"))
    texts = ["A big red frog!! on  a green leaf", "naïve café <|endoftext|> x", "", "heavy " * 90]
    expected = tokenizer(texts, padding="max_length", max_length=77, truncation=True)
    tokens = clip_tokenize(dict(models(folder))["clip"].config, texts)
    mask = torch.tensor(expected["attention_mask"]).bool()
    assert torch.equal(tokens.mask, mask)
    assert torch.equal(tokens.ids[mask], torch.tensor(expected["input_ids"])[mask])


def test_a_padding_that_marks_the_end(save: Callable[[str, str], Path], tmp_path: Path) -> None:
    """Then an exclamation mark is a word like others, as in OpenAI's own tokenizer."""
    from transformers import CLIPTokenizer

    folder = tmp_path / "other"
    shutil.copytree(save("UnCLIPPipeline", "whole"), folder)
    with quiet():
        tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"))
        tokenizer = CLIPTokenizer(
            tokenizer.get_vocab(), merges(folder), pad_token="<|endoftext|>", model_max_length=77
        )
        tokenizer.save_pretrained(str(folder / "tokenizer"))
    expected = tokenizer(["wow!! a!b"], padding="max_length", max_length=77, truncation=True)
    tokens = clip_tokenize(dict(models(folder))["clip"].config, ["wow!! a!b"])
    mask = torch.tensor(expected["attention_mask"]).bool()
    assert tokens.ids[mask].tolist() == torch.tensor(expected["input_ids"])[mask].tolist()


def merges(folder: Path) -> list[tuple[str, str]]:
    record = json.loads((folder / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))
    return [(a, b) for a, b in record["model"]["merges"]]


def configs() -> Iterator[tuple[str, str]]:
    for pipeline, files in {
        "UnCLIPPipeline": (
            "prior/config.json",
            "prior_scheduler/scheduler_config.json",
            "decoder/config.json",
            "decoder_scheduler/scheduler_config.json",
            "text_proj/config.json",
            "super_res_first/config.json",
            "super_res_last/config.json",
            "super_res_scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "tokenizer/tokenizer_config.json",
        ),
        "UnCLIPImageVariationPipeline": (
            "image_encoder/config.json",
            "feature_extractor/preprocessor_config.json",
        ),
    }.items():
        yield from ((pipeline, file) for file in files)


def others(value: Any) -> list[Any]:
    """Values of the same kind that are not this one."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1]
    if isinstance(value, str):
        return ["another"]
    if isinstance(value, list):
        return [value[:-1], [*value[:-1], 1]] if isinstance(value[0], float | int) else [value[:-1]]
    if isinstance(value, dict):
        return [dict.fromkeys(value, 31)]
    return [2, "another"]


FREE = {
    # An idea of the precision, of who wrote it, and how a training starts.
    *("dtype", "torch_dtype", "architectures", "transformers_version"),
    *("initializer_factor", "initializer_range", "attention_dropout"),
    # Kinds of resampling, transformers and attention that these kinds of blocks do not have.
    *("downsample_padding", "downsample_type", "upsample_type", "attn_norm_num_groups"),
    *("transformer_layers_per_block", "use_linear_projection", "upcast_attention"),
    *("addition_embed_type_num_heads", "num_train_timesteps of UNet2DModel", "num_class_embeds"),
    # Widths that the weights themselves give.
    *("cross_attention_dim of UNet2DConditionModel", "time_embed_dim of UnCLIPTextProjModel"),
    # The size is that of the first network for both; tokens beyond a text are not seen.
    *("sample_size of super_res_last", "bos_token_id", "pad_token_id"),
    # Dropout is there in training only.
    "dropout of PriorTransformer",
    # Notes of the tokenizer's own, and pictures that come as RGB.
    *("backend", "is_local", "local_files_only", "errors", "tokenizer_class", "unk_token"),
    *("do_convert_rgb", "image_processor_type", "model_max_length"),
}


@pytest.mark.parametrize(("pipeline", "file"), list(configs()))
def test_every_option_is_read_or_refused_or_free(
    save: Callable[[str, str], Path], tmp_path: Path, pipeline: str, file: str
) -> None:
    source = save(pipeline, "whole")
    folder = tmp_path / pipeline
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    before = described(folder)
    options = json.loads((source / file).read_text(encoding="utf-8"))
    unseen = []
    for name, value in options.items():
        for other in others(value):
            (folder / file).write_text(json.dumps({**options, name: other}), encoding="utf-8")
            if described(folder) == before:
                unseen.append(name)
    kind, component = options.get("_class_name", ""), file.partition("/")[0]
    free = [n for n in dict.fromkeys(unseen) if n.startswith("_") and n != "_class_name"]
    free += [n for n in unseen if {n, f"{n} of {kind}", f"{n} of {component}"} & FREE]
    assert sorted(set(unseen) - set(free)) == []


def described(folder: Path) -> str:
    """All configurations, or what is said of one that is refused."""
    try:
        return repr([(part, model.config) for part, model in models(folder)])
    except ValueError as error:
        return f"refused: {error}"


def test_an_option_of_a_later_version(save: Callable[[str, str], Path], tmp_path: Path) -> None:
    """One that asks for nothing is no fault; one that asks for something is refused, and named."""
    folder = tmp_path / "later"
    shutil.copytree(save("UnCLIPPipeline", "whole"), folder)
    file = folder / "decoder" / "config.json"
    options = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**options, "attention_gate": None, "sharp": False}))
    assert "decoder" in dict(models(folder))
    file.write_text(json.dumps({**options, "attention_gate": "tanh"}))
    with pytest.raises(ValueError, match="attention_gate is 'tanh'"):
        dict(models(folder))


def test_a_shard_that_is_missing(save: Callable[[str, str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(save("UnCLIPPipeline", "shards"), folder)
    gone = sorted((folder / "decoder").glob("*-of-*.safetensors"))[1]
    gone.unlink()
    decoder = dict(models(folder))["decoder"]
    assert not decoder.needs.here
    with pytest.raises(MissingWeights, match=f"there is no .*{gone.name}; the folder holds config"):
        decoder.verify()


def test_a_folder_without_weights_is_said_before_the_first_step(
    save: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """With what is there instead; nothing runs."""
    import nodegraph

    folder = tmp_path / "empty"
    shutil.copytree(save("UnCLIPPipeline", "whole"), folder)
    weights = folder / "super_res_last" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_name("weights.ckpt"))
    graph = nodegraph.load("unclip/karlo", cached=False, readable=(tmp_path,), out=tmp_path)
    with pytest.raises(GraphError) as told:
        next(graph.events(models=str(folder), prior_steps="2", decoder_steps="2"))
    (fault,) = told.value.diagnostics
    assert fault.code == "E404"
    assert "holds config.json, weights.ckpt" in fault.message
    assert "fp16" in (fault.hint or "")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"weight_map": 3}', '{"weight_map": {"a": "../x.safetensors"}}'],
)
def test_an_index_that_names_no_shards(
    save: Callable[[str, str], Path], tmp_path: Path, content: str
) -> None:
    folder = tmp_path / "index"
    shutil.copytree(save("UnCLIPPipeline", "shards"), folder)
    (index,) = (folder / "decoder").glob("*.index.json")
    index.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=index.name):
        dict(models(folder))


@pytest.mark.parametrize("content", ["", "[]", "{", "3", '{"prior": []}', '{"prior": {"a": 1}}'])
def test_an_index_of_a_pipeline_that_is_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / "model_index.json").write_text(content, encoding="utf-8")
    if content.startswith('{"'):
        assert part_kinds(str(tmp_path)) == {}
    else:
        with pytest.raises(ValueError, match=r"model_index\.json"):
            part_kinds(str(tmp_path))

"""Fetches models from the Hugging Face hub, for those who can reach it."""

from pathlib import Path

from quipu_server.errors import StartupError

FILES = [
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "1_Pooling/config.json",
    "model.onnx*",
    "onnx/model.onnx*",
]
"""What `read_directory` reads, with the weights that ONNX keeps beside a large model."""


def pull(name: str, directory: Path) -> None:
    """Fetch the files of a model, `organisation/model`, into a directory. Raises StartupError."""
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(name, local_dir=directory, allow_patterns=FILES)
    except Exception as error:  # those of several libraries, which change
        raise StartupError(f"cannot fetch {name}: {str(error).splitlines()[0]}") from error

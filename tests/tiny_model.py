"""A sentence-transformers model of random weights that knows some letters, made in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def tiny_model(folder: Path, pooling: str, *extra: Any) -> str:
    """A model of random weights with a vocabulary of letters, saved in `folder`."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789東"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{a}" for a in letters)]
    (folder / "bert").mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True)
    tokenizer.save_pretrained(folder / "bert")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=24)
    model = SentenceTransformer(
        modules=[transformer, Pooling(32, pooling_mode=pooling), *extra], device="cpu"
    )
    model.save(str(folder / "model"))
    return str(folder / "model")

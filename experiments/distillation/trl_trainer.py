"""One training through TRL, in TRL's own environment: `python trl_trainer.py ORDER.json`. Imports none of the project.

`sft`: cross-entropy on the answers (SFTTrainer). `gkd`: the teacher's distribution at the tokens of the answers,
forward KL, no answers of the student's own (GKDTrainer, lmbda 0).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"


def main(order: dict[str, Any]) -> None:
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    student = AutoModelForCausalLM.from_pretrained(order["student"], dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(order["student"])
    common = {
        "output_dir": order["scratch"],
        "num_train_epochs": order["epochs"],
        "per_device_train_batch_size": order["batch"],
        "learning_rate": order["rate"],
        "seed": order["seed"],
        "max_length": order["longest"],
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }
    if order["method"] == "sft":
        trainer = _sft(student, tokenizer, Dataset.from_list(_prompted(order["lessons"])), common)
    else:
        data = Dataset.from_list([{"messages": _told(lesson)} for lesson in order["lessons"]])
        trainer = _gkd(student, tokenizer, data, common, order["teacher"])
    done = trainer.train()
    trainer.model.save_pretrained(order["out"])
    print(json.dumps({"steps": done.global_step, "train_s": done.metrics["train_runtime"]}), flush=True)


def _sft(student: Any, tokenizer: Any, data: Any, common: dict[str, Any]) -> Any:
    from trl import SFTConfig, SFTTrainer

    return SFTTrainer(
        model=student,
        args=SFTConfig(**common, completion_only_loss=True, packing=False),
        train_dataset=data,
        processing_class=tokenizer,
    )


def _gkd(student: Any, tokenizer: Any, data: Any, common: dict[str, Any], teacher: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    return GKDTrainer(
        model=student,
        teacher_model=AutoModelForCausalLM.from_pretrained(teacher, dtype=torch.float32),
        args=GKDConfig(**common, lmbda=0.0, beta=0.0, temperature=1.0),
        train_dataset=data,
        processing_class=tokenizer,
    )


def _prompted(lessons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"prompt": lesson["messages"], "completion": [{"role": "assistant", "content": lesson["answer"]}]}
        for lesson in lessons
    ]


def _told(lesson: dict[str, Any]) -> list[dict[str, str]]:
    return [*lesson["messages"], {"role": "assistant", "content": lesson["answer"]}]


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))

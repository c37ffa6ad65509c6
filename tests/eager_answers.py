"""The answer of a run against that of a plain eager model, with its cache: what a layer does to scores is in both."""

from pathlib import Path

import numpy as np
import torch
from pictures import noise
from PIL import Image
from transformers import AutoModelForImageTextToText

from attention import Request, extract
from attention.models import loading as models
from attention.runs.run import Run


def answered(folder: Path, place: Path, n_tokens: int = 5) -> Run:
    """A run of what a model of this folder says of noise. Whoever asks closes it."""
    request = Request(
        [noise((200, 90))], "what is it?", str(folder), mode="generate", max_new_tokens=n_tokens, device="cpu"
    )
    return extract(request, place)


def check_answer(run, folder):
    """The tokens that a model of this folder said in a run, and how probable each was."""
    loaded = models.load(str(folder), "cpu")
    eager = AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager").eval()
    pictures = [Image.open(run.folder / image["file"]) for image in run.info["images"]]
    inputs = loaded.family.prepare(loaded.processor, run.info["messages"], pictures, None)
    n = run.info["prompt_tokens"]
    said = [token["id"] for token in run.info["tokens"][n:]]
    with torch.inference_mode():
        expected = eager.generate(**inputs.tensors, max_new_tokens=run.info["max_new_tokens"], do_sample=False)[0, n:]
        read = loaded.family.extend(loaded.processor, inputs, said).tensors
        logits = eager(**read).logits[0, n - 1 : -1]
    assert len(said) > 2 and said == expected.tolist()
    assert np.allclose(run.info["logprobs"], logits.log_softmax(-1)[range(len(said)), said], atol=1e-4)

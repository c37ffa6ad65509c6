"""Answers written in one batch: in float32 those that are written alone, in every family whose inputs fit together."""

import pytest
import tiny_families
from pictures import coarse_noise

from attention import Request
from attention.capture.answering import written
from attention.capture.answering_together import fits_with, written_together
from attention.capture.images import open_pictures
from attention.capture.in_use import in_use
from attention.capture.inputs import prepare
from attention.errors import Cancelled, ModelUnavailable
from attention.limits import Limits
from attention.models import loading as models
from attention.models.kept import INFERENCE, free

QUESTIONS = ("what is it?", "what is it, and what is the other one there?", "what")
ALONE = ("florence2", "mllama")  # an encoder reads the prompt; a mask of pictures is padded as no other tensor
REFUSING = ("minicpmv4_6", "minicpmv4_7")  # their own code takes one prompt at a time


class Told:
    """A run that is told of an answer."""

    def report(self, *_):
        pass

    def check_cancelled(self):
        pass


def prepared(loaded, question, size=(400, 150), seed=0):
    request = Request(images=(coarse_noise(*size, seed),), prompt=question, mode="generate", max_new_tokens=6)
    limits = Limits.local()
    return request, prepare(request, open_pictures(request, limits), loaded.family, loaded.processor, limits).inputs


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "qwen3_vl" else pytest.mark.full) for name in tiny_families.all_types()],
)
def test_answers_of_prompts_of_other_lengths_are_those_written_alone(name, tmp_path):
    loaded = models.load(str(tiny_families.write(name, tmp_path)), "cpu")
    try:
        asked = [prepared(loaded, question, seed=seed) for seed, question in enumerate(QUESTIONS)]
        inputs = [each for _, each in asked]
        keys = {fits_with(each, loaded) for each in inputs}
        assert len(keys) == 1 and (keys == {None}) == (name in ALONE) and len({len(each.ids) for each in inputs}) == 3
        if name in ALONE:
            return
        with INFERENCE, in_use(loaded):
            alone = [written(request, Told(), each, loaded) for request, each in asked]
            if name in REFUSING:
                with pytest.raises(ModelUnavailable):
                    written_together(inputs, 6, loaded, lambda said: None)
                return
            assert written_together(inputs, 6, loaded, lambda said: None) == alone
    finally:
        free()


def test_a_batch_stops_at_a_token_and_answers_end_where_they_end(tmp_path):
    loaded = models.load("pocket", "cpu")
    _, inputs = prepared(loaded, "what color is the star?", (320, 240))
    _, other = prepared(loaded, "click Save", (320, 240))
    seen = []
    with INFERENCE, in_use(loaded):
        together = written_together([inputs, other], 24, loaded, seen.append)
        ends = loaded.model.generation_config.eos_token_id
        assert all(each[-1] in ends and not {*each[:-1]} & {*ends} for each in together)
        assert len(together[0]) != len(together[1])
        assert seen == list(range(1, max(map(len, together)) + 1))

        def stopped(said):
            raise Cancelled("Stopped.")

        with pytest.raises(Cancelled):
            written_together([inputs, other], 24, loaded, stopped)

"""The training command learns, stops and goes on."""

import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors import safe_open

from attention.pocket.batches import ROOM, encode, make_batch, patches, two_frames
from attention.pocket.model import build_config, build_model
from attention.pocket.muon import Muon, orthogonalized
from attention.pocket.reading import Pocket
from attention.pocket.scenes import draw, make_scene
from attention.pocket.tokenizer import build_tokenizer
from attention.pocket.train import Settings, answer_loss, hardness, main, take_one_frame, train
from attention.pocket.words import KINDS


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_a_stopped_run_goes_on_as_if_it_had_never_been(tmp_path, one_thread):
    settings = Settings(seed=5, seeing_steps=2, answering_steps=2, pictures=1)
    whole = train(settings, tmp_path / "whole").state_dict()
    checkpoint = tmp_path / "run.safetensors"
    for stop_after in (1, 2):  # once in each stage
        train(settings, tmp_path / "parts", checkpoint, stop_after)
        assert checkpoint.exists() and not (tmp_path / "parts").exists()
    with safe_open(checkpoint, "pt") as file:
        assert file.metadata() == {"stage": "1", "step": "1"}
    parts = train(settings, tmp_path / "parts", checkpoint).state_dict()
    assert all(torch.equal(parts[name], tensor) for name, tensor in whole.items())
    files = {path.name for path in (tmp_path / "parts").iterdir()}
    assert {"model.safetensors", "tokenizer.json", "preprocessor_config.json"} <= files
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in files)


@pytest.mark.slow
def test_the_command_writes_a_folder_that_answers(tmp_path, one_thread, monkeypatch, capfd):
    flags = ["--seeing-steps", "1", "--answering-steps", "1", "--pictures", "1", "--processes", "1"]
    monkeypatch.setattr(sys, "argv", ["train", *flags, "--output-dir", str(tmp_path / "model")])
    main()
    assert capfd.readouterr().out.count("answering 1/1") == 1
    picture = draw(make_scene(np.random.default_rng(0)), 256, 256)
    assert Pocket.load(tmp_path / "model").answer((picture,), "what color is the star?")


@pytest.mark.full
def test_the_command_writes_a_folder_that_loads_the_same_by_one_process_and_by_two(
    tmp_path, one_thread, monkeypatch, capfd
):
    flags = ["--seeing-steps", "2", "--answering-steps", "2", "--pictures", "2"]
    for processes in ("1", "2"):
        more = ["--output-dir", str(tmp_path / processes), "--processes", processes]
        monkeypatch.setattr(sys, "argv", ["train", *flags, *more, "--workers", str(2 - int(processes))])
        main()
        assert capfd.readouterr().out.count("answering 2/2") == 1
    picture = draw(make_scene(np.random.default_rng(0)), 256, 256)
    one, two = (Pocket.load(tmp_path / processes) for processes in ("1", "2"))
    assert one.answer((picture,), "what color is the star?")
    weights = two.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in one.model.state_dict().items())


@pytest.mark.full
def test_seeing_learns_within_a_few_steps(tmp_path, capsys, one_thread):
    train(Settings(seed=2, seeing_steps=60, answering_steps=0, pictures=4), tmp_path / "out")
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("seeing 60/60"))
    assert float(line.split("cell color")[1].split()[0]) > 0.5


@pytest.mark.parametrize("pairs", [0.0, 1.0], ids=["one picture", "two pictures"])
def test_questions_packed_behind_pictures_are_the_same_numbers_as_asked_alone(pairs):
    """The packed batch, through the training's one-frame patches, against the stock model with one question each."""
    tokenizer = build_tokenizer()
    model, stock = build_model(build_config(tokenizer), 0), build_model(build_config(tokenizer), 0)
    take_one_frame(model)
    batch = make_batch(np.random.default_rng(3), tokenizer, 2, blind={}, pairs=pairs)
    n_prompts, n_prefix = len(batch.tokens), batch.tokens.shape[1] - ROOM
    n_patches, per_prompt = len(batch.pixels) // 2, 2 // n_prompts
    frames = two_frames(batch.pixels)
    starts = batch.starts.nonzero()[:, 0].tolist() + [len(batch.asked)]
    with torch.no_grad():
        vision = model.model.visual(batch.pixels, grid_thw=batch.grid)
        packed, _ = answer_loss(model, vision, batch)
        alone = []
        for begin, end in pairwise(starts):
            prompt, first = batch.asked[begin].tolist()
            own = batch.sees[prompt, 0, batch.asked[end - 1, 1]].nonzero()[:, 0]  # what the last row sees is the chat
            tokens = torch.cat([batch.tokens[prompt, own], batch.answers[end - 1 : end]])[None]
            assert (own[:n_prefix] == torch.arange(n_prefix)).all() and first in own.tolist()
            pictures = slice(prompt * per_prompt, (prompt + 1) * per_prompt)
            logits = stock(
                input_ids=tokens,
                attention_mask=torch.ones_like(tokens),
                mm_token_type_ids=(tokens == stock.config.image_token_id).int(),
                pixel_values=frames[pictures.start * n_patches : pictures.stop * n_patches],
                image_grid_thw=batch.grid[pictures],
            ).logits[0, -1 - (end - begin) : -1]
            alone.append(torch.nn.functional.cross_entropy(logits, batch.answers[begin:end], reduction="none"))
    assert len(alone) >= 6
    mean = (torch.cat(alone) * batch.weights).sum() / batch.weights.sum()
    assert packed.item() == pytest.approx(mean.item(), abs=1e-4)


def test_a_blind_row_does_not_see_the_picture_and_the_row_that_answers_does():
    tokenizer = build_tokenizer()
    batch = make_batch(np.random.default_rng(4), tokenizer, 6, blind=dict.fromkeys(KINDS, 1.0), pairs=0.0)
    pictured = batch.pictured[0]
    header = encode(tokenizer, "assistant\n")
    checked = 0
    for (prompt, row), starts, kind in zip(batch.asked.tolist(), batch.starts, batch.kinds, strict=True):
        sees = batch.sees[prompt, 0, :, pictured]
        if KINDS[kind] == "click":
            digit = row > 0 and tokenizer.decode(batch.tokens[prompt, row : row + 1]) == " ["
            checked += digit
            assert not digit or sees[row].all()
            assert not starts or not sees[row].any()
        elif starts and KINDS[kind] != "count":
            assert tuple(batch.tokens[prompt, row - len(header) + 1 : row + 1].tolist()) == header
            assert sees[row].all()
            if KINDS[kind] != "exists":
                assert not sees[row - 3 : row].any()
    assert checked


def test_training_pictures_are_what_the_image_processor_makes():
    pocket = Pocket.load()
    picture = draw(make_scene(np.random.default_rng(4)), 288, 288)
    processed = pocket.image_processor(images=[picture], return_tensors="pt")["pixel_values"]
    assert torch.equal(processed, two_frames(torch.from_numpy(patches(np.asarray(picture)[None]))))


def test_hardness_grows_from_nothing_to_all_of_it():
    values = [hardness(progress) for progress in np.linspace(0, 1, 50)]
    assert values[0] == 0.0 and values[-1] == 1.0 and values == sorted(values)


@pytest.mark.parametrize("shape", [(24, 60), (60, 24), (32, 32)])
def test_muons_direction_keeps_singular_vectors_and_evens_singular_values(shape):
    torch.manual_seed(0)
    matrix = torch.randn(2, *shape)
    direction = orthogonalized(matrix)
    values = torch.linalg.svdvals(direction)
    assert values.max() < 1.3 and values.quantile(0.1) > 0.5
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.mT @ direction @ v.mT
    assert (inner - torch.diag_embed(inner.diagonal(dim1=1, dim2=2))).abs().max() < 1e-3


def test_muon_is_torchs_muon_in_float32():
    torch.manual_seed(1)
    start, gradients = torch.randn(48, 16), torch.randn(5, 48, 16)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizers = (
        Muon([ours], lr=0.02),
        torch.optim.Muon([theirs], lr=0.02, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
    )
    for gradient in gradients:
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved  # bfloat16 has eight bits

"""A run in a temporary folder: Windows removes no file that is open."""

import shutil

import numpy as np
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from attention.runs import run as runs
from attention.runs.temporary import TemporaryRun


def test_every_file_is_closed_before_the_folder_goes(tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "place" / "run")
    layer = folder / "language/layer_00.safetensors"
    with safe_open(layer, "pt") as file:
        about = file.metadata()
    tensors = load_file(layer)
    n = tensors["query"].shape[1]
    seen = np.packbits(np.tri(n, dtype=bool), axis=-1, bitorder="little")
    save_file(tensors, layer, about | {"mask": "mask_0"})
    save_file({"mask_0": tensors["positions"].new_tensor(seen).byte()}, folder / "masks.safetensors")
    opened, closed = [], []
    LayerFile, rmtree = runs.LayerFile, shutil.rmtree

    def opens(path):
        opened.append(LayerFile(path))
        return opened[-1]

    def removes(*args, **options):
        closed.extend(file._file.closed for file in opened)
        rmtree(*args, **options)

    monkeypatch.setattr(runs, "LayerFile", opens)
    monkeypatch.setattr(shutil, "rmtree", removes)
    run = TemporaryRun(folder)
    assert run.row(0, n - 1, source="factors").shape[1] == n
    del run
    assert {file.path.name for file in opened} == {"layer_00.safetensors", "masks.safetensors"}
    assert closed == [True, True] and not (tmp_path / "place").exists()

"""A run as a site: what its page computes from the files beside it, held to what the run itself says."""

import base64
import json
import shutil
import textwrap
from functools import partial

import numpy as np
import pytest
from made_readings import write_forecast, write_lens, write_relative
from pictures import noise
from programs import run_in_node
from safetensors import safe_open
from tiny_families import gemma3, internvl, paligemma, qwen2_5_vl

from attention import Request, extract
from attention.answers.of_run import RUN_ANSWERS
from attention.commands.main import main
from attention.environment import EXAMPLES, VIEWER
from attention.errors import InvalidRequest
from attention.exports.site import write_site
from attention.kinds.kept import kept_readings
from attention.models.kept import free
from attention.runs.run import open_run

# the page's own modules, with a server of files that counts what it sends
SCRIPT = """
import {{ open, readFile }} from 'node:fs/promises';
import {{ createTensorReader }} from '{viewer}/data/tensor_file.js';
import {{ createRunAnswers }} from '{viewer}/numbers/site_answers.js';

const [folder, asked] = process.argv.slice(1);
const {{ addresses, knowsRanges }} = JSON.parse(asked);
let bytes = 0;
async function serve(address, {{ headers = {{}} }} = {{}}) {{
  const content = await readFile(`${{folder}}/${{address}}`);
  const range = knowsRanges && /bytes=(\\d+)-(\\d+)/.exec(headers.Range ?? '');
  const part = range ? content.subarray(Number(range[1]), Number(range[2]) + 1) : content;
  bytes += part.length;
  return new Response(new Uint8Array(part), {{ status: range ? 206 : 200 }});
}}
const site = JSON.parse(await readFile(`${{folder}}/site.json`));
const info = JSON.parse(await readFile(`${{folder}}/run/run.json`));
const {{ fetch }} = createRunAnswers(site.runs[''], info, {{ tensors: createTensorReader({{ address: 'run', fetch: serve }}), file: (name) => serve(`run/${{name}}`) }});
const answers = [];
for (const address of addresses) {{
  bytes = 0;
  const began = performance.now();
  const response = await fetch(`/${{address}}`);
  const content = Buffer.from(await response.arrayBuffer());
  answers.push({{ ok: response.ok, shape: response.headers.get('X-Attention-Shape'), source: response.headers.get('X-Attention-Source'), content: content.toString('base64'), bytes, ms: performance.now() - began }});
}}
console.log(JSON.stringify(answers));
"""  # noqa: E501

pytestmark = pytest.mark.node


def ask(folder, addresses, knows_ranges=True):
    """Answers of the page's modules: numbers, or None for a refusal, and all that is said of them."""
    script = textwrap.dedent(SCRIPT.format(viewer=VIEWER.as_posix()))
    asked = json.dumps({"addresses": addresses, "knowsRanges": knows_ranges})
    for answer in json.loads(run_in_node(script, str(folder), asked)):
        content = base64.b64decode(answer["content"])
        yield (np.frombuffer(content, "<f4") if answer["shape"] else None), answer | {"text": content}


@pytest.fixture(scope="module")
def run():
    with open_run(EXAMPLES / "shapes") as run:
        yield run


@pytest.fixture(scope="module")
def site(run, tmp_path_factory):
    return write_site(run, tmp_path_factory.mktemp("sites") / "shapes", {"layer": 3, "head": 1})


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_rows_columns_and_maps_are_the_runs_own(run, site, knows_ranges):
    drawn, asked, expected = np.random.default_rng(0), [], []
    for tower in run.towers():
        for _ in range(8):
            layer, query = int(drawn.choice(run.layers(tower))), int(drawn.integers(run.queries(tower)))
            key, head = int(drawn.integers(run.keys(tower))), int(drawn.integers(run.heads(tower)))
            until = min(query + 2, run.queries(tower) - 1)
            asked += [
                f"row?tower={tower}&layer={layer}&query={query}&source=factors",
                f"row?tower={tower}&layer={layer}&query={query}&until={until}&head=mean",
                f"column?tower={tower}&layer={layer}&key={key}",
                f"column?tower={tower}&layer=max&key={key}&head={head}",
            ]
            expected += [
                run.row(layer, query, tower, "factors"), run.reduced_row(layer, "mean", query, tower, until=until),
                run.column(layer, key, tower), run.reduced_column("max", head, key, tower),
            ]  # fmt: skip
        grid = run.grids(tower)[0]
        asked += [
            f"atlas?tower={tower}&grid={grid}&query={query}&max_cells=50",
            f"received?tower={tower}&layer={layer}",
        ]
        expected += [run.atlas(query, grid, tower, max_cells=50), run.received(layer, tower)]
    for (values, about), truth, address in zip(ask(site.folder, asked, knows_ranges), expected, asked, strict=True):
        assert about["ok"], (address, about["text"])
        # an atlas of the app's is rounded to float16, and scores of a column in float32, as its rows' sums are
        near = {"atlas": 1e-3, "column": 4e-6}.get(address.partition("?")[0], 1e-6)
        assert np.abs(values - truth.astype(np.float32).ravel()).max() <= near, address


KINDS = {
    "learned sinks and windows": (partial(internvl.write, text=internvl.GPT_OSS), {}),
    "capped scores, a prefix mask": (paligemma.write, {}),
    "segments, bfloat16": (qwen2_5_vl.write, {"dtype": "bfloat16"}),
    "masks as bits": (gemma3.write, {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_so_they_are_of_every_kind_of_layer(kind, tmp_path):
    """In every layer of tiny models: a row, and the column of a key that later ones read."""
    write, fields = KINDS[kind]
    write(tmp_path / "model")
    asked = Request(noise((200, 90)), "what is it?", str(tmp_path / "model"), device="cpu", answer="red", **fields)
    extract(asked, tmp_path / "run").close()
    forecast = write_forecast(tmp_path / "run")
    of, effects = f"reading={forecast.folder.name}", []
    with forecast.run as run:
        site = write_site(run, tmp_path / "site")
        expected = {}
        for tower in run.towers():
            query, key = run.queries(tower) - 1, run.keys(tower) // 2
            for layer in run.layers(tower):
                at = f"tower={tower}&layer={layer}"
                expected[f"row?{at}&query={query}&source=factors"] = run.row(layer, query, tower, "factors")
                expected[f"column?{at}&key={key}"] = run.column(layer, key, tower)
                if tower == "language":
                    effects += [f"row?{at}&query=9&{of}", f"column?{at}&key={key}&{of}"]
        for (values, about), truth, address in zip(
            ask(site.folder, [*expected]), expected.values(), expected, strict=True
        ):
            # scores of sharpened models are large: those of a row and of a column are rounded apart, as float32 is
            near = {"row": 4e-6, "column": 2e-4}[address.partition("?")[0]]
            assert about["ok"] and np.abs(values - truth.ravel()).max() <= near, (address, about["text"][:100])
        for path, near in (("row", 4e-6), ("column", 2e-4)):  # as those of attention, which they are products of
            held_to_the_routes(run, site.folder, [each for each in effects if each.startswith(path)], near)
    free()


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A run with readings, and its site."""
    folder = shutil.copytree(EXAMPLES / "shapes", tmp_path_factory.mktemp("read") / "run")
    forecast = write_forecast(folder)
    lens, relative = write_lens(forecast.run), write_relative(forecast.run)
    with forecast.run as run:
        yield run, (forecast, relative, lens), write_site(run, folder.with_name("site"))


def by_route(run, address):
    """Numbers that the app's own route answers."""
    path, _, query = address.partition("?")
    answer = RUN_ANSWERS[path](run, dict(pair.split("=") for pair in query.split("&")))
    return np.frombuffer(answer.content, "<f4"), answer.headers["X-Attention-Shape"]


def held_to_the_routes(run, folder, asked, near):
    """Assert that a page's numbers are those of the routes, relative to the largest of each answer."""
    for (values, about), address in zip(ask(folder, asked), asked, strict=True):
        truth, shape = by_route(run, address)
        assert about["ok"] and about["shape"] == shape, (address, about["text"][:200])
        assert np.array_equal(np.isnan(values), np.isnan(truth)), address
        assert np.nanmax(np.abs(values - truth)) <= near * np.nanmax(np.abs(truth)), address


def test_effects_of_a_forecast_are_those_of_the_routes(read):
    run, (forecast, _, _), site = read
    drawn, of = np.random.default_rng(0), f"reading={forecast.folder.name}"
    asked = [f"row?layer={layer}&head={head}&{of}" for layer, head in ((2, 1), ("mean", "mean"), ("max", "max"))]
    for _ in range(25):
        layer, head = (int(drawn.choice(each)) for each in (run.layers(), range(run.heads())))
        query, key = (int(drawn.integers(count)) for count in (run.queries(), run.keys()))
        asked += [
            f"row?layer={layer}&query={query}&{of}", f"row?layer={layer}&head={head}&query={query}&{of}",
            f"column?layer={layer}&key={key}&{of}", f"column?layer={layer}&head=max&key={key}&{of}",
        ]  # fmt: skip
    last = run.queries() - 2
    asked += [
        f"row?layer=1&query={last}&{of}", f"row?layer=1&query={last - 1}&until={last}&{of}", f"atlas?{of}",
        f"row?layer=max&head=mean&query=30&{of}", f"row?layer=0&query=20&until=22&{of}", f"atlas?key=40&{of}",
        f"atlas?query=30&max_cells=50&{of}", f"masses?query=30&{of}", f"scores?name=silence_zero&{of}",
        f"scores?name=silence_mean&{of}", f"scores?name=value&query=30&key=9&{of}", f"scores?name=value&key=9&{of}",
    ]  # fmt: skip
    held_to_the_routes(run, site.folder, asked, 1e-6)


def test_relative_rows_and_the_words_of_a_lens_are_those_of_the_routes(read):
    run, (_, relative, lens), site = read
    of = f"reading={relative.folder.name}"
    asked = [f"row?layer={layer}&head={head}&query=90&{of}" for layer in (1, "mean", "max") for head in (2, "max")]
    asked += [f"row?layer=1&query=90&{of}", f"row?layer=1&head=0&query=80&until=82&{of}", f"atlas?query=90&{of}",
              f"atlas?query=90&reduced=1&max_cells=50&{of}"]  # fmt: skip
    held_to_the_routes(run, site.folder, asked, 4e-6)
    ((_, words), (_, listed)) = ask(site.folder, [f"words?reading={lens.folder.name}&layer=2", "readings.json"])
    assert json.loads(words["text"]) == lens.of_layer(2)
    own, there = json.loads(listed["text"]), json.loads(json.dumps(kept_readings(run)))
    own, there = ({each["name"]: each for each in found["readings"]} for found in (own, there))
    assert own == there and len(own) == 3


def test_what_of_readings_is_not_on_the_site_is_said(read, run, site, tmp_path):
    _, (forecast, relative, lens), own = read
    assert "it has the forecast, relative attention and the words of the lens. Other readings, trials" in own.holds
    assert "Beside attention" not in site.holds and "Other readings, trials, and" in site.holds
    names = [each.folder.name for each in (forecast, relative, lens)]
    asked = [f"region?box=0,0,9,9&reading={names[0]}", f"scores?name=entropy&query=3&reading={names[0]}",
             f"received?layer=0&reading={names[0]}", f"column?layer=0&key=3&reading={names[1]}",
             f"row?layer=0&query=3&reading={names[2]}", "row?layer=0&query=3&reading=../x", "atlas?reading=__proto__",
             f"row?layer=0&query=3&tower=vision&reading={names[0]}", "words?layer=0&reading=../../site",
             f"words?layer=..&reading={names[2]}"]  # fmt: skip
    for values, about in ask(own.folder, asked):
        assert values is None and not about["ok"], about
    for _, about in ask(site.folder, [f"row?layer=0&query=3&reading={names[0]}"]):
        assert "does not hold that reading" in json.loads(about["text"])["error"]


def test_stored_rows_masses_and_scores_are_the_runs_own(run, site):
    query = int(run.stored_positions()[-1])
    asked = {
        f"row?tower=language&layer=1&query={query}": run.row(1, query),
        f"row?tower=language&layer=mean&head=mean&query={query}": run.reduced_row("mean", "mean", query),
        f"masses?tower=language&query={query}": run.masses(query),
        f"scores?tower=language&name=image_mass&query={query}": run.row_scores("image_mass", query),
        "scores?tower=language&name=entropy": run.score("entropy"),
        "scores?tower=language&name=entropy&layer=mean&head=1": run.reduced_score("entropy", "mean", 1),
    }
    for (values, about), truth in zip(ask(site.folder, [*asked]), asked.values(), strict=True):
        assert about["shape"].endswith(str(truth.shape[-1])) or truth.ndim == 1
        np.testing.assert_allclose(values, truth.ravel(), atol=2e-6, rtol=1e-6)


def test_what_a_page_cannot_compute_is_refused_in_words(run, site):
    asked = ["scores?tower=language&name=image_mass&query=0&box=0,0,9,9&image=0", "row?tower=language&layer=99&query=0",
             "region?tower=language&query=5&box=0,0,9,9&image=0", "received?tower=language&layer=mean"]  # fmt: skip
    for values, about in ask(site.folder, asked):
        assert values is None and not about["ok"] and json.loads(about["text"])["error"]


def test_a_stored_row_of_all_layers_is_few_bytes(run, site):
    query, n = int(run.stored_positions()[-1]), run.keys()
    (_, row), (_, other) = ask(
        site.folder,
        [f"row?tower=language&layer=mean&head=mean&query={query}", "row?tower=language&layer=0&query=3&source=factors"],
    )
    assert row["bytes"] == len(run.layers()) * run.heads() * n * 2
    factor = run.factor("key", 0)
    size = {"float16": 2, "float32": 4}[str(run.info["model"]["dtype"]).replace("bfloat16", "float16")]
    assert other["bytes"] == size * (factor.size + run.heads() * factor.shape[-1])


def test_layers_are_safetensors_and_nothing_of_the_page_is_from_elsewhere(run, site):
    layer = json.loads((site.folder / "site.json").read_text())["runs"][""]["towers"]["language"]["layers"]["0"]
    with safe_open(site.folder / "run" / layer["path"], "np") as file:
        for name, (_, shape, _) in layer["tensors"].items():
            assert file.get_slice(name).get_shape() == shape
        truth = run.log_sum_exp(0)
        np.testing.assert_array_equal(file.get_tensor("log_sum_exp"), truth)
    page = (site.folder / "index.html").read_text()
    assert "default-src 'none'" in page and "http" not in page.replace('http-equiv="Content', "")
    assert "<script>" not in page and " style=" not in page
    assert sum(path.stat().st_size for path in site.folder.rglob("*") if path.is_file()) == site.n_bytes
    with pytest.raises(InvalidRequest, match="not empty"):
        write_site(run, site.folder)


def test_the_command_writes_a_folder_and_refuses_what_is_not_there(tmp_path, capsys):
    assert (
        main(["publish", str(EXAMPLES / "shapes"), "--to", str(tmp_path / "site"), "--layer", "3", "--head", "1"]) == 0
    )
    assert capsys.readouterr().out.strip() == str(tmp_path / "site")
    assert json.loads((tmp_path / "site" / "site.json").read_text())["manifest"]["view"]["layer"] == 3
    for asked, words in ((["--layer", "9"], "Layer 9"), (["--to", "space:nobody"], "is no Space")):
        with_place = asked if "--to" in asked else [*asked, "--to", str(tmp_path / "other")]
        assert main(["publish", str(EXAMPLES / "shapes"), *with_place]) == 2
        assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("name", ["page.html", "../image_0.png", "run.json"])
def test_no_file_that_a_foreign_run_names_lies_on_the_site_as_another(tmp_path, capsys, name):
    run = shutil.copytree(EXAMPLES / "shapes", tmp_path / "run")
    info = json.loads((run / "run.json").read_text())
    info["images"][0]["file"] = name
    (run / "run.json").write_text(json.dumps(info))
    assert main(["publish", str(run), "--to", str(tmp_path / "site")]) == 1
    assert "the file of image 0" in capsys.readouterr().err and [each.name for each in tmp_path.iterdir()] == ["run"]


class Hub:
    """The part of the Hub's library that sends; it notes what it was asked."""

    def __init__(self, holds):
        self.holds, self.sent, self.made = holds, None, None

    def repo_exists(self, repo_id, repo_type):
        return self.holds is not None

    def file_exists(self, repo_id, name, repo_type):
        return name in self.holds

    def create_repo(self, repo_id, **settings):
        self.made = settings

    def upload_folder(self, folder_path, **settings):
        self.sent = {path.relative_to(folder_path).as_posix() for path in folder_path.rglob("*")}


@pytest.mark.parametrize(("holds", "code"), [(None, 0), (["site.json"], 0), (["app.py"], 2)])
def test_a_static_space_is_made_private_or_written_anew_and_no_other_is_touched(monkeypatch, capsys, holds, code):
    hub = Hub(holds)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    assert main(["publish", str(EXAMPLES / "shapes"), "--to", "space:me/shapes"]) == code
    told = capsys.readouterr()
    if code:
        assert "holds something else" in told.err and hub.sent is None
        return
    assert told.out.strip() == "https://huggingface.co/spaces/me/shapes"
    assert {"README.md", "index.html", "site.json", "run/run.json"} <= hub.sent
    assert hub.made == ({"repo_type": "space", "space_sdk": "static", "private": True} if holds is None else None)

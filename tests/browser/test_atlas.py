"""The atlas in Chromium: what maps, captions, the closer look and the ribbon show is what the files hold."""

from __future__ import annotations

import json
import re

import matplotlib
import numpy as np
import pytest
from browser.conftest import canvas_pixels, still, wait
from playwright.sync_api import expect

from attention import answer_regions, region_scores

pytestmark = pytest.mark.browser

CANVAS, RIBBON, LOOK, NUMBERS = ".av-atlas-canvas", ".av-ribbon-canvas", ".av-look", ".av-ribbon-numbers"
OF_READERS = ("entropy", "spatial_entropy")


def first_row(run):
    """The row that a run opens with: the one that predicts the answer."""
    return next(token["index"] for token in run.info["tokens"] if token["role"] == "answer") - 1


def cells_of(run, grid=0):
    return run.cells(grid).ravel()


def number(text):
    return float(re.search(r"[\d.]+(e-?\d+)?", text).group())


def borders(size, count):
    """Pixels at which cells begin and end: the nearest whole ones, halves up, as Math.round."""
    return np.floor(size * np.arange(count + 1) / count + 0.5).astype(int)


def look(page, **settings):
    page.evaluate("settings => document.querySelector('.av-root').__attn.look(settings)", settings)


def settled(page, view="all", order="number"):
    """Wait until everything that is painted belongs together."""
    page.wait_for_selector(f".av-atlas[data-view={view}][data-order={order}] .av-atlas-frame:not(.av-stale)")


def maps_of(page):
    """The maps that are painted, by layer and head, with their boxes on the canvas."""
    return {(m["layer"], m["head"]): m for m in page.evaluate("document.querySelector('.av-root').__attn.maps")}


def place_of(page, box, css=CANVAS):
    """The middle of a box of a canvas, in the window, once it lies still."""
    still(page)
    canvas = page.locator(css).bounding_box()
    return canvas["x"] + box["x"] + box["width"] / 2, canvas["y"] + box["y"] + box["height"] / 2


def click_on(page, box, css=CANVAS):
    """Click the middle of a box of a canvas, once it lies still."""
    page.locator(css).click(position={"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2})


def point_at(page, box, css=CANVAS):
    page.mouse.move(*place_of(page, box, css))


def hold(page, pattern):
    """Keep requests back until somebody continues them."""
    held = []

    def keep(route):
        held.append(route)

    page.route(pattern, keep)
    return held


def inside(box, shape, density=1):
    """The pixel in the middle of every cell of a map: rows, columns."""
    x, y, width, height = (round(box[name] * density) for name in ("x", "y", "width", "height"))
    rows, cols = borders(height, shape[0]), borders(width, shape[1])
    return (y + (rows[:-1] + rows[1:]) // 2)[:, None], (x + (cols[:-1] + cols[1:]) // 2)[None, :]


BAR_PX = 3  # at most, on the lower edge of a map: how much of the row is on it


def above_bar(values, box):
    """The rows of cells whose middle is not under the bar: [rows, ...] without the last ones."""
    rows = values.shape[0]
    under = np.ceil(rows * BAR_PX / box["height"] - 0.5)
    return values[: rows - max(0, int(under))]


def table(palette):
    return matplotlib.colormaps["gray" if palette == "grey" else palette](np.arange(256), bytes=True)[:, :3].astype(int)


def entries(values, high, curve="linear"):
    share = np.float64(values) / high
    if curve == "sqrt":
        share = np.sqrt(share)
    if curve == "log":
        share = 1 + np.log10(np.maximum(share, 1e-9)) / 3
    return np.clip(np.floor(share * 256), 0, 255).astype(int)


def with_reductions(atlas):
    """[layers, heads, cells] with the mean and the maximum over heads, and then the mean over layers."""
    atlas = np.concatenate([atlas, atlas.mean(1, keepdims=True), atlas.max(1, keepdims=True)], axis=1)
    return np.concatenate([atlas, atlas.mean(0, keepdims=True)])


def check_maps(page, tools, run, atlas, grid=0, tower="language", curve="linear", high=None):
    """All maps of layers and heads are painted in grey, from 0 to `high` or the largest of all."""
    settled(page)
    pixels, maps = tools.canvas_pixels(page, CANVAS), maps_of(page)
    record = run.info["grids"][grid]
    everything = with_reductions(np.float64(atlas))
    high = np.float64(atlas).max() if high is None else high
    heads = [*range(run.heads(tower)), "mean", "max"]
    assert len(maps) == everything.shape[0] * everything.shape[1]
    for i, layer in enumerate([*run.layers(tower), "mean"]):
        for j, head in enumerate(heads):
            painted = pixels[inside(maps[layer, head], (record["rows"], record["cols"]))]
            ends = high[i, j] if isinstance(high, np.ndarray) else high
            expected = entries(everything[i, j], ends, curve).reshape(painted.shape[:2])
            assert (painted[..., 3] == 255).all()
            painted, expected = (above_bar(values, maps[layer, head]) for values in (painted, expected))
            assert np.abs(painted[..., :3].astype(int) - expected[..., None]).max() <= 1, (layer, head)


# What is painted


@pytest.mark.sample(2)
@pytest.mark.parametrize("curve", ["linear", "sqrt", "log"])
def test_maps_on_one_scale_are_what_the_palette_says(open_page, runs, tools, curve):
    page = open_page("captured")
    look(page, palette="grey", clip=100, scale="atlas", curve=curve, sinks="raw")
    check_maps(page, tools, runs["captured"], runs["captured"].atlas(first_row(runs["captured"])), curve=curve)


def test_a_column_and_the_vision_tower_have_an_atlas(open_page, runs, tools):
    run = runs["captured"]
    page = open_page("captured", layer=1, head=0)
    look(page, palette="grey", clip=100, scale="atlas", sinks="raw")
    star = next(t["index"] for t in run.info["tokens"] if t["text"] == " star")
    tools.select(page, direction="read by", token=star)
    check_maps(page, tools, run, run.atlas(key=star))
    grid = next(i for i, record in enumerate(run.info["grids"]) if record["tower"] == "vision")
    tools.select(page, tower="vision", grid=grid)
    patch = int(run.cells(grid)[5, 9])
    tools.select(page, token=patch)
    check_maps(page, tools, run, run.atlas(patch, grid, "vision"), grid, "vision")


def test_maps_in_multiples_of_even_attention_compare_with_their_own_mass(open_page, runs, tools):
    run = runs["captured"]
    page = open_page("captured")
    look(page, palette="grey", scale="uniform", curve="log", sinks="raw")
    atlas = with_reductions(np.float64(run.atlas(first_row(run))))
    high = 100 * atlas.sum(-1) / atlas.shape[-1]
    check_maps(page, tools, run, run.atlas(first_row(run)), curve="log", high=high)


def test_the_bar_of_a_map_is_its_share_and_its_colours_are_its_values(open_page, runs, tools):
    run = runs["captured"]
    page = open_page("captured")
    look(page, palette="grey", clip=100, scale="map", sinks="raw")
    settled(page)
    atlas, record = np.float64(run.atlas(first_row(run))), run.info["grids"][0]
    pixels, maps = tools.canvas_pixels(page, CANVAS), maps_of(page)
    for i, layer in enumerate(run.layers()):
        for head in range(run.heads()):
            box = maps[layer, head]
            painted = pixels[inside(box, (record["rows"], record["cols"]))][..., 0].astype(int)
            expected = entries(atlas[i, head], atlas[i, head].max()).reshape(painted.shape)
            assert np.abs(above_bar(painted - expected, box)).max() <= 1, (layer, head)
            x, y, width, height = (round(box[name]) for name in ("x", "y", "width", "height"))
            bar = pixels[y + height - 1, x : x + width, 0].astype(int)
            filled = (bar == bar.min()).sum() if np.ptp(bar) else width * (atlas[i, head].sum() > 0.5)
            assert abs(filled / width - atlas[i, head].sum()) <= 1.5 / width, (layer, head)
            assert np.isclose(box["share"], atlas[i, head].sum(), rtol=1e-2)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_sinks_are_neutral_and_in_no_range(open_page, runs, tools, theme):
    run = runs["named"]
    row, grid = first_row(run), run.info["grids"][0]
    page = open_page("named", theme=theme)
    look(page, palette="viridis", clip=100)
    keys, colours = cells_of(run), table("viridis")
    is_sink = np.isin(keys, tools.SINKS)
    assert is_sink.any()
    for sinks in ("masked", "renormalised", "raw"):
        look(page, sinks=sinks)
        settled(page)
        pixels, maps = tools.canvas_pixels(page, CANVAS), maps_of(page)
        for layer in (*run.layers(), "mean"):
            # Every pixel of each map, by the cell that it is of.
            m = maps[layer, 1]
            x, y, width, height = (round(m[name]) for name in ("x", "y", "width", "height"))
            inner = pixels[y : y + height, x : x + width, :3].astype(int)
            at = [np.floor((np.arange(n) + 0.5) * count / n).astype(int) for n, count in
                  ((height, grid["rows"]), (width, grid["cols"]))]  # fmt: skip
            cell = at[0][:, None] * grid["cols"] + at[1][None, :]
            neutral = np.ptp(inner, axis=-1) <= 12
            neutral, cell = neutral[:-BAR_PX], cell[:-BAR_PX]
            striped = sinks != "raw" and layer in (1, "mean")
            assert neutral[is_sink[cell]].all() == striped, (sinks, layer)
            assert not neutral[~is_sink[cell]].any(), (sinks, layer)
            values = run.reduced_row(layer, 1, row)[keys]
            assert np.isclose(m["high"], (values[~is_sink] if striped else values).max(), rtol=2e-3), (sinks, layer)
            assert len(np.unique(colours[:, 0])) > 100


def test_the_shared_range_leaves_sinks_out_and_the_colour_bar_says_so(open_page, runs, tools):
    run = runs["named"]
    row, keys = first_row(run), cells_of(run)
    page = open_page("named", layer=1, head=0)
    atlas = np.float64(run.atlas(row))
    visible = atlas.copy()
    visible[run.layers().index(1)][:, np.isin(keys, tools.SINKS)] = 0
    for sinks, high in (("raw", atlas.max()), ("masked", visible.max())):
        look(page, scale="atlas", clip=100, sinks=sinks)
        settled(page)
        assert np.isclose(maps_of(page)[0, 0]["high"], high, rtol=1e-6)
        assert np.isclose(number(page.locator(".av-bar-high").inner_text()), high, rtol=5e-3)
    share = run.masses(row)[..., [g["name"] for g in run.info["groups"]["language"]].index("sink")]
    look(page, sinks="renormalised")
    page.wait_for_function(
        "high => Math.abs(document.querySelector('.av-root').__attn.state.drawn.range.high / high - 1) < 2e-3",
        arg=float((visible / (1 - share[..., None])).max()),
    )


# Choosing


def test_a_click_on_the_atlas_selects_layer_and_head(open_page, runs, tools):
    page = open_page("two")
    layers = runs["two"].layers()
    canvas = page.locator(CANVAS)
    for place, row, head in ((0, 3, 3), (2, 1, 1), (1, 4, "mean"), (2, 5, "max")):
        box = page.evaluate("([l, h]) => document.querySelector('.av-root').__attn.atlasBox(l, h)", [place, row])
        canvas.click(position={"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2})
        tools.wait(page, layer=layers[place], head=head)
        outline, map_ = page.locator(".av-atlas-selected").bounding_box(), canvas.bounding_box()
        assert abs(outline["x"] - map_["x"] - box["x"]) <= 1 and abs(outline["width"] - box["width"]) <= 1
        assert abs(outline["y"] - map_["y"] - box["y"]) <= 1
    tools.select(page, layer=layers[2], head="mean")
    canvas.focus()
    page.keyboard.press("ArrowDown")  # the keyboard is that of the whole viewer
    tools.wait(page, layer=layers[2], head="max")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    tools.wait(page, layer=layers[1], head=0)


def crop(pixels, box):
    x, y, width, height = (round(box[name]) for name in ("x", "y", "width", "height"))
    return pixels[y : y + height, x : x + width]


@pytest.mark.sample(3)
@pytest.mark.parametrize("order", ["image_mass", "entropy", "spatial_entropy", "sink_share", "value"])
def test_an_order_changes_the_rows_and_a_click_selects_the_true_head(open_page, runs, tools, order):
    run = runs["captured"]
    row, layers, heads = first_row(run), run.layers(), run.heads()
    page = open_page("captured", layer=2, head=1)
    before, by_number = tools.canvas_pixels(page, CANVAS), maps_of(page)
    key = int(run.cells(0)[4, 2])
    select = page.get_by_label("Order of heads")
    if order == "value":
        expect(select.locator("option[value=value]")).to_be_disabled()
        expect(select.locator("option[value=value]")).to_contain_text("pin")
        page.evaluate("document.querySelector('.av-root').__attn.actions.pinCell(4, 2)")
    select.select_option(order)
    settled(page, order=order)
    scores = run.row_scores(order, row, key=key)
    keyed = scores if order in OF_READERS else -scores
    pixels, ranked = tools.canvas_pixels(page, CANVAS), maps_of(page)
    for i, layer in enumerate(layers):
        expected = np.argsort(keyed[i], kind="stable")
        found = sorted(range(heads), key=lambda head, layer=layer: ranked[layer, head]["y"])
        assert np.allclose(scores[i][found], scores[i][expected], rtol=1e-5), layer
        for rank, head in enumerate(found):
            assert ranked[layer, head]["y"] == by_number[layer, rank]["y"]
            assert np.array_equal(crop(pixels, ranked[layer, head]), crop(before, by_number[layer, head]))
        for head in ("mean", "max"):  # stay last
            assert np.array_equal(crop(pixels, ranked[layer, head]), crop(before, by_number[layer, head]))
            assert ranked[layer, head]["y"] == by_number[layer, head]["y"]
    first = sorted(range(heads), key=lambda head: ranked[layers[2], head]["y"])[0]
    click_on(page, ranked[layers[2], first])
    tools.wait(page, layer=layers[2], head=first)
    point_at(page, ranked[layers[2], first])
    expect(page.locator(".av-look-name")).to_have_text(f"layer {layers[2]} · head {first}")
    expect(page.locator(".av-look-about")).to_contain_text("rank 1")
    expect(page.locator(".av-atlas-title")).to_contain_text("lowest first" if order in OF_READERS else "highest first")
    select.select_option("number")
    settled(page)
    assert maps_of(page)[layers[2], first]["y"] == by_number[layers[2], first]["y"]


def test_heads_are_ordered_by_their_share_in_the_place_that_the_answer_names(open_page, runs, tools):
    run = runs["named"]
    page = open_page("named", layer=1, head=1)
    query = int(page.locator(".av-root").get_attribute("data-query"))
    page.get_by_label("Order of heads").select_option("region_share")
    settled(page, order="region_share")
    shares = region_scores(run, answer_regions(run)[0], query).tables["region_share"]
    placed = maps_of(page)
    for i, layer in enumerate(run.layers()):
        found = sorted(range(run.heads()), key=lambda head, layer=layer: placed[layer, head]["y"])
        assert np.all(np.diff(shares[i][found]) <= 1e-6), layer
    page.get_by_role("button", name="best").click()
    settled(page, "best", "region_share")
    first = page.evaluate("document.querySelector('.av-root').__attn.maps[0]")
    assert np.isclose(shares[run.layers().index(first["layer"]), first["head"]], shares.max(), rtol=1e-5)
    page.get_by_label("Order of heads").select_option("region_rank")
    settled(page, "best", "region_rank")
    first = page.evaluate("document.querySelector('.av-root').__attn.maps[0]")
    ranks = region_scores(run, answer_regions(run)[0], query).tables["region_rank"]
    assert ranks[run.layers().index(first["layer"]), first["head"]] == ranks.min(), "the lowest comes first"
    option = open_page("captured").get_by_label("Order of heads").locator("option[value=region_share]")
    expect(option).to_be_disabled()
    expect(option).to_contain_text("the answer names none")


def test_found_heads_of_a_file_are_marked_and_come_first(open_page, runs, tools, tmp_path):
    run = runs["captured"]
    layers, heads = run.layers(), run.heads()
    page = open_page("captured", layer=layers[2], head=1)
    select = page.get_by_label("Order of heads")
    expect(select.locator("option[value=found]")).to_be_disabled()
    named = [(layers[1], heads - 1, 0.4), (layers[2], 1, 0.9)]
    record = {
        "format": 1, "kind": "heads", "model": {"id": "pocket", "revision": None}, "adapter": None,
        "tower": "language", "by": "region_share",
        "heads": [{"layer": layer, "head": head, "score": {"mean": score}} for layer, head, score in named],
    }  # fmt: skip

    def load(content):
        (tmp_path / "heads.json").write_text(json.dumps(content), encoding="utf-8")
        with page.expect_file_chooser() as chooser:
            select.select_option("load")
        chooser.value.set_files(tmp_path / "heads.json")

    load({**record, "heads": [{"layer": 99, "head": 0, "score": {"mean": 1}}]})
    expect(page.get_by_text("this run has no layer 99, head 0")).to_be_visible()
    assert select.input_value() == "number" and page.locator(".av-found-heads span").count() == 0
    load(record)
    settled(page, order="found")
    expect(page.get_by_text("share at the right place, over a set, of pocket")).to_be_visible()
    assert select.input_value() == "found"
    ranked = maps_of(page)
    for layer, head, _ in named:
        assert head == min(range(heads), key=lambda each, layer=layer: ranked[layer, each]["y"])
    rings = page.locator(".av-found-heads span")
    expect(rings).to_have_count(2)
    page.get_by_role("button", name="best").click()
    settled(page, "best", "found")
    best = page.evaluate("document.querySelector('.av-root').__attn.maps.map(({layer, head}) => [layer, head])")
    assert best == [[layer, head] for layer, head, _ in reversed(named)]
    expect(rings).to_have_count(2)


def test_the_best_heads_of_all_layers(open_page, runs, tools):
    run = runs["large"]
    row = first_row(run)
    page = open_page("large", layer=3, head=2)
    page.get_by_role("button", name="best").click()
    masses = np.float64(run.atlas(row)).sum(-1)
    for order in ("image_mass", "entropy"):
        page.get_by_label("Order of heads").select_option(order)
        settled(page, "best", order)
        scores = run.row_scores(order, row)
        counted = masses >= np.median(masses) if order == "entropy" else np.ones_like(masses, bool)
        keyed = np.where(counted, scores if order == "entropy" else -scores, np.inf).ravel()
        maps = page.evaluate("document.querySelector('.av-root').__attn.maps")
        assert 12 <= len(maps) <= 24
        for place, m in zip(np.argsort(keyed, kind="stable"), maps, strict=False):
            assert np.isclose(scores[m["layer"], m["head"]], scores.flat[place], rtol=1e-5)
            assert m["caption"].startswith(f"L{m['layer']} H{m['head']} ")
            said = number(m["caption"].split()[2]) / (100 if order == "image_mass" else 1)
            assert np.isclose(said, scores[m["layer"], m["head"]], rtol=6e-3, atol=6e-3)
        expect(page.locator(".av-atlas-title")).to_contain_text(f"{len(maps)} of {28 * 16}")
    expect(page.locator(".av-atlas-title")).to_contain_text("among the half with most image mass")
    expect(page.get_by_label("Order of heads").locator("option[value=number]")).to_be_disabled()
    click_on(page, maps[4])
    tools.wait(page, layer=maps[4]["layer"], head=maps[4]["head"])


def test_the_order_of_the_best_heads_ends_with_them_but_a_chosen_one_stays(open_page):
    page = open_page("large", layer=3, head=2)

    def show(name):
        page.get_by_role("group", name="Maps").get_by_role("button", name=name, exact=True).click()

    show("best")
    settled(page, "best", "image_mass")
    show("all")
    settled(page, "all", "number")
    show("best")
    page.get_by_label("Order of heads").select_option("entropy")
    show("one layer")
    settled(page, "layer", "entropy")
    show("best")
    show("all")
    settled(page, "all", "entropy")


def check_layer(page, tools, run, rows, grid=0, is_row=True):
    """The heads of one layer, with their mean and maximum, are painted cell by cell: rows [heads, keys]."""
    look(page, palette="grey", clip=100, sinks="raw", scale="atlas" if is_row else "map")
    settled(page, "layer")
    record, maps = run.info["grids"][grid], page.evaluate("document.querySelector('.av-root').__attn.maps")
    values = np.float64(rows[:, cells_of(run, grid)])
    values = np.concatenate([values, values.mean(0, keepdims=True), values.max(0, keepdims=True)])
    assert [m["head"] for m in maps] == [*range(len(rows)), "mean", "max"]
    captions = page.locator(".av-atlas-captions span").all_inner_texts()
    pixels = tools.canvas_pixels(page, CANVAS)
    for m, cells, caption in zip(maps, values, captions, strict=True):
        painted = pixels[inside(m, (record["rows"], record["cols"]))][..., 0].astype(float)
        expected = (entries(cells, m["high"]) if m["high"] else np.zeros(cells.shape)).reshape(painted.shape)
        assert np.abs(above_bar(painted - expected, m)).max() <= 2, m["head"]
        assert caption.startswith(f"H{m['head']} " if isinstance(m["head"], int) else str(m["head"]))
        if m["head"] != "max":
            said = number(caption.split()[1])  # two digits or more
            assert np.isclose(said, cells.sum() * (100 if is_row else 1), rtol=0.05, atol=6e-4)
        if not is_row:
            assert np.isclose(m["high"], cells.max(), rtol=1e-6)


def test_one_layers_heads_are_drawn_cell_by_cell(open_page, runs, tools):
    run = runs["large"]
    page = open_page("large", layer=5, head=3)
    page.get_by_role("button", name="one layer").click()
    check_layer(page, tools, run, run.row(5, first_row(run)))
    high = np.float64(run.atlas(first_row(run)))
    assert maps_of(page)[5, 0]["high"] <= high.max() * 1.001  # all maps of the row share it, averaged down
    click_on(page, maps_of(page)[5, 7])
    tools.wait(page, layer=5, head=7)
    token = next(t["index"] for t in run.info["tokens"] if t["text"] == "what")
    tools.select(page, direction="read by", token=token)
    check_layer(page, tools, run, run.column(5, token), is_row=False)


def test_one_layer_of_what_patches_receive_is_the_only_view_there(open_page, runs, tools):
    run = runs["captured"]
    grid = next(i for i, record in enumerate(run.info["grids"]) if record["tower"] == "vision")
    page = open_page("captured")
    tools.select(page, tower="vision", layer=1)
    page.get_by_role("button", name="received").click()
    tools.wait(page, direction="received", layer=1)
    check_layer(page, tools, run, run.received(1, "vision"), grid, is_row=False)
    expect(page.get_by_role("button", name="all", exact=True)).to_be_disabled()
    expect(page.get_by_role("button", name="best")).to_be_disabled()
    expect(page.get_by_label("Order of heads")).to_be_disabled()


def test_a_mean_over_layers_shows_its_heads_where_the_numbers_are_there(open_page, runs, tools):
    run = runs["captured"]
    page = open_page("captured")
    page.get_by_role("button", name="one layer").click()
    expect(page.locator(".av-atlas-note")).to_contain_text("Choose a layer")
    expect(page.locator(CANVAS)).to_be_hidden()
    tools.select(page, head=2)
    rows = np.stack([run.row(layer, first_row(run)) for layer in run.layers()]).mean(0)
    check_layer(page, tools, run, rows)


# The closer look


def test_a_pointer_that_rests_sees_the_exact_map_larger(open_page, runs, tools):
    run = runs["large"]
    row, keys = first_row(run), cells_of(run)
    page = open_page("large", layer=0, head=0)
    held = hold(page, "**/row?*layer=20&*")
    box = maps_of(page)[20, 5]
    with page.expect_request("**/row?*layer=20&*"):
        point_at(page, box)
        # At once what it is, then the map as the atlas has it.
        expect(page.locator(".av-look-name")).to_have_text("layer 20 · head 5")
        expect(page.locator(f"{LOOK}[data-exact=false] .av-look-canvas")).to_be_visible()
        expect(page.locator(".av-look-peak")).to_contain_text("averaged to")
    for route in held:
        route.continue_()
    expect(page.locator(f"{LOOK}[data-exact=true]")).to_be_visible()
    cells = run.row(20, row)[5][keys]
    said = page.locator(".av-look-peak").inner_text()
    at = int(cells.argmax())
    assert f"row {at // 40}, col {at % 40}" in said and np.isclose(number(said), cells.max(), rtol=5e-3)
    mass = number(page.locator(".av-look-about").inner_text()) / 100
    assert np.isclose(mass, cells.sum(), rtol=6e-3)
    size = page.locator(".av-look-canvas").bounding_box()
    assert 180 <= max(size["width"], size["height"]) <= 240 and abs(size["width"] / size["height"] - 1.6) < 0.02
    # Its pixels are those of the cells.
    look(page, palette="grey", clip=100)
    settled(page)
    page.mouse.move(5, 5)
    expect(page.locator(LOOK)).to_be_hidden()
    point_at(page, box)
    expect(page.locator(f"{LOOK}[data-exact=true] .av-look-canvas")).to_be_visible()
    pixels, size = tools.canvas_pixels(page, ".av-look-canvas"), page.locator(".av-look-canvas").bounding_box()
    painted = pixels[inside({**size, "x": 0, "y": 0}, (25, 40))][..., 0].astype(float)
    expected = entries(cells, cells.max()).reshape(25, 40)
    assert np.abs(painted - expected).max() <= 2


def test_the_closer_look_is_whole_on_the_page_and_never_hides_its_map(open_page, runs, tools):
    page = open_page("large", layer=0, head=0)
    for layer, head in ((0, 0), (27, 0), ("mean", "max"), (0, "mean"), (14, 8)):
        box = maps_of(page)[layer, head]
        point_at(page, box)
        panel = page.locator(f'{LOOK}[data-layer="{layer}"][data-head="{head}"]')
        expect(panel.locator(".av-look-canvas")).to_be_visible()
        at, (x, y) = panel.bounding_box(), place_of(page, box)
        assert at["x"] >= 0 and at["y"] >= 0
        assert at["x"] + at["width"] <= tools.WIDE["width"] and at["y"] + at["height"] <= tools.WIDE["height"]
        assert not (at["x"] <= x <= at["x"] + at["width"] and at["y"] <= y <= at["y"] + at["height"])
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_finger_opens_no_closer_look(open_page, tools):
    page = open_page("large", layer=0, head=0)
    x, y = place_of(page, maps_of(page)[3, 3])
    touch = "([x, y]) => document.querySelector('.av-atlas-canvas').dispatchEvent(new PointerEvent('pointermove', " \
        "{ clientX: x, clientY: y, bubbles: true, pointerType: '%s' }))"  # fmt: skip
    page.evaluate(touch % "touch", [x, y])
    assert page.locator(LOOK).is_hidden()
    page.evaluate(touch % "pen", [x, y])
    expect(page.locator(LOOK)).to_be_visible()


# The ribbon


def columns(page, tools, layers):
    """The pixels of each bar of the ribbon from the bottom up, and where the bars stand. They are as high as 1."""
    pixels = tools.canvas_pixels(page, RIBBON).astype(int)
    filled = pixels[0, :, 3] > 0  # every row of these runs is whole
    starts = np.flatnonzero(filled & ~np.roll(filled, 1))
    stops = np.flatnonzero(filled & ~np.roll(filled, -1)) + 1
    assert len(starts) == layers + 1
    last = pixels[:, starts[-1], 3] > 0
    height = len(last) if last.all() else int(np.argmin(last))  # labels may stand below
    bars = [pixels[:height, start:stop][::-1] for start, stop in zip(starts, stops, strict=True)]
    return bars, starts, stops


@pytest.mark.sample(2)
@pytest.mark.parametrize("head", [3, "mean", "max"])
def test_the_ribbon_stacks_the_masses_of_the_row(open_page, runs, tools, head):
    run = runs["large"]
    row, groups = first_row(run), [g["name"] for g in run.info["groups"]["language"]]
    page = open_page("large", layer=4, head=head)
    page.wait_for_selector(".av-ribbon:not(.av-stale)")
    page.wait_for_function("document.querySelector('.av-root').__attn.state.masses !== null")
    masses = np.float64(run.masses(row))
    masses = masses[:, head] if isinstance(head, int) else masses.mean(1)
    masses = np.concatenate([masses, masses.mean(0, keepdims=True)])
    bars, starts, stops = columns(page, tools, 28)
    swatches = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('.av-ribbon-legend li')].map((entry) => {
        const c = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d');
        c.fillStyle = getComputedStyle(entry.firstChild).backgroundColor; c.fillRect(0, 0, 1, 1);
        return [entry.textContent, [...c.getImageData(0, 0, 1, 1).data]]; }))"""
    )
    stacked = ["image 1", "prompt", "answer", "special"]
    assert [name for name in swatches if name != "sink"] == stacked
    for bar, mass in zip(bars, masses, strict=True):
        at, line = 0.0, bar[:, bar.shape[1] // 2]
        for name in stacked:
            share = mass[groups.index(name)]
            same = np.abs(line - swatches[name]).max(-1) <= 1
            assert abs(same.sum() - len(line) * share) <= 1.01, name
            if share > 0.05:
                assert same[int(len(line) * (at + share / 2))], name
            at += share
    # The numbers, in words.
    i = 20
    canvas = page.locator(RIBBON).bounding_box()
    page.mouse.move(canvas["x"] + (starts[i] + stops[i]) / 2, canvas["y"] + 20)
    expect(page.locator(".av-ribbon-heading")).to_contain_text("layer 20")
    expect(page.locator(".av-ribbon-heading")).to_contain_text(f"head {head}" if head == 3 else "mean over heads")
    if head == "max":
        expect(page.locator(".av-ribbon-heading")).to_contain_text("no maximum")
    said = dict(
        zip(page.locator(f"{NUMBERS} dt").all_inner_texts(), page.locator(f"{NUMBERS} dd").all_inner_texts(),
            strict=True)
    )  # fmt: skip
    for name in stacked:
        assert np.isclose(number(said[name]) / 100, masses[i][groups.index(name)], rtol=0.06, atol=1e-4), name
    page.locator(RIBBON).click(position={"x": (starts[i] + stops[i]) / 2, "y": 20})
    tools.wait(page, layer=20, head=head)
    page.locator(RIBBON).click(position={"x": (starts[28] + stops[28]) / 2, "y": 20})
    tools.wait(page, layer="mean")


def test_the_ribbon_goes_on_where_the_layers_of_the_atlas_end(open_page, runs, tools):
    page = open_page("large", layer=4, head=3, size=tools.NARROW)
    page.wait_for_function("document.querySelector('.av-root').__attn.state.masses !== null")
    maps = maps_of(page)
    _, starts, stops = columns(page, tools, 28)
    for i, layer in enumerate([*range(28), "mean"]):
        assert abs(maps[layer, 0]["x"] - starts[i]) <= 1 and abs(maps[layer, 0]["width"] - (stops[i] - starts[i])) <= 1
    canvas, ribbon = page.locator(CANVAS).bounding_box(), page.locator(RIBBON).bounding_box()
    assert abs(canvas["x"] - ribbon["x"]) <= 1 and ribbon["y"] >= canvas["y"] + canvas["height"]


def test_sinks_are_hatched_inside_the_part_of_the_picture(open_page, runs, tools):
    run = runs["named"]
    row, groups = first_row(run), [g["name"] for g in run.info["groups"]["language"]]
    page = open_page("named", layer=1, head="mean")
    page.wait_for_function("document.querySelector('.av-root').__attn.state.masses !== null")
    bars, starts, stops = columns(page, tools, 3)
    masses = np.float64(run.masses(row)).mean(1)
    for i, bar in enumerate(bars[:3]):
        picture, sink = (masses[i][groups.index(name)] for name in ("image 1", "sink"))
        assert (sink > 0) == (i == 1)
        hatched = [height for height, line in enumerate(bar[:, 2:-2]) if len(np.unique(line, axis=0)) > 1]
        assert abs(len(hatched) - len(bar) * sink) <= 1.5 and all(height <= len(bar) * picture for height in hatched)
    canvas = page.locator(RIBBON).bounding_box()
    page.mouse.move(canvas["x"] + (starts[1] + stops[1]) / 2, canvas["y"] + 20)
    said = page.locator(f"{NUMBERS} dd").last
    assert np.isclose(number(said.inner_text()) / 100, masses[1][groups.index("sink")], rtol=0.06)


def test_a_column_has_no_ribbon_and_a_text_alone_has_nothing_else(open_page, runs, tools):
    page = open_page("captured", layer=1, head=0)
    tools.select(page, direction="read by", token=3)
    expect(page.locator(RIBBON)).to_be_hidden()
    page = open_page("text")
    expect(page.locator(".av-atlas-note")).to_contain_text("No picture")
    expect(page.locator(RIBBON)).to_be_visible()
    page.wait_for_function("document.querySelector('.av-root').__attn.state.masses !== null")
    assert len(columns(page, tools, 3)[0]) == 4


# What belongs together, and what fits


def test_an_atlas_of_another_row_is_pale(open_page, runs, tools):
    page = open_page("two", layer=0, head=0)
    held = hold(page, "**/atlas?*query=5*")
    with page.expect_request("**/atlas?*query=5*"):
        page.evaluate("document.querySelector('.av-root').__attn.select({ query: 5 })")
    tools.wait(page, "row", query=5)
    page.wait_for_selector(".av-atlas-frame.av-stale")
    before = tools.canvas_pixels(page, CANVAS)
    for route in held:
        route.continue_()
    tools.wait(page, query=5)
    settled(page)
    assert not np.array_equal(before, tools.canvas_pixels(page, CANVAS))


def test_heads_are_never_in_the_order_of_another_row(open_page, runs, tools):
    run = runs["large"]
    page = open_page("large", layer=3, head=0)
    look(page, order="entropy")
    settled(page, order="entropy")
    row = first_row(run)
    held = hold(page, f"**/scores?*query={row + 3}*")
    before = tools.canvas_pixels(page, CANVAS)
    with page.expect_request(f"**/scores?*query={row + 3}*"):
        page.evaluate("query => document.querySelector('.av-root').__attn.select({ query })", row + 3)
        tools.wait(page, query=row + 3)
        page.wait_for_selector(".av-atlas-frame.av-stale")
    assert np.array_equal(before, tools.canvas_pixels(page, CANVAS))  # the last whole, pale
    for route in held:
        route.continue_()
    settled(page, order="entropy")
    scores, maps = run.row_scores("entropy", row + 3), maps_of(page)
    for layer in (0, 13, 27):
        found = sorted(range(16), key=lambda head, layer=layer: maps[layer, head]["y"])
        assert np.all(np.diff(scores[layer][found]) >= -1e-5)


@pytest.mark.sample(2)
@pytest.mark.parametrize("ticket", ["captured", "large", "two", "named"])
def test_everything_fits_beside_the_picture(open_page, runs, tools, ticket):
    page = open_page(ticket, layer=runs[ticket].layers()[1], head=1)
    sizes = "(() => { const p = document.querySelector('.av-atlas-place'); return [p.scrollWidth - p.clientWidth, " \
        "p.scrollHeight - p.clientHeight, p.clientWidth]; })()"  # fmt: skip
    for view, order in (("all", "number"), ("layer", "number"), ("best", "image_mass")):
        look(page, atlasView=view, order=order)
        settled(page, view, order)
        wider, higher, width = page.evaluate(sizes)
        assert wider <= 0 and higher <= 0, view
        canvas, ribbon = page.locator(CANVAS).bounding_box(), page.locator(".av-ribbon").bounding_box()
        used = max(canvas["x"] + canvas["width"], ribbon["x"] + ribbon["width"]) - canvas["x"]
        assert used >= 0.6 * width, view


def test_on_a_phone_the_atlas_scrolls_and_the_page_does_not(open_page, runs, tools):
    page = open_page("large", layer=0, head=0, size=tools.NARROW)
    place = page.locator(".av-atlas-place")
    assert place.evaluate("place => place.scrollWidth > place.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    box = maps_of(page)[26, 3]
    assert box["width"] >= 20
    click_on(page, box)
    tools.wait(page, layer=26, head=3)
    tools.select(page, layer=1)
    outline, around = page.locator(".av-atlas-selected").bounding_box(), place.bounding_box()
    assert around["x"] <= outline["x"] and outline["x"] + outline["width"] <= around["x"] + around["width"]
    for view in ("layer", "best"):
        look(page, atlasView=view, order="image_mass")
        settled(page, view, "image_mass")
        assert place.evaluate("place => place.scrollHeight <= place.clientHeight + 1")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_layers_without_a_map_are_grey_between_the_maps_and_steps_pass_over_them(open_page):
    page = open_page("hybrid", layer=2, head=1)
    settled(page)
    maps = maps_of(page)
    assert {layer for layer, _ in maps} == {2, 5, "mean"}
    pixels = canvas_pixels(page, CANVAS)
    at = {"Layers 0 to 1: linear attention, no map": 2, "Layers 3 to 4: linear attention, no map": 5}
    at |= {"Layer 6: a convolution, no map": "mean"}
    for words, layer in at.items():
        first = maps[layer, 0]
        bar = {**first, "x": first["x"] - (10 if layer == "mean" else 4), "width": 2}
        grey, alpha = pixels[int(bar["y"] + 20), int(bar["x"] + 1), :3].astype(int), 255
        assert (
            np.ptp(grey) < 40 and 100 < grey.mean() < 245 and pixels[int(bar["y"] + 20), int(bar["x"] + 1), 3] == alpha
        )
        page.mouse.move(*place_of(page, bar))
        expect(page.locator(CANVAS)).to_have_attribute("title", words)
    choice = page.locator(".av-choice select").first
    disabled = choice.locator("option:disabled").all_text_contents()
    assert disabled == list(at)
    page.locator("button[aria-label='next layer']").click()
    wait(page, layer=5)
    page.locator("button[aria-label='previous layer']").click()
    wait(page, layer=2)
    choice.select_option("5")
    wait(page, layer=5)

"""The picture in Chromium: every pixel of the map is what the palette says of the right cell, at any zoom, and what a
person does with pointer, wheel, fingers and keys has its effect."""

from __future__ import annotations

import io
import re

import matplotlib
import numpy as np
import pytest
from browser.conftest import still
from made_runs import chat, grid_of, scene, write_run
from PIL import Image
from playwright.sync_api import expect

from attention import read_region, region_scores
from attention.runs.run import open_run

pytestmark = pytest.mark.browser

LABEL = '<img src=x onerror="window.broken=1"> ${window.broken=1}'
EDGES = [0, 40, 200, 260, 480]  # of unequal cells
CLIPPED = "document.querySelector('.av-clip').getBoundingClientRect()"


@pytest.fixture(scope="module", autouse=True)
def more_runs(runs, tmp_path_factory):
    """Pictures with frames, with a tile of unequal cells, and one with a preview smaller than it is."""
    root = tmp_path_factory.mktemp("pictures")
    small, other = scene(480, 320, 5), scene(480, 320, 6)
    frames = [
        grid_of(picture, i, 5, 8) | {"kind": "frame", "time_s": 0.5 * i} for i, picture in enumerate((small, other))
    ]
    tile = grid_of(small, 0, 3, 4) | {"kind": "tile", "box_px": [0, 20, 480, 300], "col_edges_px": EDGES}
    thumbnail = grid_of(small, 0, 2, 3) | {"kind": "thumbnail"}
    fine = write_run(root / "fine", [scene(1300, 900, 8)], [(9, 13)])
    Image.open(fine / "image_0.png").resize((325, 225)).save(fine / "preview_0.jpg")
    folders = {
        "frames": write_run(root / "frames", [small, other], [(5, 8), (5, 8)], grids=frames),
        "tiles": write_run(root / "tiles", [small, small], [(3, 4), (2, 3)], grids=[tile, thumbnail]),
        "many": write_run(root / "many", [scene(120, 90 + i, i) for i in range(8)], [(3, 4)] * 8),
        "fine": fine,
        "hostile": write_run(
            root / "hostile", [small], [(4, 6)], points=[{"x": 240, "y": 160, "label": LABEL, "image": 0}], boxes=[]
        ),
        "columns": write_run(
            root / "columns", [small], [(4, 6)], vision=True, tokens=chat([(4, 6)], prompt=["a", " b"], answer=["c"])
        ),
    }
    runs.update({ticket: open_run(folder) for ticket, folder in folders.items()})


def screenshot(page, selector):
    return np.asarray(
        Image.open(io.BytesIO(page.locator(selector).first.screenshot(animations="disabled"))).convert("RGB")
    ).astype(float)


def number(text):
    return float(re.search(r"\d[\d.]*(e-?\d+)?", text).group())


def look(page, **settings):
    page.evaluate("look => document.querySelector('.av-root').__attn.look(look)", settings)


def without_controls(page):
    """The picture with nothing on it that belongs to the page."""
    page.add_style_tag(content=".av-zoom { visibility: hidden }")
    page.locator(".av-title").click()  # no frame of the focus
    page.mouse.move(2, 2)


def state(page, name):
    return page.evaluate(f"document.querySelector('.av-root').__attn.state.{name}")


def cells_of(run, grid=0):
    return run.cells(grid).reshape(-1)


def serve(page, runs, ticket, values):
    """From now on every row has these values on the first grid and nothing elsewhere."""
    run = runs[ticket]
    row = np.zeros((run.heads(), len(run.info["tokens"])), np.float32)
    row[:, cells_of(run)] = values
    headers = {
        "X-Attention-Dtype": "float32",
        "X-Attention-Source": "factors",
        "X-Attention-Shape": f"{row.shape[0]},{row.shape[1]}",
    }
    page.route("**/row?*", lambda route: route.fulfill(body=row.tobytes(), headers=headers))


def laid(page, pane=0):
    """Place of the picture on the canvas, in device pixels: left, top, width, height."""
    left, top, width, height, density = page.evaluate(
        """pane => { const canvas = document.querySelectorAll('.av-overlay')[pane].getBoundingClientRect();
        const picture = document.querySelector('.av-picture').getBoundingClientRect();
        const first = document.querySelector('.av-overlay').getBoundingClientRect();
        return [picture.x - first.x, picture.y - first.y, picture.width, picture.height, devicePixelRatio]; }""",
        pane,
    )
    return [round(side * density, 3) for side in (left, top, width, height)]


def edges_of(record, axis):
    """The edges of a grid's cells on the picture."""
    x0, y0, x1, y1 = record["box_px"]
    start, stop, count = (y0, y1, record["rows"]) if axis == "row" else (x0, x1, record["cols"])
    return np.array(record.get(f"{axis}_edges_px") or start + (stop - start) * np.arange(count + 1) / count, float)


def borders_of(page, info, grid=0):
    """The borders of the cells on the canvas: whole device pixels, the nearest ones."""
    record, image = info["grids"][grid], info["images"][info["grids"][grid]["image"]]
    left, top, width, height = laid(page)
    assert all(abs(side - round(side)) < 0.1 for side in (left, top, width, height))
    return (
        round(top) + np.floor(edges_of(record, "row") / image["height"] * round(height) + 0.5).astype(int),
        round(left) + np.floor(edges_of(record, "col") / image["width"] * round(width) + 0.5).astype(int),
    )


def table(palette, is_solid=False):
    """The palette's 256 colours as they are laid over the picture, alpha following the value."""
    name = {"grey": "gray", "blues": "Blues"}.get(palette, palette)
    colours = matplotlib.colormaps[name](np.arange(256), bytes=True).astype(float)
    colours[:, 3] = 255 if is_solid else np.floor(255 * (np.arange(256) / 255) ** 0.75 + 0.5)
    return colours


def entries(shown, values=None):
    return np.clip(
        np.floor(np.float64(shown.values if values is None else values) / shown.range["high"] * 256), 0, 255
    ).astype(int)


def expected_cells(page, info, shown, colours, shape, grid=0):
    """Pixels that the canvas should hold: each cell's colour between its borders."""
    y, x = borders_of(page, info, grid)
    cols = info["grids"][grid]["cols"]
    expected = np.zeros((*shape, 4))
    for cell, index in enumerate(entries(shown)):
        r, c = divmod(cell, cols)
        rows, columns = (slice(max(0, edge[i]), max(0, edge[i + 1])) for edge, i in ((y, r), (x, c)))
        expected[rows, columns] = colours[index]
    return expected


def assert_same(pixels, expected):
    """Alike to the rounding of a canvas, which keeps colours multiplied by alpha, in whole numbers."""
    assert np.array_equal(pixels[..., 3], expected[..., 3])
    laid_over = [image[..., :3] * image[..., 3:] / 255 for image in (pixels, expected)]
    assert np.abs(laid_over[0] - laid_over[1]).max() <= 1


def zoom_to(page, scale, x=0.5, y=0.5):
    """Zoom by the wheel until so much of the picture is seen, around a place of what is seen now."""
    page.locator(".av-overlay").first.focus()
    for _ in range(60):
        now = state(page, "zoom.scale")
        if abs(now - scale) < 0.01:
            break
        box = page.locator(".av-overlay").first.bounding_box()
        page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
        page.mouse.wheel(0, -float(np.log(scale / now)) / 0.0018)
        page.wait_for_function(
            "before => document.querySelector('.av-root').__attn.state.zoom.scale !== before", arg=now
        )
    assert abs(state(page, "zoom.scale") - scale) < 0.05


def middle_of(page, info, row, col, grid=0):
    """The middle of a cell on the screen, once it lies still."""
    still(page)
    inside, box = middle_inside(page, info, row, col, grid), page.locator(".av-overlay").first.bounding_box()
    return box["x"] + inside["x"], box["y"] + inside["y"]


def middle_inside(page, info, row, col, grid=0):
    """The middle of a cell on the picture, in CSS pixels of its canvas."""
    y, x = borders_of(page, info, grid)
    density = page.evaluate("devicePixelRatio")
    return {"x": (x[col] + x[col + 1]) / 2 / density, "y": (y[row] + y[row + 1]) / 2 / density}


# The map


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "palette, density, scale",
    [
        ("viridis", 1.5, 4),
        ("blues", 2, 16),
        pytest.param("cividis", 1, 1, marks=pytest.mark.full),
        pytest.param("magma", 1, 4, marks=pytest.mark.full),
        pytest.param("grey", 2, 1, marks=pytest.mark.full),
        pytest.param("cividis", 1.5, 16, marks=pytest.mark.full),
    ],
)
def test_overlay_pixels_are_what_the_palette_says_of_the_right_cells(open_page, runs, tools, palette, density, scale):
    page = open_page("painted", layer=1, head=2, density=density)
    page.get_by_label("Colours").select_option(palette)
    if scale > 1:
        zoom_to(page, scale, 0.7, 0.3)
    shown, pixels = tools.shown(page), tools.canvas_pixels(page, ".av-overlay").astype(float)
    assert_same(pixels, expected_cells(page, runs["painted"].info, shown, table(palette), pixels.shape[:2]))


def test_cells_that_are_not_equal_are_painted_and_hit_where_they_lie(open_page, runs, tools):
    info = runs["tiles"].info
    page = open_page("tiles", layer=1, head=2)
    for scale in (1, 3):
        if scale > 1:
            zoom_to(page, scale)
        shown, pixels = tools.shown(page), tools.canvas_pixels(page, ".av-overlay").astype(float)
        assert_same(pixels, expected_cells(page, info, shown, table("cividis"), pixels.shape[:2]))
    assert not pixels[0, 0, 3] or scale > 1
    page.get_by_role("button", name="show the whole picture").click()
    for row, col in ((0, 0), (1, 1), (2, 3)):
        page.mouse.move(*middle_of(page, info, row, col))
        expect(page.locator(".av-root")).to_have_attribute("data-cell", f"{row},{col}")
        expect(page.locator(".av-readout")).to_contain_text(f"x {EDGES[col]}–{EDGES[col + 1]}")


def test_the_map_is_laid_over_the_picture(open_page, tools):
    page = open_page("painted", layer=1, head=2)
    tools.select(page, layer=2)
    for scale in (1, 3):
        if scale > 1:
            zoom_to(page, scale)
        without_controls(page)
        page.get_by_label("Opacity").fill("1")
        pixels = tools.canvas_pixels(page, ".av-overlay").astype(float)
        both = screenshot(page, ".av-clip")
        page.get_by_label("Opacity").fill("0")
        alone = screenshot(page, ".av-clip")
        alpha = pixels[..., 3:] / 255
        difference = np.abs(both - (alone * (1 - alpha) + pixels[..., :3] * alpha))
        assert difference.max() <= 3
        assert (np.abs(both - alone).mean(-1) > 60).any()


def smooth_values(shown, record, y, x):
    """Bilinear between the centres of cells, constant outside of the outermost, hidden cells left out."""
    values = np.float64(shown.values).reshape(record["rows"], record["cols"])
    weight = np.ones_like(values) if shown.hidden is None else 1.0 - np.reshape(shown.hidden, values.shape)

    def shares(at, edges):
        centres = (edges[:-1] + edges[1:]) / 2
        after = np.clip(np.searchsorted(centres, at), 1, len(centres) - 1)
        share = np.clip((at - centres[after - 1]) / (centres[after] - centres[after - 1]), 0, 1)
        result = np.zeros((len(at), len(centres)))
        result[np.arange(len(at)), after - 1] = 1 - share
        result[np.arange(len(at)), after] += share
        return result

    down, across = shares(y, edges_of(record, "row")), shares(x, edges_of(record, "col"))
    total = down @ weight @ across.T
    return np.divide(down @ (values * weight) @ across.T, total, out=np.zeros_like(total), where=total > 1e-12)


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "ticket, density, scale", [("named", 1, 1), ("named", 2, 4), ("tiles", 1, 1), ("painted", 1.5, 1)]
)
def test_smoothed_pixels_are_interpolated_values_and_say_that_they_are(open_page, runs, tools, ticket, density, scale):
    info = runs[ticket].info
    record, image = info["grids"][0], info["images"][0]
    page = open_page(ticket, layer=1, head=2, density=density)
    expect(page.locator(".av-smoothed")).to_be_hidden()
    look(page, smooth=True, places=False)
    expect(page.locator(".av-smoothed")).to_have_text("smoothed")
    if scale > 1:
        zoom_to(page, scale, 0.1, 0.1)
    shown, pixels = tools.shown(page), tools.canvas_pixels(page, ".av-overlay").astype(float)
    left, top, width, height = (round(side) for side in laid(page))
    y = (np.arange(pixels.shape[0]) + 0.5 - top) / height * image["height"]
    x = (np.arange(pixels.shape[1]) + 0.5 - left) / width * image["width"]
    expected = entries(shown, smooth_values(shown, record, y, x))
    alpha = table("cividis")[:, 3]
    low, high = alpha[np.maximum(0, expected - 1)], alpha[np.minimum(255, expected + 1)]
    rows, cols = borders_of(page, info)
    visible = np.ones(pixels.shape[:2], bool)
    visible[: max(0, rows[0])] = visible[rows[-1] :] = visible[:, : max(0, cols[0])] = visible[:, cols[-1] :] = False
    for cell in np.flatnonzero(shown.hidden if shown.hidden is not None else []):
        r, c = divmod(int(cell), record["cols"])
        visible[max(0, rows[r]) : max(0, rows[r + 1]), max(0, cols[c]) : max(0, cols[c + 1])] = False
    assert visible.sum() > 10_000
    assert ((pixels[..., 3] >= low) & (pixels[..., 3] <= high))[visible].all()
    # The numbers on the page stay those of the cells.
    values = tools.shown(page).cells
    look(page, smooth=False)
    assert np.array_equal(values, tools.shown(page).cells)


def test_sinks_are_hatched_without_a_colour_and_raw_ones_are_coloured(open_page, runs, tools):
    info = runs["named"].info
    cols = info["grids"][0]["cols"]
    colours = table("magma")
    for theme in ("light", "dark"):
        page = open_page("named", layer=1, head=2, theme=theme)
        look(page, palette="magma", places=False)
        y, x = borders_of(page, info)
        sinks = [divmod(int(np.flatnonzero(cells_of(runs["named"]) == key)[0]), cols) for key in tools.SINKS]
        ink = np.array(
            re.findall(r"\d+", page.evaluate("getComputedStyle(document.querySelector('.av-overlay')).color"))[:3],
            float,
        )
        for smooth in (False, True):
            look(page, sinks="masked", smooth=smooth)
            shown, pixels = tools.shown(page), tools.canvas_pixels(page, ".av-overlay").astype(float)
            for r, c in sinks:
                cell = pixels[y[r] : y[r + 1], x[c] : x[c + 1]]
                drawn = cell[cell[..., 3] > 0]
                # Greys between the text's colour and its ground; some of it is clear, so that the picture is seen.
                assert np.ptp(drawn[:, :3], axis=1).max() <= 40, "a colour"
                assert 0.15 < (cell[..., 3] > 60).mean() < 0.85
                bold = cell[cell[..., 3] > 70]
                assert len(bold) and (np.abs(bold[:, :3] - ink).max(1) < 60).any(), "the text's colour"
                assert (np.abs(bold[:, :3] - ink).max(1) > 90).any(), "and its contrast"
            look(page, sinks="raw")
            shown, pixels = tools.shown(page), tools.canvas_pixels(page, ".av-overlay").astype(float)
            if not smooth:
                assert_same(pixels, expected_cells(page, info, shown, colours, pixels.shape[:2]))


def test_a_map_of_equal_values_of_one_spike_and_of_zeros_looks_like_one(open_page, runs, tools):
    page = open_page("painted", layer=1, head=2)
    cells, top = cells_of(runs["painted"]), int(table("cividis")[255, 3])
    for token, values, expected in (
        (cells[30], np.full(len(cells), 0.003), {top}),
        (cells[60], np.eye(1, len(cells), 37)[0] * 0.2, {0, top}),
        (cells[90], np.zeros(len(cells)), {0}),
    ):
        page.unroute("**/row?*")
        serve(page, runs, "painted", values)
        tools.select(page, token=int(token), query=int(token))
        for smooth in (False, True):
            look(page, smooth=smooth)
            pixels = tools.canvas_pixels(page, ".av-overlay")
            if smooth and len(expected) > 1:
                assert pixels[..., 3].max() > 250 and (pixels[..., 3] == 0).mean() > 0.9
            else:
                assert set(np.unique(pixels[..., 3]).tolist()) == expected
            if len(expected) > 1 and not smooth:
                y, x = borders_of(page, runs["painted"].info)
                row, col = divmod(37, 23)
                lit = np.zeros(pixels.shape[:2], bool)
                lit[y[row] : y[row + 1], x[col] : x[col + 1]] = True
                assert np.array_equal(pixels[..., 3] > 0, lit)
        page.locator(".av-overlay").focus()
        page.mouse.move(*middle_of(page, runs["painted"].info, *divmod(37, 23)))
        said = page.locator(".av-readout").inner_text()
        assert ("×" in said) == bool(values.any()) and "NaN" not in said
        page.mouse.move(2, 2)
        look(page, smooth=False)


def test_the_map_beside_the_picture_has_solid_colours_and_the_picture_none(open_page, runs, tools):
    info = runs["painted"].info
    for theme in ("light", "dark"):
        page = open_page("painted", layer=1, head=2, theme=theme)
        page.get_by_role("button", name="map beside").click()
        expect(page.locator(".av-overlay")).to_have_count(2)
        expect(page.locator(".av-picture")).to_have_count(1)
        assert not tools.canvas_pixels(page, ".av-overlay").any(), "the picture has no colour"
        pixels = tools.canvas_pixels(page, ".av-pane:nth-child(2) .av-overlay").astype(float)
        assert_same(
            pixels, expected_cells(page, info, tools.shown(page), table("cividis", is_solid=True), pixels.shape[:2])
        )
        without_controls(page)
        drawn = screenshot(page, ".av-pane:nth-child(2) .av-clip")
        assert np.abs(drawn - pixels[..., :3]).max() <= 1, "and nothing under it"
        # What is pointed at in one is outlined in both, at the same place.
        page.mouse.move(*middle_of(page, info, 3, 11))
        boxes = [page.locator(".av-outline").nth(i).bounding_box() for i in range(2)]
        frames = [page.locator(".av-clip").nth(i).bounding_box() for i in range(2)]
        places = [[round(box[s] - frame[s], 2) for s in ("x", "y")] for box, frame in zip(boxes, frames, strict=True)]
        assert places[0] == places[1] and boxes[0]["width"] == boxes[1]["width"]
        assert sum(tip.is_visible() for tip in page.locator(".av-pane .av-tip").all()) == 1
        # They zoom together.
        page.locator(".av-overlay").nth(1).focus()
        page.keyboard.press("+")
        sizes = [page.locator(".av-overlay").nth(i).evaluate("c => [c.width, c.height]") for i in range(2)]
        assert sizes[0] == sizes[1]
        pixels = tools.canvas_pixels(page, ".av-pane:nth-child(2) .av-overlay").astype(float)
        assert_same(
            pixels, expected_cells(page, info, tools.shown(page), table("cividis", is_solid=True), pixels.shape[:2])
        )
        page.get_by_role("button", name="map beside").click()
        expect(page.locator(".av-overlay")).to_have_count(1)
        assert tools.canvas_pixels(page, ".av-overlay").any()


def test_beside_lies_the_way_that_shows_more(open_page, tools):
    for grid, is_below in ((0, True), (1, False)):
        page = open_page("two", layer=2, head=1)
        tools.select(page, grid=grid)
        look(page, beside=True)
        first, second = (page.locator(".av-pane").nth(i).bounding_box() for i in range(2))
        assert (second["y"] >= first["y"] + first["height"]) == is_below
        assert (second["x"] >= first["x"] + first["width"]) != is_below


# Pointing


def test_the_outlined_cell_covers_the_painted_square(open_page, tools):
    for density in (1, 2):
        page = open_page("painted", density=density)
        page.get_by_label("Opacity").fill("0")
        frame = page.locator(".av-frame").bounding_box()
        bare = screenshot(page, ".av-frame")[..., 0] < 128
        rows, cols = tools.SHAPE
        for row, col in tools.PAINTED:
            # Where the square is, is read from the picture on screen.
            height, width = bare.shape[0] / rows, bare.shape[1] / cols
            start = max(0, int((row - 0.4) * height)), max(0, int((col - 0.4) * width))
            y, x = np.nonzero(bare[start[0] : int((row + 1.4) * height), start[1] : int((col + 1.4) * width)])
            y, x = (y + start[0]) / density, (x + start[1]) / density
            square = [x.min(), y.min(), x.max() + 1 / density, y.max() + 1 / density]
            page.mouse.move(frame["x"] + (square[0] + square[2]) / 2, frame["y"] + (square[1] + square[3]) / 2)
            expect(page.locator(".av-root")).to_have_attribute("data-cell", f"{row},{col}")
            outline = page.locator(".av-outline").bounding_box()
            place = [outline["x"] - frame["x"], outline["y"] - frame["y"]]
            place += [place[0] + outline["width"], place[1] + outline["height"]]
            assert np.abs(np.subtract(place, square)).max() <= 1, (row, col, place, square)
            # Every place in the square is this cell, and the ones beside it are others.
            for dx, dy in ((0.1, 0.1), (0.9, 0.9), (0.1, 0.9)):
                page.mouse.move(
                    frame["x"] + square[0] + dx * (square[2] - square[0]),
                    frame["y"] + square[1] + dy * (square[3] - square[1]),
                )
                expect(page.locator(".av-root")).to_have_attribute("data-cell", f"{row},{col}")


def test_zoomed_in_the_outlined_cell_still_covers_the_painted_square(open_page, tools):
    page = open_page("painted")
    page.get_by_label("Opacity").fill("0")
    zoom_to(page, 8, 11.5 / 23, 3.5 / 7)  # around a painted cell
    without_controls(page)
    frame = page.locator(".av-clip").bounding_box()
    bare = screenshot(page, ".av-clip")[..., 0] < 128
    y, x = np.nonzero(bare)
    page.mouse.move(frame["x"] + (x.min() + x.max()) / 2, frame["y"] + (y.min() + y.max()) / 2)
    expect(page.locator(".av-root")).to_have_attribute("data-cell", "3,11")
    outline = page.locator(".av-outline").bounding_box()
    place = [outline["x"] - frame["x"], outline["y"] - frame["y"], outline["width"], outline["height"]]
    square = [x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1]
    assert np.abs(np.subtract(place, square)).max() <= 5  # the picture's own pixels are seven of the screen's


def test_hovering_says_value_place_and_multiple_of_uniform(open_page, runs, tools):
    page = open_page("captured", layer=3, head=2)
    shown = tools.shown(page)
    grid, image = runs["captured"].info["grids"][0], runs["captured"].info["images"][0]
    row, col = 2, 3
    page.mouse.move(*middle_of(page, runs["captured"].info, row, col))
    words = page.locator(".av-readout").inner_text()
    value = shown.cells[row * grid["cols"] + col]
    assert words.startswith(f"row {row}, col {col} · ")
    assert np.isclose(number(words.split("·")[1]), value, rtol=5e-3)
    assert np.isclose(number(words.split("·")[2]), value * shown.cells.size / shown.cells.sum(), rtol=0.06)
    assert "uniform" in words
    x = [round(image["width"] / grid["cols"] * i, 1) for i in (col, col + 1)]
    assert f"x {x[0]:g}–{x[1]:g}" in words
    tip = page.locator(".av-pane .av-tip")
    assert np.isclose(number(tip.inner_text()), value, rtol=5e-3) and "×" in tip.inner_text()
    page.mouse.move(5, 5)
    expect(page.locator(".av-outline")).to_be_hidden()
    expect(tip).to_be_hidden()


def test_a_column_and_what_is_received_say_what_their_numbers_are(open_page, runs, tools):
    run = runs["columns"]
    page = open_page("columns", layer=1, head=1)
    key = next(token["index"] for token in run.info["tokens"] if token["text"] == " b")
    cell = (1, 2)
    tools.select(page, token=int(run.cells(0)[0, 1]), direction="read by")
    page.mouse.move(*middle_of(page, run.info, *cell))
    tip = page.locator(".av-pane .av-tip")
    value = run.column(1, int(run.cells(0)[0, 1]))[1, run.cells(0)[cell]]
    expect(tip).to_contain_text("of its row")
    assert number(tip.inner_text()) == pytest.approx(value, rel=5e-3) and "×" not in tip.inner_text()
    page.mouse.move(2, 2)
    assert key  # the run has text as well
    page.get_by_role("button", name="vision", exact=True).click()
    tools.wait(page, tower="vision")
    page.get_by_role("button", name="received").click()
    tools.wait(page, direction="received")
    grid = next(i for i, grid in enumerate(run.info["grids"]) if grid["tower"] == "vision")
    expect(page.locator(".av-here")).to_be_hidden()  # the mean over all patches belongs to none of them
    page.mouse.move(*middle_of(page, run.info, *cell, grid))
    cells = tools.shown(page).cells
    value = cells[cell[0] * 6 + cell[1]]
    assert number(tip.inner_text()) == pytest.approx(value, rel=5e-3)
    assert number(tip.inner_text().split("·")[1]) == pytest.approx(value * cells.size / cells.sum(), rel=0.06)
    expect(tip).to_contain_text("even")


# Choosing


def test_a_click_on_a_cell_selects_its_token_and_frames_it(open_page, runs, tools):
    run = runs["captured"]
    grid, page = run.info["grids"][0], open_page("captured", layer=1, head=2)
    expect(page.locator(".av-here")).to_be_hidden()
    page.locator(".av-overlay").first.click(position=middle_inside(page, run.info, 2, 3))
    token = int(run.cells(0)[2, 3])
    tools.wait(page, token=token, query=token, layer=1, head=2)
    assert np.array_equal(tools.shown(page).row, run.row(1, token)[2])
    here = page.locator(".av-here").bounding_box()
    middle = middle_of(page, run.info, 2, 3)
    assert abs(here["x"] + here["width"] / 2 - middle[0]) <= 1 and abs(here["y"] + here["height"] / 2 - middle[1]) <= 1
    expect(page.locator(".av-title")).to_contain_text("image 1, row 2, col 3 reads")
    page.locator(".av-overlay").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".av-root")).to_have_attribute("data-cell", "2,4")
    page.keyboard.press("Enter")
    tools.wait(page, token=token + 1, query=token + 1)
    assert grid["cols"] > 4


def test_the_cell_cursor_begins_at_the_largest_coloured_value_and_stays_in_sight(open_page, runs, tools):
    page = open_page("named", layer=1, head=2)
    root, info = page.locator(".av-root"), runs["named"].info
    cols = info["grids"][0]["cols"]
    shown = tools.shown(page)
    values = np.where(np.array(shown.hidden, bool), -1, shown.values)
    row, col = divmod(int(values.argmax()), cols)
    page.locator(".av-overlay").focus()
    page.keyboard.press("Shift+ArrowDown")
    expect(root).to_have_attribute("data-cell", f"{row},{col}")
    layer = root.get_attribute("data-layer")
    for key, by in (("ArrowLeft", (0, -1)), ("ArrowUp", (-1, 0)), ("ArrowRight", (0, 1)), ("ArrowDown", (1, 0))):
        page.keyboard.press(f"Shift+{key}")
        row, col = min(6, max(0, row + by[0])), min(22, max(0, col + by[1]))
        expect(root).to_have_attribute("data-cell", f"{row},{col}")
    assert root.get_attribute("data-layer") == layer
    expect(page.locator(".av-readout")).to_have_attribute("aria-live", "polite")
    for _ in range(3):
        page.keyboard.press("+")
    for _ in range(25):
        page.keyboard.press("Shift+ArrowRight")
    for _ in range(8):
        page.keyboard.press("Shift+ArrowDown")
    expect(root).to_have_attribute("data-cell", "6,22")
    outline, clip = page.locator(".av-outline").bounding_box(), page.locator(".av-clip").bounding_box()
    assert outline["x"] + outline["width"] <= clip["x"] + clip["width"] + 1
    assert outline["y"] + outline["height"] <= clip["y"] + clip["height"] + 1


def test_shift_click_and_p_pin_a_cell_and_mark_it(open_page, runs, tools):
    run = runs["painted"]
    page = open_page("painted", layer=1, head=2)
    token = page.locator(".av-root").get_attribute("data-token")
    expect(page.locator(".av-pinned")).to_be_hidden()
    place = middle_of(page, run.info, 3, 11)
    page.keyboard.down("Shift")
    page.mouse.click(*place)
    page.keyboard.up("Shift")
    assert state(page, "pinned") == {"grid": 0, "row": 3, "col": 11}
    box = page.locator(".av-pinned").bounding_box()
    assert abs(box["x"] + box["width"] / 2 - place[0]) <= 1 and abs(box["y"] + box["height"] / 2 - place[1]) <= 1
    assert page.locator(".av-root").get_attribute("data-token") == token, "pinning selects nothing"
    page.locator(".av-overlay").focus()
    page.keyboard.press("p")
    assert state(page, "pinned") is None
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("p")
    assert state(page, "pinned") == {"grid": 0, "row": 3, "col": 12}
    page.keyboard.press("Escape")
    expect(page.locator(".av-pinned")).to_be_hidden()


def test_all_cells_of_several_tokens_are_framed(open_page, runs, tools):
    run = runs["painted"]
    page = open_page("painted", layer=1, head=2)
    cells = run.cells(0)
    page.evaluate(
        "([first, last]) => document.querySelector('.av-root').__attn.actions.selectToken(first, last)",
        [int(cells[2, 20]), int(cells[3, 1])],  # the end of a row and the beginning of the next
    )
    tools.wait(page, token=int(cells[2, 20]), until=int(cells[3, 1]))
    path = page.locator(".av-here").get_attribute("d")
    outer = [segment for segment in path.split("M") if segment]
    inner = [segment for segment in page.locator(".av-here-inner").get_attribute("d").split("M") if segment]
    assert len(outer) == (3 + 3 + 2) + (2 + 2 + 2) and len(inner) == 2 + 1
    box = page.locator(".av-here").bounding_box()
    clip = page.locator(".av-clip").bounding_box()
    assert box["width"] >= clip["width"] - 2


# Zooming and moving


def test_the_wheel_zooms_where_the_pointer_is_and_leaves_the_page_its_own(open_page, runs, tools):
    page = open_page("painted", layer=1, head=2)
    page.evaluate("document.body.style.paddingBottom = '2000px'")
    place = middle_of(page, runs["painted"].info, 1, 17)
    page.mouse.move(*place)
    page.mouse.wheel(0, 120)
    page.wait_for_function("window.scrollY > 50")
    assert state(page, "zoom.scale") == 1, "without the focus a wheel is the page's"
    page.evaluate("window.scrollTo(0, 0)")
    page.mouse.move(*place)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    page.wait_for_function("document.querySelector('.av-root').__attn.state.zoom.scale > 1.5")
    page.mouse.move(place[0] + 1, place[1])
    expect(page.locator(".av-root")).to_have_attribute("data-cell", "1,17")
    page.locator(".av-overlay").focus()
    page.mouse.wheel(0, -5000)
    page.wait_for_function("document.querySelector('.av-root').__attn.state.zoom.scale === 16")
    page.mouse.move(place[0], place[1])
    expect(page.locator(".av-root")).to_have_attribute("data-cell", "1,17")
    width, height, box = page.evaluate(
        "(() => { const c = document.querySelector('.av-overlay'); const p = document.querySelector('.av-panes');"
        " return [c.width, c.height, [p.clientWidth, p.clientHeight]]; })()"
    )
    assert width <= box[0] and height <= box[1], "the canvas stays as large as what is seen"
    page.mouse.wheel(0, 9000)
    page.wait_for_function("document.querySelector('.av-root').__attn.state.zoom.scale === 1")
    assert page.evaluate("window.scrollY") == 0
    page.mouse.wheel(0, 200)  # nothing is left to zoom out of: the page scrolls
    page.wait_for_function("window.scrollY > 50")


def test_buttons_keys_and_a_double_click_zoom_and_fit(open_page, runs, tools):
    page = open_page("painted", layer=1, head=2)
    group = page.get_by_role("group", name="Zoom")
    into, out, fit = (
        group.get_by_role("button", name=name) for name in ("zoom in", "zoom out", "show the whole picture")
    )
    whole = page.locator(".av-clip").bounding_box()
    expect(fit).to_be_hidden()  # the map is seen under what would do nothing
    page.locator(".av-overlay").focus()
    page.keyboard.press("Tab")
    expect(into).to_be_focused()
    assert out.get_attribute("aria-disabled") == fit.get_attribute("aria-disabled") == "true"
    page.keyboard.press("Shift+Tab")
    expect(out).to_be_focused()
    into.click()
    into.click()
    assert state(page, "zoom") == {"scale": 4, "x": 0.5, "y": 0.5}
    expect(group).to_contain_text("4.0×")
    into.click()
    into.click()
    assert state(page, "zoom.scale") == 16 and into.get_attribute("aria-disabled") == "true"
    out.click()
    assert state(page, "zoom.scale") == 8
    fit.click()
    assert state(page, "zoom") == {"scale": 1, "x": 0.5, "y": 0.5}
    assert page.locator(".av-clip").bounding_box() == whole
    page.mouse.dblclick(*middle_of(page, runs["painted"].info, 2, 5))
    assert state(page, "zoom.scale") == 2
    page.locator(".av-overlay").focus()
    page.keyboard.press("-")
    assert state(page, "zoom.scale") == 1
    before = page.locator(".av-outline").bounding_box()
    page.keyboard.press("+")
    after = page.locator(".av-outline").bounding_box()
    for start, side in (("x", "width"), ("y", "height")):  # around the cell that is pointed at
        assert abs(before[start] + before[side] / 2 - after[start] - after[side] / 2) <= 1.5
    page.keyboard.press("0")
    assert state(page, "zoom.scale") == 1
    page.keyboard.press("+")
    page.keyboard.press("Escape")
    assert state(page, "zoom.scale") == 1


def test_a_drag_moves_the_picture_and_selects_nothing(open_page, runs, tools):
    run = runs["painted"]
    page = open_page("painted", layer=1, head=2)
    token = page.locator(".av-root").get_attribute("data-token")
    zoom_to(page, 4)
    before, start = laid(page), middle_of(page, run.info, 3, 11)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 20, start[1] + 10)
    page.mouse.move(start[0] + 60, start[1] + 30)
    page.mouse.up()
    after = laid(page)
    assert abs(after[0] - before[0] - 60) <= 1.5 and abs(after[1] - before[1] - 30) <= 1.5
    assert page.locator(".av-root").get_attribute("data-token") == token
    shown, pixels = tools.shown(page), tools.canvas_pixels(page, ".av-overlay").astype(float)
    assert_same(pixels, expected_cells(page, run.info, shown, table("cividis"), pixels.shape[:2]))
    # The whole picture cannot be dragged, but a press that wanders is no click either.
    page.get_by_role("button", name="show the whole picture").click()
    whole, start = laid(page), middle_of(page, run.info, 3, 11)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 40, start[1])
    page.mouse.up()
    assert laid(page) == whole and page.locator(".av-root").get_attribute("data-token") == token
    page.mouse.click(*start)
    tools.wait(page, token=int(run.cells(0)[3, 11]))


def test_a_box_drawn_with_shift_is_measured_and_orders_the_heads_until_escape(open_page, runs, tools):
    run = runs["painted"]
    page = open_page("painted", layer=1, head=2)
    token = page.locator(".av-root").get_attribute("data-token")
    query = int(page.locator(".av-root").get_attribute("data-query"))
    said = page.locator(".av-sentence").inner_text()
    start, end = middle_of(page, run.info, 1, 3), middle_of(page, run.info, 4, 12)
    page.mouse.move(*end)
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(start[0] + 30, start[1] + 20)
    page.mouse.move(*start)
    page.mouse.up()
    page.keyboard.up("Shift")
    place = state(page, "region")["place"]
    width, height = (run.info["images"][0][side] for side in ("width", "height"))
    expected = [3.5 / 23 * width, 1.5 / 7 * height, 12.5 / 23 * width, 4.5 / 7 * height]
    assert np.abs(np.array(place) - expected).max() <= 1.5, "from corner to corner, whichever comes first"
    assert page.locator(".av-root").get_attribute("data-token") == token and state(page, "pinned") is None
    scores = region_scores(run, read_region(run, place), query)
    i = run.layers().index(1)
    found = re.search(
        r"([0-9.]+)% of that in the drawn box \(chance ([0-9.]+)%\)",
        page.locator(".av-sentence").inner_text().replace("\u202f", ""),
    )
    numbers = 100 * scores.tables["region_share"][i, 2], 100 * scores.uniform
    assert np.allclose([float(text) for text in found.groups()], numbers, rtol=6e-3)
    assert page.locator(".av-lines path[d]:not([d=''])").count()
    page.evaluate("document.querySelector('.av-root').__attn.look({ order: 'region_share', atlasView: 'best' })")
    page.wait_for_selector(".av-atlas[data-view=best][data-order=region_share] .av-atlas-frame:not(.av-stale)")
    first = page.evaluate("document.querySelector('.av-root').__attn.maps[0]")
    assert [(first["layer"], first["head"])] == scores.best(n=1)
    page.locator(".av-overlay").focus()
    page.keyboard.press("Escape")
    assert state(page, "region") is None and page.locator(".av-sentence").inner_text() == said


def test_a_tap_points_and_selects_two_fingers_zoom_and_one_moves(open_page, touch, runs, tools):
    run = runs["painted"]
    page = open_page("painted", layer=1, head=2, size=tools.NARROW)
    page.locator(".av-overlay").scroll_into_view_if_needed()
    send = touch(page)
    stage, place = page.locator(".av-stage").bounding_box(), middle_of(page, run.info, 1, 17)
    send("touchStart", place)
    send("touchEnd")
    token = int(run.cells(0)[1, 17])
    tools.wait(page, token=token)
    expect(page.locator(".av-readout")).to_contain_text("row 1, col 17")
    assert page.locator(".av-stage").bounding_box() == stage, "nothing jumps"
    x, y = middle_of(page, run.info, 3, 11)
    send("touchStart", (x - 20, y), (x + 20, y))
    for reach in (30, 40, 50, 60, 80):
        send("touchMove", (x - reach, y), (x + reach, y))
    send("touchEnd")
    assert 3.2 < state(page, "zoom.scale") < 4.5
    page.mouse.move(x, y)
    expect(page.locator(".av-root")).to_have_attribute("data-cell", "3,11")
    before = laid(page)
    send("touchStart", (x, y))
    for by in (10, 20, 30, 40):
        send("touchMove", (x - by, y))
    send("touchEnd")
    assert abs(laid(page)[0] - before[0] + 40) <= 2
    assert int(page.locator(".av-root").get_attribute("data-token")) == token, "neither selects anything"


def test_zoomed_in_the_picture_comes_in_its_own_resolution(open_page, tools):
    page = open_page("fine", layer=1, head=2)
    page.get_by_label("Opacity").fill("0")
    expect(page.locator(".av-full")).to_have_count(0)
    with page.expect_request("**/image/0"):
        zoom_to(page, 4)
    page.wait_for_selector(".av-full")
    preview, full = (page.locator(css).bounding_box() for css in (".av-picture >> nth=0", ".av-full"))
    assert preview == full
    assert page.locator(".av-full").evaluate("image => [image.complete, image.naturalWidth]") == [True, 1300]
    without_controls(page)
    sharp = screenshot(page, ".av-clip")
    page.locator(".av-full").evaluate("image => { image.style.visibility = 'hidden'; }")
    blurred = screenshot(page, ".av-clip")
    steepest = [np.abs(np.diff(picture.mean(-1), axis=1)).max() for picture in (sharp, blurred)]
    assert steepest[0] > 1.5 * steepest[1], "its edges are sharper"
    page.locator(".av-overlay").focus()
    page.keyboard.press("0")
    assert (
        page.locator(".av-picture >> nth=0").bounding_box()["width"] == page.locator(".av-clip").bounding_box()["width"]
    )


def test_a_picture_that_cannot_be_read_is_said_and_the_map_stays(open_page, tools):
    page = open_page(state="empty")
    page.route("**/preview/0", lambda route: route.abort())
    page.get_by_role("button", name="open two").click()
    tools.wait(page)
    expect(page.locator(".av-size")).to_contain_text("could not be read")
    assert tools.canvas_pixels(page, ".av-overlay").any()


# Places that the answer names


def test_named_places_are_drawn_where_they_are_and_can_be_switched_off(open_page, runs, tools):
    info = runs["named"].info
    page = open_page("named", layer=1, head=2)
    places = page.locator(".av-place")
    expect(places).to_have_count(2)
    assert sorted(page.locator(".av-place text").all_text_contents()) == ["<b>here</b>", "a box"]
    image = info["images"][0]
    before = tools.canvas_pixels(page, ".av-overlay")
    for scale in (1, 3):
        if scale > 1:
            zoom_to(page, scale, 0.4, 0.4)
        left, top, width, height = laid(page)
        for index, (x0, y0, x1, y1) in ((0, (200, 80, 400, 200)), (1, (100, 50, 100, 50))):
            if not page.locator(".av-place").nth(index).count():
                continue
            line = page.locator(".av-place").nth(index).locator(".av-line")
            x, y, wide, high = line.evaluate("p => { const b = p.getBBox(); return [b.x, b.y, b.width, b.height]; }")
            expected = [left + (x0 + x1) / 2 / image["width"] * width, top + (y0 + y1) / 2 / image["height"] * height]
            assert np.abs(np.subtract([x + wide / 2, y + high / 2], expected)).max() <= 0.5
            if index == 0:
                assert abs(wide - (x1 - x0) / image["width"] * width) <= 0.5
    page.get_by_role("button", name="show the whole picture").click()
    assert np.array_equal(tools.canvas_pixels(page, ".av-overlay"), before), "the map itself is not touched"
    without_controls(page)
    drawn = screenshot(page, ".av-clip")
    page.get_by_role("button", name="places", exact=True).click()
    expect(places).to_have_count(0)
    bare = screenshot(page, ".av-clip")
    changed = np.abs(drawn - bare).max(-1) > 24
    assert 0.002 < changed.mean() < 0.06, "thin lines: the map is seen"
    page.get_by_role("button", name="places", exact=True).click()
    expect(places).to_have_count(2)


def test_what_a_place_is_called_is_shown_as_typed(open_page, tools):
    page = open_page("hostile", layer=1, head=2)
    label = page.locator(".av-place text")
    assert label.text_content() == f"{LABEL[:31]}…"
    assert page.evaluate("window.broken") is None
    clip, box = page.locator(".av-clip").bounding_box(), label.bounding_box()
    assert box["x"] >= clip["x"] - 4 and box["x"] + box["width"] <= clip["x"] + clip["width"] + 4


def test_places_of_another_picture_are_not_drawn(open_page, runs, tools):
    info = runs["two"].info
    info["points"] = [
        {"x": 50, "y": 60, "label": "first", "image": 0},
        {"x": 20, "y": 30, "label": "second", "image": 1},
    ]
    try:
        page = open_page("two", layer=2, head=1)
        expect(page.locator(".av-place text")).to_have_text(["first"])
        tools.select(page, grid=1)
        expect(page.locator(".av-place text")).to_have_text(["second"])
    finally:
        del info["points"]


def test_places_of_no_picture_are_drawn_on_the_one_that_a_person_chooses(open_page, runs, tools):
    info = runs["two"].info
    why = "the answer does not say which of the 2 pictures it means"
    on = [{"x": 50, "y": 60, "label": "this", "image": 0}, {"x": 20, "y": 30, "label": "that", "image": 1}]
    info["unplaced"] = [{"x": 500, "y": 500, "label": "", "why": why, "on": on}]
    try:
        page = open_page("two", layer=2, head=1)
        note, labels = page.locator(".av-unplaced"), page.locator(".av-place text")
        here = note.get_by_role("button", name="draw here")
        expect(note).to_contain_text("1 place on no picture")
        expect(note).to_have_attribute("title", f"{why[0].upper()}{why[1:]}.")
        expect(labels).to_have_count(0)
        before = laid(page)
        tools.select(page, grid=1)
        here.click()
        expect(labels).to_have_text(["that"])
        expect(note).to_contain_text("1 place drawn here")
        expect(here).to_have_attribute("aria-pressed", "true")
        tools.select(page, grid=0)
        expect(labels).to_have_count(0)
        expect(note).to_contain_text("1 place on no picture")
        assert laid(page) == before, "nothing has moved"
        here.focus()
        page.keyboard.press("Enter")
        expect(labels).to_have_text(["this"])
        page.get_by_role("button", name="places", exact=True).click()
        expect(labels).to_have_count(0)
        here.click()
        expect(labels).to_have_text(["this"])
        here.click()
        expect(labels).to_have_count(0)
    finally:
        del info["unplaced"]


def test_a_place_of_no_known_unit_is_said_and_a_guess_is_dashed(open_page, runs, tools):
    info = runs["named"].info
    info["unplaced"] = [{"x": 5, "y": 5, "label": "", "why": "it is not known what these numbers count", "on": []}]
    info["points"][0]["ambiguous"] = "0 to 1 assumed"
    try:
        page = open_page("named", layer=1, head=2)
        expect(page.locator(".av-unplaced")).to_contain_text("1 place on no picture")
        expect(page.locator(".av-unplaced button:visible")).to_have_count(0)
        guess = page.locator(".av-guess")
        expect(guess.locator("text")).to_have_text("<b>here</b> (0 to 1 assumed)")
        dashes = guess.locator(".av-line").evaluate("line => getComputedStyle(line).strokeDasharray")
        assert dashes != "none"
    finally:
        del info["unplaced"], info["points"][0]["ambiguous"]


# Several pictures


def test_several_pictures_have_a_chip_each_with_its_share(open_page, runs, tools):
    run = runs["two"]
    page = open_page("two", layer=2, head=1)
    chips = page.locator(".av-picture-chip")
    expect(chips).to_have_count(2)
    row = run.reduced_row(2, 1, int(page.locator(".av-root").get_attribute("data-query")))
    for grid in (0, 1):
        text = chips.nth(grid).inner_text()
        assert f"image {grid + 1}" in text
        share = 100 * row[cells_of(run, grid)].sum()
        assert np.isclose(number(text.split(f"image {grid + 1}")[1]), share, rtol=0.06)
        page.wait_for_function(
            "i => document.querySelectorAll('.av-thumb img')[i].classList.contains('av-there')", arg=grid
        )
    zoom_to(page, 3)
    chips.nth(1).click()
    tools.wait(page, grid=1)
    expect(chips.nth(1)).to_be_focused()
    expect(chips.nth(1)).to_have_attribute("aria-pressed", "true")
    assert state(page, "zoom.scale") == 1, "another picture is seen whole"
    assert np.array_equal(tools.shown(page).cells, row[cells_of(run, 1)])
    box = page.locator(".av-frame").bounding_box()
    assert abs(box["width"] / box["height"] - 0.5) < 0.01
    tools.select(page, grid=0)
    assert page.locator(".av-picture").get_attribute("src").endswith("/preview/0")
    page.get_by_role("button", name="is read by").click()
    tools.wait(page, direction="read by")
    expect(page.locator(".av-share").first).to_be_empty()  # shares of many rows have no sum


def test_frames_say_their_time_and_keep_the_zoom(open_page, tools):
    page = open_page("frames", layer=1, head=2)
    chips = page.locator(".av-picture-chip")
    assert [text.split("\n")[0] for text in chips.all_inner_texts()] == ["0 s", "0.5 s"]
    assert [chip.get_attribute("title") for chip in chips.all()] == ["frame 1 · 0 s", "frame 2 · 0.5 s"]
    zoom_to(page, 4, 0.2, 0.8)
    before = laid(page)
    chips.nth(1).click()
    tools.wait(page, grid=1)
    assert laid(page) == before, "a place can be followed through the frames"


def test_tiles_and_thumbnails_are_named_and_cut_out(open_page, tools):
    page = open_page("tiles", layer=1, head=2)
    chips = page.locator(".av-picture-chip")
    assert [text.split("\n")[0] for text in chips.all_inner_texts()] == ["tile", "thumbnail"]
    sizes = [page.locator(".av-thumb").nth(i).bounding_box() for i in (0, 1)]
    assert sizes[0]["width"] / sizes[0]["height"] == pytest.approx(480 / 280, rel=0.05)
    assert sizes[1]["width"] / sizes[1]["height"] == pytest.approx(480 / 320, rel=0.05)


def test_on_a_phone_the_strip_scrolls_by_itself(open_page, tools):
    page = open_page("many", size=tools.NARROW)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    strip = page.locator(".av-chips")
    assert strip.evaluate("strip => strip.scrollWidth > strip.clientWidth + 100")
    before = page.evaluate("window.scrollY")
    tools.select(page, grid=7)
    chip, box = page.locator(".av-picture-chip").nth(7).bounding_box(), strip.bounding_box()
    assert chip["x"] >= box["x"] - 1 and chip["x"] + chip["width"] <= box["x"] + box["width"] + 1
    assert page.evaluate("window.scrollY") == before


def test_the_focus_and_the_canvas_have_names(open_page, tools):
    page = open_page("painted", layer=1, head=2)
    canvas = page.get_by_role("application", name=re.compile("Attention on the picture"))
    expect(canvas).to_have_attribute("aria-roledescription", "heat map")
    look(page, beside=True)
    expect(page.get_by_role("application", name=re.compile("Attention without the picture"))).to_be_visible()
    expect(page.get_by_role("application", name=re.compile("Picture without the map"))).to_be_visible()
    expect(page.get_by_role("img", name="image 1 of this run")).to_be_visible()

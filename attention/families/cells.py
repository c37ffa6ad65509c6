"""Cells of grids in the order in which a sequence has them: row by row, tile by tile, with or without ends of rows.

Knows no model and no processor.
"""

from __future__ import annotations

from collections.abc import Iterable

from attention.errors import UnsupportedModel
from attention.runs.tokens import Grid

Cell = tuple[int, int, int]  # grid, row, col


def cells_of(grids: Iterable[tuple[int, Grid]]) -> list[Cell]:
    """The cells of grids (index, grid) one after the other, each row by row."""
    return [(index, row, col) for index, grid in grids for row in range(grid.rows) for col in range(grid.cols)]


def lines(index: int, grid: Grid) -> list[Cell | None]:
    """The cells of a grid row by row, each row with a newline after it."""
    return [cell for row in range(grid.rows) for cell in [*((index, row, col) for col in range(grid.cols)), None]]


def tile_cells(index: int, tiles: tuple[int, int], cells: tuple[int, int]) -> list[list[Cell]]:
    """The cells of one grid that was read as (rows, cols) tiles of (rows, cols) cells: a list for each tile.

    Tiles are row by row, and so are the cells of each.
    """
    (down, across), (rows, cols) = tiles, cells
    return [
        [(index, top * rows + row, left * cols + col) for row in range(rows) for col in range(cols)]
        for top in range(down)
        for left in range(across)
    ]


def tile_edges(tiles: int, side: float, cells: int, cell: float, scale: float) -> list[float]:
    """Edges of the rows (or columns) of cells of neighbouring tiles on the picture.

    Each tile has `side` pixels and so many cells of `cell` pixels; cells tile the picture, so what a tile leaves unread
    belongs to its last cell. `scale` is from a tile's pixels to the picture's.
    """
    begin = [tile * side + index * cell for tile in range(tiles) for index in range(cells)]
    return [edge * scale for edge in (*begin, begin[-1] + cell)]


def convolved_edges(side: int, convolutions: Iterable[tuple[int, int, int]], scale: float) -> list[float]:
    """Edges of the cells that convolutions (kernel, stride, padding), one after the other, make of `side` pixels.

    A cell lies around the middle of the pixels that reach it, so an edge is half way between two middles; the first
    cell begins and the last one ends with the picture. `scale` is from these pixels to the picture's.
    """
    cells, step, first = side, 1, 0.5  # the middle of the first cell, and how far it is to the next
    for kernel, stride, padding in convolutions:
        cells = (cells + 2 * padding - kernel) // stride + 1
        first += step * ((kernel - 1) / 2 - padding)
        step *= stride
    return [0.0, *((first + step * (cell - 0.5)) * scale for cell in range(1, cells)), side * scale]


def placed(ids: list[int], image_token_id: int, cells: list[Cell | None]) -> list[Cell | None]:
    """One cell or None per token: the k-th image token has the k-th of `cells`.

    Raises UnsupportedModel where either is left over: then none of them has a sure place.
    """
    n_tokens = ids.count(image_token_id)
    if n_tokens != len(cells):
        raise UnsupportedModel(
            f"The processor of this model writes {n_tokens:,} image tokens for pictures that it cuts into "
            f"{len(cells):,} cells, so its settings (preprocessor_config.json, processor_config.json) contradict each "
            "other or config.json. Take these files from the model's own repository."
        )
    order = iter(cells)
    return [next(order) if token == image_token_id else None for token in ids]


def image_roles(roles: list[str], cells: list[Cell | None]) -> list[str]:
    """The same roles, with `image` for every token that stands for a cell."""
    return [role if cell is None else "image" for role, cell in zip(roles, cells, strict=True)]

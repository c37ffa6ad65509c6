"""Names of what scores hold: rows that are measured, measures, and how an answer's place meets an item's."""

ROWS = {
    "first": "the row that predicts the answer's first token",
    "place": "the row that predicts the first digit of the place that the answer names",
    "answer": "the mean of the rows that predict the answer's tokens",
}
SHARE, PEAK, TOUCH = "region_share", "region_peak", "region_touch"
MEASURES = (SHARE, "region_lift", PEAK, TOUCH, "region_rank", "region_iou", "region_mass")
BY = (SHARE, PEAK, TOUCH)  # measures by which heads may be found: those that are known at another item's place too
RATES = (PEAK, TOUCH)  # of values that are 0 or 1
TESTED = (SHARE, PEAK)  # between models
OUTCOMES = ("hit", "miss", "nothing", "uncertain")

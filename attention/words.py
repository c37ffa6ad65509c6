"""Sentences that are said in more than one place: on the page, in a terminal, by a route.

Knows nothing of who says them.
"""

GONE = "This run is not here any more: it has expired, or its ticket is wrong. Run it again."

NEEDS_KEY = "Open the link that the app printed, once, in this browser: it has the key."

# What a job is doing, in the order of `runs.partial.PHASES`: in a terminal, and on the page.
PHASE_WORDS = {
    "queue": ("waiting", "Waiting for its turn"),
    "model": ("loading the model", "Loading the model"),
    "inputs": ("reading the inputs", "Preparing the picture"),
    "answer": ("answering", "Writing the answer: token {done} of at most {total}"),
    "capture": ("capturing", "Capturing: layer {done} of {total}"),
    "write": ("writing", "Writing the run"),
    "compare": ("comparing", "Comparing: layer {done} of {total}"),
}

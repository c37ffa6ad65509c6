"""Costs of the first screen: bytes of modules and style sheets, and the time to the first painted picture.

    python tests/bench/page.py [--markdown] [--repeats 9]

The app as `python app.py` starts it, with the bundled model, in a real Chromium with an empty cache. The time is from
the mounting of the viewer to its first picture with a map and all that belongs to it. Goals: 250 kB compressed, 1.5 s.
Prints medians; asserts nothing.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
from pathlib import Path

from viewer import SIZE, chromium, machine  # isort: skip

import app
from attention.viewer_files import bundle, file_text, styles
from attention.visitors.store import RunCache

GOAL_KB, GOAL_MS = 250, 1500
WATCH = """
  new MutationObserver((_, watcher) => {
    const root = document.querySelector('.av-root');
    if (root && !window.mounted) window.mounted = performance.now();
    if (root?.dataset.state === 'ready' && !window.painted) {
      requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); }));
      watcher.disconnect();
    }
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-state'] });
"""


def compressed(text: str) -> int:
    return len(gzip.compress(text.encode(), 6))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    whole, names = bundle()
    sheets = compressed(styles()) + compressed(file_text("ask.css"))
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        service = app.new_service(RunCache(Path(folder), library=True), is_hosted=False, model="pocket")
        demo = app.launch(service, quiet=True)
        service.wait_until_loaded()
        times = []
        for _ in range(options.repeats):
            context = browser.new_context(viewport=SIZE)
            page = context.new_page()
            page.add_init_script(WATCH)
            page.goto(demo.local_url)
            page.wait_for_function("window.painted > 0", timeout=60_000)
            times.append(page.evaluate("window.painted - window.mounted"))
            context.close()
        where = machine(browser)
        demo.close()
        service.close()
    modules = compressed(whole)
    rows = [
        (f"{len(names)} modules as one, compressed", f"{modules / 1000:.0f} kB", ""),
        ("style sheets, compressed", f"{sheets / 1000:.0f} kB", ""),
        ("both", f"{(modules + sheets) / 1000:.0f} kB", f"<= {GOAL_KB} kB"),
        ("from mounted to painted, median", f"{statistics.median(times):.0f} ms", f"<= {GOAL_MS} ms"),
        ("from mounted to painted, most", f"{max(times):.0f} ms", ""),
    ]
    if options.markdown:
        rows = [("what", "figure", "goal"), ("---",) * 3, *rows]
    for row in rows:
        print(f"| {' | '.join(row)} |" if options.markdown else f"{row[0]:<40}{row[1]:>10}  {row[2]}")
    print(where)


if __name__ == "__main__":
    main()

"""A bare page for the viewer's components, without Gradio: it opens in a tenth of the time.

A component brings its template, its style sheet and the script that mounts it; the page runs that script as Gradio's
HTML component does, below the style sheets that Gradio brings. Its address says what is shown
(?ticket=...&layer=...), buttons show something else, and what the component tells stands in #selected. That components
behave alike on a page of Gradio is tested in test_in_gradio.py.

A test that needs no page that has just been loaded gets one on which another component stood before: `leave` takes that
away, as Gradio does, and `enter` makes another with modules that are there. A page on which a test has left anything
else is not used again.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

import gradio as gr
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from attention.serving.routes import routes

KEPT = {"cache-control": "max-age=3600"}  # by the browser: it is the same for every test
FRONTEND = Path(gr.__file__).parent / "templates" / "frontend"
PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>viewer</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/gradio.css">
<style>
html { margin: 0; padding: 0; min-height: 100%; }
body { margin: 0; background: var(--body-background-fill); }
main { display: flow-root; padding: 16px 44px; font: 14px/1.4 var(--font); color: var(--body-text-color); }
main > nav { height: 42px; margin-bottom: 24px; }
main > nav > button { border: 1px solid var(--border-color-primary); padding: 8px 16px; }
#viewer { $styles }
</style>
</head>
<body><div class="gradio-container gradio-container-$version"><main>
<nav><button>open nothing</button> <button>open two</button></nav>
<div id="viewer">$template</div>
<pre id="selected" style="min-height: 60px"></pre>
</main></div>
<script>
  window.gradio_config = { root: '' };
  const [nothing, two] = document.querySelectorAll('nav button');
  const written = document.getElementById('selected');
  let component = document.getElementById('viewer');
  const untouched = component.cloneNode(true);

  /** Show what an address asks for, in a component without a past. */
  function enter(search) {
    const asked = new URLSearchParams(search);
    document.body.classList.toggle('dark', asked.get('__theme') === 'dark');
    const listeners = [];
    const props = new Proxy({ value: null }, {
      set(held, name, value) {
        held[name] = value;
        queueMicrotask(() => listeners.forEach(([watched, listener]) => watched === name && listener()));
        return true;
      },
    });
    const show = (ticket, view = {}) => { props.value = ticket && { id: ticket, ticket, kind: $kind, view }; };
    nothing.onclick = () => show(null);
    two.onclick = () => show('two');
    function watch(name, listener) {
      listeners.push([name, listener]);
      // as from a server: a while after the component stands
      if (name === 'value' && asked.has('ticket')) setTimeout(() => show(asked.get('ticket'), viewOf(asked)));
    }
    function trigger(name, data) {
      written.textContent = JSON.stringify(data, null, 2);
    }
    // what is hidden until it is asked for is open here, unless a test is about that
    if (!asked.has('closed')) localStorage.setItem('attention-open', 'look tokens');
    // Chromium keeps functions by their text, with the address that their imports begin at: that of another host
    const text = `$${$script} // $${location.origin}`;
    new Function('element', 'props', 'watch', 'trigger', 'upload', text)(component, props, watch, trigger);
  }
  function viewOf(asked) {
    const names = ['layer', 'head', 'query', 'adapter'].filter((name) => asked.has(name));
    return Object.fromEntries(names.map((name) => [name, asked.get(name)])
      .map(([name, said]) => [name, /^[0-9]+$$/.test(said) ? Number(said) : said]));
  }

  /** Elements and names outside the component, of which a test may have left some. */
  function surroundings() {
    const elements = [document.documentElement, document.body].flatMap((each) => [...each.attributes])
      .filter(({ name }) => name !== 'class').map(({ name, value }) => name + value);
    return [elements, document.querySelectorAll('*').length - component.querySelectorAll('*').length,
      Object.getOwnPropertyNames(window).sort(), Object.getOwnPropertyNames(navigator)].join();
  }
  /** Take the component away. True where the page is then as one that shows nothing yet. */
  async function leave() {
    const isClean = surroundings() === before;
    component.remove();
    // sizes are observed from frame to frame, and by them a component hears that it has gone
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    component = untouched.cloneNode(true);
    written.before(component);
    written.textContent = '';
    scrollTo(0, 0);
    sessionStorage.clear();
    localStorage.clear();
    history.replaceState(null, '', '/');
    return isClean;
  }
  function enterAnew(search) {
    history.replaceState(null, '', search);
    enter(search);
  }
  const before = surroundings();
  // with its fonts: texts keep their widths from the beginning
  const fonts = ['400 14px "Source Sans Pro"', '700 14px "Source Sans Pro"', '400 14px "IBM Plex Mono"'];
  Promise.all(fonts.map((font) => document.fonts.load(font))).then(() => enter(location.search));
</script></body></html>""")


def page_of(component) -> str:
    """The page that shows a component, as text."""
    return PAGE.substitute(
        styles=component.css_template,
        template=component.html_template,
        version=gr.__version__.replace(".", "-"),
        kind=json.dumps(component.KIND),
        script=json.dumps(component.js_on_load).replace("</", "<\\/"),
    )


def style_sheet() -> str:
    """The style sheets that Gradio brings with every page: what it resets, and its theme."""
    (reset,) = FRONTEND.glob("assets/index-*.css")
    return reset.read_text(encoding="utf-8") + gr.themes.Default()._get_theme_css()


@contextmanager
def hosted(component, find) -> Iterator[str]:
    """The address of a page that shows what `find` has for a ticket."""
    page, styles = page_of(component), style_sheet()
    app = Starlette(
        routes=[
            Route("/", lambda _: HTMLResponse(page)),
            Route("/gradio.css", lambda _: Response(styles, headers=KEPT, media_type="text/css")),
            Mount("/static", StaticFiles(directory=FRONTEND / "static")),
            *routes(find),
        ]
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        serving = threading.Thread(target=server.run, args=([listening],), daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        server.should_exit = True
        serving.join(20)

"""Our own pages as HTML: their forms, and no text that becomes an element or a template's sign."""

import re

from attention.markdown_html import as_html, slug
from attention.viewer_files import HOW_TO_READ, how_to_read, template


def test_every_form_has_its_element():
    text = (
        "# A\n\n## B c\none `x<y` **two `z`** *three*\nfour\n\n* a\n* b\n  c\n\n| h | i |\n| --- | --- |\n"
        "| 1 | [w](../x.md) |\n\n```bash\na  b\n\nc\n```\n\n[v](https://a.b)"
    )
    assert as_html(text).split("\n", 3)[:2] == ['<h2 data-about="a">A</h2>', '<h3 data-about="b-c">B c</h3>']
    found = as_html(text)
    for part in (
        "<p>one <code>x&lt;y</code> <strong>two <code>z</code></strong> <em>three</em>\nfour</p>",
        "<ul><li>a\n</li><li>b\n  c</li></ul>",
        "<table><thead><tr><th>h</th><th>i</th></tr></thead><tbody><tr><td>1</td><td>w</td></tr></tbody></table>",
        "<pre>a  b\n\nc</pre>", '<a href="https://a.b" target="_blank" rel="noopener">v</a>',
    ):  # fmt: skip
        assert part in found


def test_no_text_becomes_an_element_or_a_sign_of_a_template():
    found = as_html("<img src=x> ${a} {{b}} `<b>${c}` [x](javascript:alert)")
    assert "<img" not in found and "<b>" not in found and "href" not in found and not re.search(r"[{}$]", found)


def test_how_to_read_is_the_one_page_and_names_every_reading():
    text, found = HOW_TO_READ.read_text(encoding="utf-8"), how_to_read()
    for title in re.findall(r"^## (.+)$", text, re.MULTILINE):
        assert f'data-about="{slug(title)}"' in found
    for about in ("read", "forecast", "relative", "lens", "direct", "tried-without", "painted-over", "agreement"):
        assert f'data-about="{about}"' in found
    assert "**" not in found and "```" not in found and "\n| " not in found
    assert all(found in template(name) for name in ("run.html", "comparison.html"))

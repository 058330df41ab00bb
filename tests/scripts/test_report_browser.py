"""The page of sql/report.sql in headless Chromium: nothing is wider than the window, texts are themselves, dark is dark.

Skipped where there is no chromium (`make check-deps` installs it). The page is shown in frames of several widths within a
page whose script measures them: its own policy forbids scripts.
"""

# ruff: noqa: F811 (fixtures are imported and named as arguments)

import html
import json
import re
import shutil
import struct
import subprocess
import zlib

import pytest
from conftest import PATIENCE
from test_report import ATTACKS, PAIRS, TEXTS, page_path, rows  # noqa: F401
from test_scripts import base, run  # noqa: F401

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="chromium is not installed (make check-deps)")
WIDTHS = (360, 718, 1400)  # a telephone, a sheet of A4 between its margins, a screen
LONG = "nospace" * 40
MEASURE = """
const shown = {};
for (const frame of document.querySelectorAll('iframe')) {
  const page = frame.contentDocument, root = page.documentElement;
  shown[frame.width] = {
    overflow: root.scrollWidth - frame.contentWindow.innerWidth,
    beyond: [...page.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > frame.contentWindow.innerWidth + 1)
      .map(e => e.outerHTML.slice(0, 120)),
    cut: [...page.querySelectorAll('td, th, li, p, h3')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML.slice(0, 120)),
    small: Math.min(...[...page.querySelectorAll('svg text')].filter(e => e.textContent).map(e => e.getBoundingClientRect().height)),
    texts: [...page.querySelectorAll('circle title')].map(e => e.textContent),
    heading: page.querySelector('h1').textContent,
    strange: page.querySelectorAll('script, img, iframe, object, link, [onerror], [onload]').length,
    paper: getComputedStyle(page.body).backgroundColor,
    attacked: window.attacked === undefined ? 0 : 1,
  };
}
const result = document.createElement('pre');
result.textContent = JSON.stringify(shown);
document.body.append(result);
"""


@pytest.fixture
def chromium(tmp_path):
    def start(*arguments):
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run"]
        command = [BROWSER, *flags, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode("utf-8")

    return start


@pytest.fixture
def page(run, base, rows, tmp_path):
    """A page with texts that attack, in rows and in the heading, and long words."""
    base.execute("UPDATE texts SET text = ? WHERE id % 9 = 0", (LONG,))
    run("report", TEXTS, PAIRS, file=str(page_path(tmp_path)), title=ATTACKS[0] + LONG)
    return page_path(tmp_path)


def measured(chromium, page, *flags):
    source = html.escape(page.read_text(encoding="utf-8"))
    frames = "".join(f'<iframe width="{w}" height="900" style="border: 0" srcdoc="{source}"></iframe>' for w in WIDTHS)
    outer = page.with_name("frames.html")
    text = f'<!DOCTYPE html><meta charset="utf-8"><body>{frames}<script>onload = () => {{{MEASURE}}}</script>'
    outer.write_text(text, encoding="utf-8")
    shown = chromium(*flags, "--virtual-time-budget=20000", "--dump-dom", outer.as_uri())
    return json.loads(html.unescape(re.findall(r"<pre>(.*?)</pre>", shown, re.S)[-1]))


def test_in_a_browser(chromium, page):
    shown = measured(chromium, page, "--blink-settings=preferredColorScheme=1")
    assert list(shown) == [str(width) for width in WIDTHS]
    for width, facts in shown.items():
        assert facts["overflow"] <= 0 and facts["beyond"] == [] and facts["cut"] == [], width
        assert facts["small"] >= 9, width
        assert facts["strange"] == 0 and facts["attacked"] == 0
        assert set(facts["texts"]) >= {*ATTACKS, "text 1"}
        assert facts["heading"] == ATTACKS[0] + LONG
        assert facts["paper"] == "rgb(255, 255, 255)"
    dark = measured(chromium, page, "--blink-settings=preferredColorScheme=0")
    assert max(int(n) for n in re.findall(r"\d+", dark["360"]["paper"])) < 60


def pixels(path):
    """(width, height, bytes a pixel, rows) of a PNG of 8 bits a channel, whose filters are undone."""
    data = path.read_bytes()
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    size = {2: 3, 6: 4}[kind]
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and depth == 8
    packed, at = b"", 8
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        packed += data[at + 8 : at + 8 + length] if name == b"IDAT" else b""
        at += 12 + length
    return width, height, size, zlib.decompress(packed)


def test_a_screenshot_is_not_blank(chromium, page, tmp_path):
    """Filtered rows of a blank page are zeros but for the first of each: most rows have something else."""
    chromium("--window-size=1000,1400", f"--screenshot={tmp_path / 'shot.png'}", page.as_uri())
    width, height, size, data = pixels(tmp_path / "shot.png")
    stride = 1 + width * size
    drawn = [any(data[at + 1 + size : at + stride]) for at in range(0, height * stride, stride)]
    assert (width, height) == (1000, 1400) and sum(drawn) > 400


def test_it_prints(chromium, page, tmp_path):
    """On several sheets, dark on white where the screen is dark; that nothing is wider than a sheet is seen above."""
    chromium("--blink-settings=preferredColorScheme=0", "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'page.pdf'}", page.as_uri())
    data = (tmp_path / "page.pdf").read_bytes()
    packed = re.findall(rb"/FlateDecode[^>]*>>\s*stream\r?\n(.*?)\r?\nendstream", data, re.S)
    drawn = b"".join(zlib.decompressobj().decompress(stream) for stream in packed)
    assert data.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", data)) >= 3
    assert b".1098 .1294 .1529 rg" in drawn  # the ink of light pages

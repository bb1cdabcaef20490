"""What people see of the app: HTML for Gradio. Every name in it comes from a folder of photos, and is escaped."""

import base64
import html
import io

import numpy as np
from PIL import Image

from skinlib.serve.exported import Answer, ExportedModel, laid_over, percent

TITLE = "What is a score worth? Try it yourself"
STRENGTH = 70
"""The heat map's share of the picture at first, in percent."""
SHOWN = 10
"""Classes whose probability is shown at once, the likeliest first; the others are folded away. The page has as many."""
CSS = """
.gradio-container { max-width: 58rem !important; margin-inline: auto; }
.gradio-container .html-container { padding: 0; }
#photo .source-selection button { width: 44px; height: 44px; padding: 11px; }
#photo .source-selection { min-height: 46px; }
footer .divider { display: none !important; }
.try { --muted: #555e63; color: var(--body-text-color); font-size: 1rem; line-height: 1.5; }
.dark .try { --muted: #a7b1b5; }
.try p, .try h1, .try h2 { margin: 0 0 0.5rem; color: inherit; overflow-wrap: anywhere; }
.try h1 { font-size: 1.6rem; line-height: 1.2; }
.try h2 { font-size: 1.5rem; line-height: 1.25; color: #0b5f66; scroll-margin-top: 1rem; }
.dark .try h2 { color: #7fd0c9; }
.try .doubt h2 { color: #8a5a00; }
.dark .try .doubt h2 { color: #f2c160; }
.try .notice { background: #fdf4e1; color: #23282b; border-left: 4px solid #8a5a00; border-radius: 0.3rem;
  padding: 0.6rem 0.9rem; margin: 0.8rem 0; }
.dark .try .notice { background: #332813; color: #dfe5e6; border-color: #f2c160; }
.try .error { background: #fbecec; color: #23282b; border-left: 4px solid #a3262a; border-radius: 0.3rem;
  padding: 0.6rem 0.9rem; overflow-wrap: anywhere; }
.dark .try .error { background: #381c1d; color: #dfe5e6; border-color: #f3a3a3; }
.try .columns { display: grid; gap: 1rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); }
.try figure { margin: 0; }
.try .picture { position: relative; display: inline-block; max-width: 100%; line-height: 0; }
.try .picture img { max-width: 100%; max-height: 28rem; min-width: 2rem; border-radius: 0.4rem; margin: 0; }
.try .picture .heat { position: absolute; inset: 0; width: 100%; height: 100%; }
.try .slider { display: flex; align-items: center; gap: 0.8rem; min-height: 44px; }
.try .slider input { flex: 1; min-width: 0; height: 44px; accent-color: #0b7a83; }
.try figcaption, .try .muted { color: var(--muted); font-size: 0.9rem; }
.try table { width: 100%; border: 0 !important; border-collapse: collapse; margin: 0 0 0.8rem; }
.try tr { border: 0 !important; background: none; }
.try caption { text-align: left; color: var(--muted); font-size: 0.95rem; padding: 0 0 0.3rem; }
.try th, .try td { border: 0; padding: 0.2rem 0; font-weight: 400; text-align: left; background: none; }
.try th { width: 100%; overflow-wrap: anywhere; }
.try td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding-left: 1rem;
  vertical-align: top; }
.try caption + tbody tr:first-child th, .try caption + tbody tr:first-child td { font-weight: 600; }
.try .doubt th, .try .doubt td { font-weight: 400 !important; color: var(--muted); }
.try summary { cursor: pointer; min-height: 44px; padding: 0.6rem 0; color: var(--muted); }
.try .bar { display: block; height: 0.5rem; border-radius: 0.25rem; min-width: 1px; margin-top: 0.15rem; }
.try .doubt .bar { opacity: 0.45; }
"""
SCRIPT = """<script>
// As soon as another photo is chosen, or taken away, the answer to the one before goes, whatever becomes of the new.
const begin = () => document.querySelector("#begin")?.click();
// Gradio's page takes nothing that the browser doesn't call a picture. The server looks at what a file holds.
const asPhotos = (files) => {
  const all = new DataTransfer();
  for (const file of files) all.items.add(new File([file], file.name || "photo", { type: "image/jpeg" }));
  return all;
};
const called = (files) => [...files].every((file) => file.type.startsWith("image/"));
addEventListener("change", ({ target }) => {
  if (target.type !== "file" || !target.closest("#photo") || !target.files.length) return;
  begin();
  if (!called(target.files)) target.files = asPhotos(target.files).files;
}, true);
addEventListener("drop", (event) => {
  if (!event.target.closest?.("#photo") || !event.dataTransfer.files.length) return;
  begin();
  if (called(event.dataTransfer.files)) return;
  event.preventDefault();
  event.stopPropagation();
  const options = { bubbles: true, cancelable: true, dataTransfer: asPhotos(event.dataTransfer.files) };
  event.target.dispatchEvent(new DragEvent("drop", options));
}, true);
// On a phone the answer comes below the edge of the screen: it is brought up, and what has to stand beside it with it.
let shown = null;
new MutationObserver(() => {
  const head = document.querySelector("#answer h2, #answer [role=alert]");
  if (head === shown) return;
  shown = head;
  const block = head?.parentElement.getBoundingClientRect();
  if (block && block.top + Math.min(block.height, 320) > innerHeight) head.scrollIntoView();
}).observe(document, { childList: true, subtree: true });
addEventListener("click", ({ target }) => {
  if (target.closest?.("#photo .source-selection, #photo .icon-button-wrapper")) begin();
}, true);
</script>"""
"""What the page does beside what Gradio's does."""


def first_words(model: ExportedModel) -> str:
    """Return what stands above the place for a photo."""
    return f"""<div class="try">
<h1>{TITLE}</h1>
<p>This app runs {html.escape(model.words["runs"], quote=False)}</p>
<p class="notice" role="note">{html.escape(model.labels["notice"], quote=False)}</p>
</div>"""


def last_words(model: ExportedModel) -> str:
    """Return what stands at the end: what the model learned from, how good it was and where, and what it promises."""
    texts = (html.escape(model.words[name], quote=False) for name in ("record", "promise"))
    return f'<div class="try">{"".join(f"""<p class="muted">{text}</p>""" for text in texts)}</div>'


def answer_page(model: ExportedModel, photo: np.ndarray, answer: Answer) -> str:
    """Return the answer as HTML, for people; ``photo`` is uint8 (H, W, 3), RGB."""
    title = html.escape(model.title(answer.condition))
    headline = f"{title}, {_share(answer.probabilities[answer.condition])}"
    if answer.doubt:
        headline = html.escape(model.words[answer.doubt], quote=False)
    heat = answer.heat()
    under, over = (_data_uri(laid_over(photo, heat, strength)) for strength in (0, 1))
    some = heat.max() > 0
    words = (
        f"Orange: where the photo speaks for {title}, by the network's own account. The map is no proof that it looks "
        "at the right thing."
        if some
        else f"No place in this photo speaks for {title}."
    )
    disabled = "" if some else " disabled"
    return f"""<div class="try"><div{' class="doubt"' if answer.doubt else ""}>
<h2>{headline}</h2>
<p class="notice">{html.escape(model.words["caution"], quote=False)}</p>
<div class="columns">
<figure>
<span class="picture"><img src="{under}" alt="Your photo, with a heat map of what speaks for {title}">
<img class="heat" src="{over}" alt="" style="opacity: {STRENGTH / 100}"></span>
<label class="slider">Heat map <input type="range" min="0" max="100" step="5" value="{STRENGTH}"{disabled}
oninput="this.closest('figure').querySelector('.heat').style.opacity = this.value / 100"></label>
<figcaption>{words}</figcaption>
</figure>
<div>
{_tables(model, answer)}
<p class="muted">{_noticed(model, answer)}</p>
</div></div></div></div>"""


def _noticed(model: ExportedModel, answer: Answer) -> str:
    """Return what the distance to the training photos shows: something strange, or nothing at all."""
    limit = f"{model.limit:.2f}"
    if answer.strangeness > model.limit:
        return (
            f"It noticed something: the photo's distance to those it learned from is {answer.strangeness:.2f}, more "
            f"than {limit}. It may be wrong in that, too."
        )
    unnoticed = html.escape(model.words["unnoticed"], quote=False)
    return (
        f"{unnoticed} (Distance to the photos it learned from: {answer.strangeness:.2f}; it speaks up above {limit}.)"
    )


def _tables(model: ExportedModel, answer: Answer) -> str:
    """Return a table with a row for each class, the likeliest first; what is beyond ``SHOWN`` in one that is folded."""
    colours, learned = ({one["key"]: one[what] for one in model.labels["conditions"]} for what in ("colour", "learned"))
    rows = [
        f'<tr><th scope="row">{html.escape(model.title(key))}{"" if learned[key] else ", never learned"}'
        f'<span class="bar" style="width: {100 * p:.1f}%; background: {html.escape(colours[key])}"></span></th>'
        f"<td>{_share(p)}</td></tr>"
        for key, p in sorted(answer.probabilities.items(), key=lambda item: -item[1])
    ]
    caption = "What it would have guessed" if answer.doubt else "How likely it finds each, if it is one of them"
    tables = f"<table><caption>{caption}</caption><tbody>{''.join(rows[:SHOWN])}</tbody></table>"
    if len(rows) > SHOWN:
        folded = f"<table><tbody>{''.join(rows[SHOWN:])}</tbody></table>"
        tables += f"<details><summary>{len(rows) - SHOWN} less likely</summary>{folded}</details>"
    return tables


def _share(probability: float) -> str:
    return f"{percent(probability)}\u00a0%"


def _data_uri(picture: np.ndarray) -> str:
    """Return uint8 (H, W, 3) as an address that holds the picture itself: no file is written for it."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"

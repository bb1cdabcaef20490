// The page that runs the model in the reader's own browser. It fills every <div class="skin-try"> with a place to drop
// a photo, and shows what the model says of it. No photo leaves the page: the model comes to the photo.
//
// What it shows is what skinlib/serve/exported.py answers; the model itself holds everything between pixels and answer,
// and labels.json the names of its classes and the words about it.
// A data-chapter attribute of the div links the words on the heat map to the chapter that explains it.

import { checked, megabytes, NBSP } from "./try-photo.js";

const here = (name) => new URL(name, import.meta.url).href;
const MODEL = "model-16bit.onnx";
const HEAT = [230, 97, 1]; // orange shows on light and on dark photos
const SHOWN = 10; // classes whose probability is shown at once; the others are folded away

/** Whole percent, halves upwards: what people are shown. */
const percent = (p) => Math.floor(100 * p + 0.5);
const share = (p) => `${percent(p)}${NBSP}%`;

/** Return a new element with properties (or attributes, where the browser has no such property) and children. */
function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// ---- from numbers to an answer

/** Return what the model says, as Answer.as_dict() in Python does, from the numbers that the worker computed. */
function judged({ probabilities, strangeness, milliseconds }, labels) {
  const top = Math.max(...probabilities);
  const best = labels.conditions[probabilities.indexOf(top)].key;
  let doubt = null;
  if (strangeness > labels.strangeness_limit) doubt = "strange";
  else if (labels.threshold === null || top < labels.threshold) doubt = "unsure";
  const byKey = (value) => Object.fromEntries(labels.conditions.map(({ key }, i) => [key, value(probabilities[i])]));
  return {
    condition: doubt ? null : best,
    doubt,
    best_guess: best,
    probabilities: byKey((p) => p),
    percent: byKey(percent),
    strangeness,
    milliseconds: Math.round(milliseconds),
  };
}

/** Return the evidence for one class as a canvas with a pixel for each place, the more opaque the stronger; null if none. */
function heatOf(evidence, place, nClasses) {
  const size = evidence.length / nClasses;
  const side = Math.sqrt(size); // the network looks at as many places across as down
  const values = evidence.subarray(place * size, (place + 1) * size);
  const most = Math.max(...values);
  if (!(most > 0)) return null;
  const pixels = new ImageData(side, side);
  values.forEach((value, i) => pixels.data.set([...HEAT, (255 * Math.max(value, 0)) / most], 4 * i));
  const canvas = element("canvas", { width: side, height: side });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

// ---- the page

/** Fill one div with the page. */
async function mount(root) {
  let labels, samples;
  try {
    [labels, samples] = await Promise.all(["labels.json", "samples/samples.json"].map(json));
  } catch {
    const again = element("button", { type: "button", onclick: () => mount(root) }, "Try again");
    root.replaceChildren(element("p", {}, "This part of the page could not be loaded. Is the network there? "), again);
    return;
  }

  let worker; // lives from the first photo on
  let loading; // a promise that the model is there
  let latest = 0; // number of the last photo: an answer to an earlier one is dropped
  let shown = null; // { picture, heat } on the canvas
  const model = { name: MODEL, ...labels.files[MODEL] };

  // -- what is on it

  const chooser = element("input", { type: "file", accept: "image/*" });
  const camera = element("input", { type: "file", accept: "image/*", capture: "environment" });
  const loader = element("button", { type: "button", className: "quiet" }, `Load the model now (${megabytes(model.bytes)})`);
  const there = element("span", { hidden: true }, "The model is loaded. It works without a network now.");
  const drop = element(
    "div",
    { className: "drop" },
    element(
      "p",
      { className: "ways" },
      element("label", { className: "choose" }, chooser, "Choose a photo"),
      element("label", { className: "choose camera" }, camera, "Take a photo"),
    ),
    element("p", { className: "or" }, "or drop one here, or paste one. Your photo stays on this device: nothing is sent."),
    element("p", { className: "load" }, loader, there),
  );

  const thumbnails = element("ul", { className: "samples", "aria-label": "Sample photos", hidden: !samples.length });
  const status = element("p", { className: "status", role: "status", "aria-live": "polite" });
  const caution = element("p", { className: "notice", hidden: true }, labels.words.caution);
  const bar = element("progress", { max: model.bytes, value: 0, "aria-label": "Loading the model" });
  const loaded = element("span");
  const progress = element("p", { className: "loading", hidden: true }, bar, loaded);
  const again = element("button", { type: "button", hidden: true }, "Try again");

  const canvas = element("canvas", { role: "img", "aria-label": "" });
  const slider = element("input", { type: "range", min: 0, max: 100, step: 5, value: 70 });
  const caption = element("figcaption");
  const figure = element("figure", {}, canvas, element("label", { className: "slider" }, "Heat map", slider), caption);
  const listTitle = element("p", { className: "list-title" });
  const list = element("div");
  const noticed = element("p", { className: "time" });
  const time = element("p", { className: "time" });
  const answer = element(
    "div",
    { className: "answer", hidden: true },
    figure,
    element("div", { className: "guesses" }, listTitle, list, noticed, time),
  );

  root.replaceChildren(
    element("p", { className: "notice" }, labels.notice),
    drop,
    element("p", { className: "samples-title", hidden: !samples.length }, "Or one of these drawings:"),
    thumbnails,
    status,
    caution,
    progress,
    again,
    answer,
    element("p", { className: "model" }, labels.words.record),
    element("p", { className: "promise" }, labels.words.promise),
  );

  // -- what it does

  function say(state, text) {
    root.dataset.state = state;
    status.textContent = text;
    progress.hidden = state !== "loading";
    again.hidden = true;
    answer.hidden = caution.hidden = state !== "answered";
    if (state !== "answered") {
      if (text) status.scrollIntoView({ block: "nearest" });
      delete root.dataset.answer;
      shown?.picture.close();
      shown = null;
    }
  }

  /** Start the worker and return a promise that the model is there. It rejects where it could not be had. */
  function ready() {
    loading ??= new Promise((resolve, reject) => {
      loader.hidden = true;
      bar.value = 0;
      loaded.textContent = "";
      worker = new Worker(here("try-worker.js"), { type: "module" });
      worker.onerror = (event) => {
        reject(new Error(event.message ?? "the worker did not start"));
        if (!there.hidden) receive({});
      };
      worker.onmessage = ({ data }) => {
        if (data.ready) resolve();
        else if (data.failed) reject(new Error(data.failed));
        else if (data.loaded) showProgress(data.loaded);
        else if (data.number === latest) receive(data);
        else data.picture?.close();
      };
      worker.postMessage({ model });
    }).then(
      () => {
        there.hidden = false;
      },
      (error) => {
        stop();
        throw error;
      },
    );
    return loading;
  }

  function stop() {
    worker.terminate();
    loading = null;
    loader.hidden = false;
    there.hidden = true;
  }

  function showProgress(bytes) {
    bar.value = bytes;
    const part = `${Math.floor((100 * bytes) / model.bytes)}${NBSP}% of ${megabytes(model.bytes)}`;
    loaded.textContent = bytes < model.bytes ? part : "Unpacking it…";
  }

  /** Show an answer for a file, a File or Blob, called `name`. */
  async function take(file, name) {
    const number = ++latest;
    say("checking", "Opening the photo…");
    const { photo, reason } = await checked(file, labels.limits);
    if (number !== latest) return;
    if (reason) return say("error", `${name} is ${reason}`);
    await withModel(number, () => {
      say("computing", "Looking at the photo…");
      root.dataset.photo = name;
      worker.postMessage({ number, photo });
    });
  }

  /** Do something once the model is there, unless another photo is chosen meanwhile. Offers another try if it fails. */
  async function withModel(number, then) {
    if (there.hidden) say("loading", "Loading the model. It is needed once.");
    try {
      await ready();
      if (number === latest) then();
    } catch (error) {
      if (number !== latest) return;
      console.info(error.message);
      say("error", "The model did not arrive whole. Is the network there?");
      again.hidden = false;
      again.onclick = () => {
        chooser.focus({ preventScroll: true }); // the button goes, and the keyboard must not be left nowhere
        withModel(number, then);
      };
    }
  }

  function receive({ answer: numbers, picture, damaged }) {
    const name = root.dataset.photo;
    if (damaged) return say("error", `${name} looks damaged: choose another, or save it anew.`);
    if (!numbers) {
      stop(); // a runtime that ran out of memory is of no more use
      return say("error", `${name} was too much for this browser: make it smaller, or close other pages.`);
    }
    const result = judged(numbers, labels);
    const best = labels.conditions.findIndex(({ key }) => key === result.best_guess);
    const { title } = labels.conditions[best];
    const sure = `${title}, ${share(result.probabilities[result.best_guess])}`;
    const headline = result.doubt ? labels.words[result.doubt] : sure;

    say("answered", headline);
    root.classList.toggle("doubt", result.doubt !== null);
    shown?.picture.close();
    shown = { picture, heat: heatOf(numbers.evidence, best, labels.conditions.length) };
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.setAttribute("aria-label", `${name}, with a heat map of what speaks for ${title}`);
    slider.disabled = !shown.heat;
    paint();
    caption.replaceChildren(...mapWords(title, shown.heat, root.dataset.chapter));
    listTitle.textContent = result.doubt ? "What it would have guessed" : "How likely it finds each, if it is one of them";
    list.replaceChildren(...bars(result, labels));
    noticed.textContent = noticedWords(result.strangeness, labels);
    time.textContent = `It took ${(result.milliseconds / 1000).toFixed(1)}${NBSP}s on this device.`;
    root.dataset.answer = JSON.stringify({ number: latest, name, ...result });
    if (answer.getBoundingClientRect().bottom > innerHeight || status.getBoundingClientRect().top < 0) {
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      status.scrollIntoView({ behavior: still ? "instant" : "smooth" });
    }
  }

  function paint() {
    if (!shown) return;
    const context = canvas.getContext("2d");
    context.globalAlpha = 1;
    context.drawImage(shown.picture, 0, 0);
    if (!shown.heat) return;
    context.globalAlpha = slider.value / 100;
    context.drawImage(shown.heat, 0, 0, canvas.width, canvas.height); // enlarged bilinearly
  }

  /** Take the photo among files that were chosen, dropped or pasted. */
  function takeFrom(files) {
    if (files.length) take(files[0], files[0].name || "The photo");
  }

  for (const input of [chooser, camera]) {
    input.onchange = () => {
      takeFrom(input.files);
      input.value = ""; // else the same file a second time is no change
    };
  }
  loader.onclick = () => {
    chooser.focus({ preventScroll: true });
    const number = ++latest;
    withModel(number, () => say("empty", "The model is loaded. Choose a photo."));
  };
  slider.oninput = paint;

  // Files count anywhere on the page: a photo that misses the zone must not replace the page.
  const isOurs = (event) => drop.contains(event.target) || event.dataTransfer.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) return takeFrom(event.dataTransfer.files);
    latest += 1;
    say("error", "That was no file: save the photo first, then choose it here.");
  });
  addEventListener("paste", (event) => takeFrom(event.clipboardData.files));

  say("empty", "");
  thumbnails.append(...(await Promise.all(samples.map(({ file, title }) => thumbnail(file, title, take)))));
  root.dataset.ready = "true";
}

/** Return a list item with a button that takes a sample photo; it is kept in memory, for use without a network. */
async function thumbnail(file, title, take) {
  const image = new Image();
  const item = element("li");
  try {
    const blob = await (await fetch(here(`samples/${file}`))).blob();
    Object.assign(image, { src: URL.createObjectURL(blob), alt: title });
    await image.decode();
    const name = element("span", { "aria-hidden": "true" }, title.replace(/, drawn$/, ""));
    item.append(element("button", { type: "button", onclick: () => take(blob, title) }, image, name));
  } catch {
    item.hidden = true; // the page does without it
  }
  URL.revokeObjectURL(image.src);
  return item;
}

/** Return a list with an item for each class, the likeliest first; what is beyond SHOWN in one that is folded. */
function bars(result, labels) {
  const order = [...labels.conditions].sort((a, b) => result.probabilities[b.key] - result.probabilities[a.key]);
  const items = order.map(({ key, title, colour, learned }) => {
    const length = element("span", { className: "length" });
    length.style.inlineSize = `${100 * result.probabilities[key]}%`;
    length.style.backgroundColor = colour;
    return element(
      "li",
      {},
      element("span", { className: "name" }, learned ? title : `${title}, never learned`),
      " ",
      element("span", { className: "share" }, share(result.probabilities[key])),
      element("span", { className: "track", "aria-hidden": "true" }, length),
    );
  });
  const first = element("ol", { className: "bars" }, ...items.slice(0, SHOWN));
  if (items.length <= SHOWN) return [first];
  const others = element("ol", { className: "bars", start: SHOWN + 1 }, ...items.slice(SHOWN));
  return [first, element("details", {}, element("summary", {}, `${items.length - SHOWN} less likely`), others)];
}

/** Say what the distance to the training photos shows: something strange, or nothing at all. */
function noticedWords(strangeness, labels) {
  const limit = labels.strangeness_limit;
  const [at, above] = [strangeness.toFixed(2), limit.toFixed(2)];
  if (strangeness > limit) {
    return (
      `It noticed something: the photo's distance to those it learned from is ${at}, more than ${above}. `
      + "It may be wrong in that, too."
    );
  }
  return `${labels.words.unnoticed} (Distance to the photos it learned from: ${at}; it speaks up above ${above}.)`;
}

function mapWords(title, heat, chapter) {
  if (!heat) return [`No place in this photo speaks for ${title}.`];
  const link = chapter ? element("a", { href: chapter }, "no proof") : "no proof";
  return [
    `Orange: where the photo speaks for ${title}, by the network's own account. The map is `,
    link,
    " that it looks at the right thing.",
  ];
}

async function json(name) {
  const reply = await fetch(here(name), { cache: "no-cache" });
  if (!reply.ok) throw new Error(`${reply.status} for ${name}`);
  return reply.json();
}

const style = element("link", { rel: "stylesheet", href: here("try.css") });
const styled = new Promise((resolve) => (style.onload = style.onerror = resolve));
document.head.append(style);
await styled;
document.querySelectorAll(".skin-try").forEach(mount);

// The heavy half of try.js, in a worker of its own so that the page stays awake: it fetches the model, decodes a photo
// to the pixels that Python would read, and runs the network.

import * as ort from "./ort/ort.wasm.bundle.min.mjs";

const here = (name) => new URL(name, import.meta.url).href;
const STORE = "skin-try";
const LONGEST = 640; // of the picture that the page shows, in pixels
const STRIP = 512; // rows copied at a time: a whole large photo would need a second copy, and phones limit a canvas

let session; // a promise of ONNX Runtime's session
let newest = 0; // number of the last photo asked for
let queue = Promise.resolve(); // one photo after the other

onmessage = ({ data }) => {
  if (data.model) {
    session = load(data.model);
    session.then(
      () => postMessage({ ready: true }),
      (error) => postMessage({ failed: String(error) }),
    );
  } else {
    newest = data.number;
    queue = queue.then(() => ask(data));
  }
};

// ---- the model

/** Return a session of the model; `model` has the name, bytes and sha256 that labels.json gives. */
async function load(model) {
  const [runtime, network] = await Promise.all([fetchRuntime(), keptModel(model)]);
  ort.env.wasm.numThreads = 1; // more need headers that static hosts do not send
  ort.env.wasm.wasmBinary = runtime;
  ort.env.logLevel = "error";
  return ort.InferenceSession.create(network, { executionProviders: ["wasm"] });
}

async function fetchRuntime() {
  const bytes = new Uint8Array(await (await fetched(here("ort/ort-wasm-simd-threaded.wasm.gz"))).arrayBuffer());
  // Some servers call a .gz an encoding, and then the browser has unpacked it already.
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.buffer;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** Return the model's bytes: from the browser's store if an earlier visit left it there, else from the server. */
async function keptModel(model) {
  const address = here(`${model.name}?sha256=${model.sha256}`);
  // Browsers give a store to pages that come by https or from this machine, and not in every private window.
  const store = await self.caches?.open(STORE).catch(() => null);
  const kept = await store?.match(address).catch(() => null);
  if (kept) {
    const bytes = new Uint8Array(await kept.arrayBuffer());
    if (await isWhole(bytes, model)) {
      postMessage({ loaded: bytes.length });
      return bytes;
    }
  }
  const bytes = await download(address, model.bytes);
  if (!(await isWhole(bytes, model))) throw new Error("the model arrived damaged");
  try {
    for (const old of await store.keys()) await store.delete(old);
    await store.put(address, new Response(bytes));
  } catch {
    // No store, or no room: the next visit downloads it again.
  }
  return bytes;
}

async function download(address, length) {
  const bytes = new Uint8Array(length);
  const reader = (await fetched(address)).body.getReader();
  let loaded = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (loaded + part.value.length > length) throw new Error("the model is longer than it should be");
    bytes.set(part.value, loaded);
    loaded += part.value.length;
    postMessage({ loaded });
  }
  if (loaded < length) throw new Error("the model was cut short");
  return bytes;
}

async function isWhole(bytes, model) {
  if (bytes.length !== model.bytes) return false;
  if (!self.crypto?.subtle) return true; // pages that come by plain http have no hashing
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === model.sha256;
}

async function fetched(address) {
  const reply = await fetch(address);
  if (!reply.ok) throw new Error(`${reply.status} for ${address}`);
  return reply;
}

// ---- one photo

async function ask({ number, photo: file }) {
  if (number !== newest) return; // another photo was chosen meanwhile
  const start = performance.now();
  let bitmap;
  try {
    // Pillow, too, turns a photo upright, and leaves colour profiles and transparent pixels as they are.
    const options = { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" };
    bitmap = await createImageBitmap(file, options);
  } catch {
    return postMessage({ number, damaged: true });
  }
  try {
    const photo = new ort.Tensor("uint8", pixels(bitmap), [bitmap.height, bitmap.width, 3]);
    const picture = small(bitmap);
    const { probabilities, strangeness, evidence } = await (await session).run({ photo });
    const answer = {
      probabilities: Array.from(probabilities.data),
      strangeness: strangeness.data[0],
      evidence: evidence.data, // a map for each class, one after the other
      milliseconds: performance.now() - start,
    };
    postMessage({ number, answer, picture }, [picture]);
  } catch (error) {
    postMessage({ number, broken: String(error) });
  } finally {
    bitmap.close();
  }
}

/** Return a bitmap's pixels over white, as a Uint8Array of height × width × 3: red, green, blue. */
function pixels(bitmap) {
  const { width, height } = bitmap;
  const context = sheet(width, Math.min(height, STRIP));
  const rgb = new Uint8Array(width * height * 3);
  let at = 0;
  for (let top = 0; top < height; top += STRIP) {
    const rows = Math.min(STRIP, height - top);
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const { data } = context.getImageData(0, 0, width, rows);
    for (let i = 0; i < data.length; i += 4) {
      rgb[at++] = data[i];
      rgb[at++] = data[i + 1];
      rgb[at++] = data[i + 2];
    }
  }
  return rgb;
}

/** Return a copy of a bitmap to show, over white. */
function small(bitmap) {
  const shrink = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const size = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * shrink)));
  const context = sheet(...size);
  context.imageSmoothingQuality = "high";
  context.fillRect(0, 0, ...size);
  context.drawImage(bitmap, 0, 0, ...size);
  return context.canvas.transferToImageBitmap();
}

/** Return the context of a new canvas, to be filled with white; it stays in main memory, where pixels are exact. */
function sheet(width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  return context;
}

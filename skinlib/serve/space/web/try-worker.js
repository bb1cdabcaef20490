// The heavy half of try.js, in a worker of its own so that the page stays awake: it fetches the model, decodes a photo
// to the pixels that Python would read, and runs the network.

import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { decoded, pixels, small, uprightSize } from "./try-decode.js";

const here = (name) => new URL(name, import.meta.url).href;
const STORE = "skin-try";
const LONGEST = 640; // of the picture that the page shows, in pixels

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
  let opened;
  try {
    opened = await decoded(file);
  } catch {
    return postMessage({ number, damaged: true });
  }
  try {
    const [width, height] = uprightSize(opened);
    const photo = new ort.Tensor("uint8", pixels(opened), [height, width, 3]);
    const picture = small(opened, LONGEST);
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
    opened.bitmap.close();
  }
}

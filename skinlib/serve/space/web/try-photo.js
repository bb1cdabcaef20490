// Is it a photo that the page can read? Told from a file's first bytes, before anything is decoded.

import { whatItIs } from "./try-kinds.js";

export const NBSP = "\u00a0";
export const megabytes = (bytes) => `${Math.round(bytes / 1e6)}${NBSP}MB`;

const LEAST_SIDE = 16; // pixels, as in skinlib/data/reading.py
const LONGEST_SIDE = 65_535; // as there

/** Return the sides that a file's header claims, or [0, 0]. Browsers give no size for pictures too large for them. */
function claimedSides(kind, bytes) {
  const view = new DataView(bytes.buffer);
  try {
    if (kind === "png") return [view.getUint32(16), view.getUint32(20)];
    if (kind === "gif") return [view.getUint16(6, true), view.getUint16(8, true)];
    if (kind === "bmp") return [18, 22].map((at) => Math.abs(view.getInt32(at, true)));
    if (kind !== "jpeg") return [0, 0];
    for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
      const marker = view.getUint8(at + 1);
      const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
      if (frame) return [view.getUint16(at + 5), view.getUint16(at + 7)];
    }
  } catch {
    // The header ends too soon: damaged, which the caller finds out.
  }
  return [0, 0];
}

/** Return the sides of a photo that the browser can open, without decoding it, or [0, 0]. */
async function shownSides(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  await new Promise((resolve) => (image.onload = image.onerror = resolve));
  URL.revokeObjectURL(image.src);
  return [image.naturalWidth, image.naturalHeight];
}

/** Count the scans of a JPEG, as skinlib/data/reading.py does: each passes over all pixels, and a few bytes make one more. */
function scansIn(bytes) {
  let count = 0;
  for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const components = bytes[at + 4];
    const begins = bytes[at + 1] === 0xda && bytes[at + 2] === 0 && bytes[at + 3] === 6 + 2 * components;
    if (begins && components >= 1 && components <= 4) count += 1;
  }
  return count;
}

/** Return { photo }, a Blob whose type is what it holds, or { reason }, the end of a sentence that begins with its name. */
export async function checked(file, limits) {
  if (!file.size) return { reason: "an empty file: choose another." };
  if (file.size > limits.bytes) {
    return { reason: `too large, more than ${megabytes(limits.bytes)}: save it smaller, as JPEG.` };
  }
  let head;
  try {
    head = new Uint8Array(await file.slice(0, 1 << 18).arrayBuffer());
  } catch {
    return { reason: "not a file that can be opened: choose a photo." }; // a folder, or a file that has gone
  }
  const { kind, reason } = whatItIs(head);
  if (!kind) return { reason };
  const photo = file.slice(0, file.size, `image/${kind}`); // whatever its name says
  const [width, height] = await shownSides(photo);
  const sides = width ? [width, height] : claimedSides(kind, head);
  if (sides[0] * sides[1] > limits.pixels) {
    return { reason: `too large, more than ${limits.pixels / 1e6} million pixels: make it smaller.` };
  }
  if (Math.max(...sides) > LONGEST_SIDE) {
    return { reason: `too long, a side of more than ${LONGEST_SIDE.toLocaleString("en")} pixels: make it smaller.` };
  }
  if (width && Math.min(width, height) < LEAST_SIDE) {
    const words = `too small to see anything, less than ${LEAST_SIDE} pixels wide or high`;
    return { reason: `${words}: use the photo in its full size.` };
  }
  if (kind === "jpeg" && scansIn(new Uint8Array(await photo.arrayBuffer())) > limits.scans) {
    return { reason: `a JPEG of more than ${limits.scans} scans: save it anew.` };
  }
  return { photo };
}

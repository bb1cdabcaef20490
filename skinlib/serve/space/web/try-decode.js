// From a file to the pixels that Python would read, where browsers differ from it or from each other.

const STRIP = 512; // rows copied at a time: a whole large photo would need a second copy, and phones limit a canvas
const END = [0xff, 0xd9]; // the mark at the end of every JPEG
const FILLINGS = [0, 0x55, 0xaa]; // see withoutEnd

/** How a stored photo lies on the upright one, for the eight orientations of EXIF: as a canvas takes it, in photo sizes. */
const TURNS = [
  null,
  [1, 0, 0, 1, 0, 0],
  [-1, 0, 0, 1, 1, 0],
  [-1, 0, 0, -1, 1, 1],
  [1, 0, 0, -1, 0, 1],
  [0, 1, 1, 0, 0, 0],
  [0, 1, -1, 0, 1, 0],
  [0, -1, -1, 0, 1, 1],
  [0, -1, 1, 0, 0, 1],
];

/** Return { bitmap, orientation } of a photo, a Blob: EXIF's number, 1 where the bitmap is upright. Throws where it is damaged. */
export async function decoded(file) {
  if (file.type === "image/webp") {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const orientation = hideExif(bytes);
    return { bitmap: await bitmapOf(new Blob([bytes], { type: file.type })), orientation };
  }
  if (file.type === "image/bmp") {
    const bytes = new Uint8Array(await file.arrayBuffer());
    dropUnusedAlpha(bytes);
    return { bitmap: await bitmapOf(new Blob([bytes], { type: file.type })), orientation: 1 };
  }
  try {
    return { bitmap: await bitmapOf(file), orientation: 1 };
  } catch (error) {
    if (file.type !== "image/jpeg") throw error;
    return { bitmap: await withoutEnd(new Uint8Array(await file.arrayBuffer()), error), orientation: 1 };
  }
}

/** Pillow, too, turns a photo upright, and leaves colour profiles and transparent pixels as they are. */
function bitmapOf(blob) {
  const options = { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" };
  return createImageBitmap(blob, options);
}

/** Return a photo's size when it is upright: [width, height]. */
export function uprightSize({ bitmap, orientation }) {
  return orientation > 4 ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
}

/** Return a photo's pixels over white, upright, as a Uint8Array of height × width × 3: red, green, blue. */
export function pixels(photo) {
  const { bitmap, orientation } = photo;
  const { width, height } = bitmap;
  const [wide, tall] = uprightSize(photo);
  const [a, b, c, d, e, f] = TURNS[orientation];
  const context = sheet(width, Math.min(height, STRIP));
  const rgb = new Uint8Array(width * height * 3);
  const right = 3 * (a + b * wide); // from a stored pixel to the next one, in the upright photo
  const down = 3 * (c + d * wide);
  const first = 3 * (e * (wide - 1) + f * (tall - 1) * wide);
  for (let top = 0; top < height; top += STRIP) {
    const rows = Math.min(STRIP, height - top);
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const { data } = context.getImageData(0, 0, width, rows);
    for (let y = 0, i = 0; y < rows; y += 1) {
      let at = first + (top + y) * down;
      for (let x = 0; x < width; x += 1, i += 4, at += right) {
        rgb[at] = data[i];
        rgb[at + 1] = data[i + 1];
        rgb[at + 2] = data[i + 2];
      }
    }
  }
  return rgb;
}

/** Return a copy of a photo to show, upright, over white, no longer than `longest` pixels. */
export function small(photo, longest) {
  const [wide, tall] = uprightSize(photo);
  const shrink = Math.min(1, longest / Math.max(wide, tall));
  const size = [wide, tall].map((side) => Math.max(1, Math.round(side * shrink)));
  const [a, b, c, d, e, f] = TURNS[photo.orientation];
  const context = sheet(...size);
  context.imageSmoothingQuality = "high";
  context.fillRect(0, 0, ...size);
  context.setTransform(a, b, c, d, e * size[0], f * size[1]);
  context.drawImage(photo.bitmap, 0, 0, ...(photo.orientation > 4 ? size.toReversed() : size));
  return context.canvas.transferToImageBitmap();
}

/** Return the context of a new canvas, to be filled with white; it stays in main memory, where pixels are exact. */
function sheet(width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  return context;
}

// ---- WebP: some browsers turn it as its EXIF says, others don't

/** Return the orientation in the EXIF of a WebP, 1 where there is none, and rename that part so that no browser reads it. */
function hideExif(bytes) {
  const view = new DataView(bytes.buffer);
  const name = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    if (name(at) === "EXIF") {
      const start = at + 8 + (name(at + 8) === "Exif" ? 6 : 0);
      const orientation = orientationIn(new DataView(bytes.buffer, Math.min(start, bytes.length)));
      bytes.set([0x65, 0x78, 0x69, 0x66], at); // "exif", which is nobody's name
      return orientation;
    }
    at += 8 + length + (length % 2);
  }
  return 1;
}

/** Return the orientation in an EXIF block, which is a TIFF without a picture; 1 where there is none. */
function orientationIn(view) {
  try {
    const little = view.getUint16(0) === 0x4949;
    const table = view.getUint32(4, little);
    const entries = view.getUint16(table, little);
    for (let at = table + 2; at < table + 2 + 12 * entries; at += 12) {
      if (view.getUint16(at, little) === 0x0112) {
        const value = view.getUint16(at + 8, little);
        return value >= 1 && value <= 8 ? value : 1;
      }
    }
  } catch {
    // It ends too soon: a damaged EXIF block says nothing about the pixels.
  }
  return 1;
}

// ---- BMP: some makers leave the place for transparency at zero, which would show nothing at all

/** Make a BMP opaque whose alpha is zero everywhere, as people see it elsewhere. */
function dropUnusedAlpha(bytes) {
  const view = new DataView(bytes.buffer);
  if (bytes.length < 70 || view.getUint32(14, true) < 56 || view.getUint16(28, true) !== 32) return;
  const MASK = 66; // where the header says which bits are alpha
  if (view.getUint32(MASK, true) !== 0xff000000) return;
  for (let at = view.getUint32(10, true) + 3; at < bytes.length; at += 4) if (bytes[at]) return;
  view.setUint32(MASK, 0, true);
}

// ---- JPEG: one that lacks its end mark, and no pixel, is whole to people

/** Return the bitmap of a JPEG that lacks its end mark and nothing else; throws `error` for any other: see skinlib/data/jpeg.py. */
async function withoutEnd(bytes, error) {
  const scans = scansOf(bytes);
  if (!scans.length || scans.lacking.size || scans.ended) throw error;
  const end = bytes.at(-1) === 0xff ? bytes.length - 1 : bytes.length; // the first half of the mark
  const bitmaps = await Promise.all(
    FILLINGS.map((filling) => {
      const behind = new Uint8Array(filling ? 64 : 0).fill(filling);
      return bitmapOf(new Blob([bytes.subarray(0, end), behind, new Uint8Array(END)], { type: "image/jpeg" }));
    }),
  );
  const [first, ...others] = bitmaps.map((bitmap) => pixels({ bitmap, orientation: 1 }));
  const whole = others.every((other) => other.every((value, i) => value === first[i]));
  bitmaps.slice(whole ? 1 : 0).forEach((bitmap) => bitmap.close());
  if (!whole) throw error;
  return bitmaps[0];
}

/** Return how many scans a JPEG has, what of its channels' coefficients they leave `lacking`, and whether it has `ended`. */
function scansOf(bytes) {
  const view = new DataView(bytes.buffer);
  const scans = { length: 0, lacking: new Set(), ended: false };
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    if (marker === 0xd9) return { ...scans, ended: true };
    const content = at + 4;
    at += 2 + view.getUint16(at + 2);
    if (at > bytes.length) break;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      for (let i = 0; i < bytes[content + 5]; i += 1) {
        for (let k = 0; k < 64; k += 1) scans.lacking.add(`${bytes[content + 6 + 3 * i]} ${k}`);
      }
    } else if (marker === 0xda) {
      scans.length += 1;
      const [from, to, bits] = bytes.subarray(content + 1 + 2 * bytes[content]);
      for (let i = 0; i < bytes[content] && !(bits & 15); i += 1) {
        for (let k = from; k <= to; k += 1) scans.lacking.delete(`${bytes[content + 1 + 2 * i]} ${k}`);
      }
      // On to the next marker, other than a restart among the pixels.
      while (at < bytes.length && !(bytes[at] === 0xff && bytes[at + 1] > 0 && (bytes[at + 1] & 0xf8) !== 0xd0)) at += 1;
    }
  }
  return scans;
}

// What a file is, told by its bytes, in the words of skinlib/data/kinds.py: a person who chose a wrong one hears what it
// is, and what to do.

const RAW = "a camera's raw photo";
const HEIC = "an iPhone photo (HEIC)";
const VIDEO = "a video";
const ARCHIVE = "an archive";

/** Pictures that browsers or Python don't read: offset and first characters, and what people call them. */
const OTHER_IMAGES = [
  [0, "8BPS", "a Photoshop picture (PSD)"],
  [0, "\0\0\0\x0cjP  ", "a JPEG 2000"],
  [0, "\xff\x4f\xff\x51", "a JPEG 2000"],
  [0, "\0\0\0\x0cJXL ", "a JPEG XL"],
  [0, "\xff\x0a", "a JPEG XL"],
  [0, "II\xbc\x01", "a JPEG XR"],
  [128, "DICM", "a DICOM picture"],
  [0, "FUJIFILMCCD-RAW", RAW],
  [0, "IIU\0", RAW],
  [0, "IIRO", RAW],
  [0, "IIRS", RAW],
  [0, "MMOR", RAW],
  [0, "FOVb", RAW],
  [0, "\0MRM", RAW],
  [0, "gimp xcf", "a GIMP picture (XCF)"],
  [0, "v/1\x01", "an OpenEXR picture"],
  [0, "#?RADIANCE", "a Radiance picture (HDR)"],
  [0, "SIMPLE  =", "a FITS picture"],
  [0, "\0\0\x01\0", "an icon (ICO)"],
  [0, "icns", "an icon (ICNS)"],
  [0, "DDS ", "a DDS picture"],
  [0, "qoif", "a QOI picture"],
  [0, "BPG\xfb", "a BPG picture"],
  [0, "\x8aMNG", "a MNG picture"],
  [0, "%!PS", "a PostScript drawing"],
  [0, "\xd7\xcd\xc6\x9a", "a drawing (WMF)"],
  [40, " EMF", "a drawing (EMF)"],
  [344, "n+1\0", "a NIfTI picture"],
];

/** What is no picture at all. */
const NO_PHOTOS = [
  [0, "%PDF", "a PDF"],
  ...["PK\x03\x04", "PK\x05\x06", "\x1f\x8b", "BZh", "\xfd7zXZ\0", "7z\xbc\xaf\x27\x1c", "Rar!\x1a\x07", "\x28\xb5\x2f\xfd"].map(
    (first) => [0, first, ARCHIVE],
  ),
  [257, "ustar", ARCHIVE],
  ...["\x1aE\xdf\xa3", "FLV\x01", "\0\0\x01\xba", "\0\0\x01\xb3"].map((first) => [0, first, VIDEO]),
  ...["ID3", "OggS", "fLaC"].map((first) => [0, first, "a sound"]),
  [0, "\x93NUMPY", "a NumPy array"],
  [0, "\x89HDF", "an HDF5 file"],
  [0, "SQLite format 3\0", "a database"],
  [0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"],
  [0, "MZ", "a program"],
  [0, "\x7fELF", "a program"],
  [0, "bplist", "a property list"],
  [0, "\0\x05\x16\x07", "a companion of a Mac's file"],
];

/** Texts that stand where a photo should. */
const POINTERS = [
  [/^version https:\/\/git-lfs\.github\.com\//, "a Git LFS pointer, not the photo: run git lfs pull."],
  [/^(\/|\.\.\/)*(\.git\/)?annex\/objects\//, "a git-annex pointer, not the photo: run git annex get."],
];

const WRITINGS = [
  [/^\s*(<\?xml[^>]*>|<!--[^]*?-->|<!DOCTYPE svg[^>]*>|\s)*<svg\b/i, "a drawing (SVG)"],
  [/^\s*(<!--[^]*?-->\s*)*<(!doctype html|html|head|body|script|meta)\b/i, "a web page (HTML)"],
  [/^\s*<\?xml/, "an XML text"],
  [/^\s*[\[{]\s*["\d\[{\]}-]/, "a JSON text"],
  [/^P[1-7]\s/, "a PNM picture"],
];

const notRead = (what) =>
  what === HEIC
    ? `${what}, which is not read here: save it as JPEG (on the phone: Settings > Camera > Formats > Most Compatible).`
    : `${what}, which is not read here: save it as JPEG or PNG.`;

function noPhoto(what) {
  const remedies = { [ARCHIVE]: "unpack it", [VIDEO]: "save a picture of it as JPEG" };
  return `${what}, no photo: ${remedies[what] ?? "choose another"}.`;
}

/** Return { kind }, "jpeg" and the like, or { reason }, the end of a sentence that begins with the file's name. */
export function whatItIs(bytes) {
  const text = Array.from(bytes.subarray(0, 2048), (byte) => String.fromCharCode(byte)).join("");
  if (text.startsWith("\xff\xd8\xff")) return { kind: "jpeg" };
  if (text.startsWith("\x89PNG")) return { kind: "png" };
  if (/^GIF8[79]a/.test(text)) return { kind: "gif" };
  if (isBmp(bytes, text)) return { kind: "bmp" };
  if (/^(II[*+]\0|MM\0[*+])/.test(text)) {
    if (text.startsWith("CR", 8)) return { reason: notRead(RAW) };
    return { reason: "a TIFF or a camera's raw photo, which browsers cannot read: save it as JPEG or PNG." };
  }
  if (text.startsWith("RIFF")) {
    const form = text.slice(8, 12);
    if (form === "WEBP" || form.length < 4) return { kind: "webp" };
    return { reason: noPhoto({ WAVE: "a sound", "AVI ": VIDEO }[form] ?? "a RIFF file") };
  }
  if (/^....(ftyp|moov|mdat|wide|free|skip|pnot)/s.test(text)) return boxes(bytes, text);
  for (const [table, say] of [[OTHER_IMAGES, notRead], [NO_PHOTOS, noPhoto]]) {
    const known = table.find(([offset, first]) => text.startsWith(first, offset));
    if (known) return { reason: say(known[2]) };
  }
  if (bytes.every((byte) => !byte)) return { reason: "nothing but zeros, as a broken download leaves: choose another." };
  return { reason: writing(bytes, text) };
}

function isBmp(bytes, text) {
  const length = bytes.length < 18 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(14, true);
  return text.startsWith("BM") && [12, 16, 40, 52, 56, 64, 108, 124].includes(length);
}

/** Tell apart what has the shape of a QuickTime film: HEIC, AVIF, Canon's raw photos, films and sounds. */
function boxes(bytes, text) {
  const major = text.slice(8, 12);
  if (text.slice(4, 8) !== "ftyp") return { reason: noPhoto(VIDEO) };
  if (major === "avif" || major === "avis") return { kind: "avif" };
  if (major === "crx ") return { reason: notRead(RAW) };
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const brands = text.slice(8, Math.max(12, Math.min(length, 256)));
  if (/avi[fs]/.test(brands) && !/hei[cxms]|hev[cxms]/.test(brands)) return { kind: "avif" };
  if (/hei[cxms]|hev[cxms]|mi[fa][12]|msf1/.test(brands)) return { reason: notRead(HEIC) };
  return { reason: noPhoto(/^M4[AB] /.test(major) ? "a sound" : VIDEO) };
}

/** Say what a text is, or that the bytes are none. */
function writing(bytes, latin) {
  for (const [begins, reason] of POINTERS) if (begins.test(latin)) return reason;
  const encoding = latin.startsWith("\xff\xfe") ? "utf-16le" : latin.startsWith("\xfe\xff") ? "utf-16be" : "utf-8";
  let text;
  try {
    // A letter may be cut where the head ends, and that is no fault.
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes.subarray(0, 2048), { stream: bytes.length > 2048 });
  } catch {
    text = "\0";
  }
  if (/[\p{Cc}\p{Cs}\p{Co}\p{Cn}]/u.test(text.replace(/[\t\n\r\f]/g, ""))) {
    return /^P[1-7]\s/.test(latin) ? notRead("a PNM picture") : "not an image in a format we read: use JPEG, PNG or WebP.";
  }
  const what = WRITINGS.find(([begins]) => begins.test(text))?.[1] ?? "a text";
  return /picture|drawing/.test(what) ? notRead(what) : noPhoto(what);
}

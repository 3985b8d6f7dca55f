import { createHash } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";

/** Draws a small PNG that is the same for the same text: soft waves of two colours. */
export function drawPicture(text, width, height) {
  const [a, b, c, d, e, f, g, h] = createHash("sha256").update(text).digest();
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0, at = 0; y < height; y++) {
    at++; // no filter
    for (let x = 0; x < width; x++) {
      const wave = 0.5 + 0.5 * Math.sin((x / width) * (2 + (g % 5)) + Math.sin((y / height) * (2 + (h % 6))) * 2 + a);
      rows[at++] = a + (d - a) * wave;
      rows[at++] = b + (e - b) * wave;
      rows[at++] = c + (f - c) * wave;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // eight bits, RGB
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

import { expect, test } from "vitest";
import { FrameParser, readFrames, type Frame } from "../src/api/sse";

const encoder = new TextEncoder();
const text =
  'id: 3\nevent: progress\ndata: {"a":\ndata: "달빛"}\n\n: heartbeat\n\nid: 4\r\ndata:x\r\n\r\nevent: e\rdata: y\r\rdata: cut';
const frames: Frame[] = [
  { id: "3", event: "progress", data: '{"a":\n"달빛"}' },
  { id: "4", event: "message", data: "x" },
  { id: "4", event: "e", data: "y" },
];

test("frames are the same however the bytes are cut", () => {
  const bytes = encoder.encode(text);
  for (let size = 1; size <= bytes.length; size++) {
    const parser = new FrameParser();
    const parsed: Frame[] = [];
    for (let at = 0; at < bytes.length; at += size) parsed.push(...parser.push(bytes.slice(at, at + size)));
    expect(parsed, `chunks of ${size} bytes`).toEqual(frames);
  }
});

test("a stream that never ends a frame is given up", () => {
  const parser = new FrameParser();
  const chunk = encoder.encode("x".repeat(600_000));
  parser.push(chunk);
  expect(() => parser.push(chunk)).toThrow("too long");
});

test("reading a body tells of every chunk and stops early without leaving it open", async () => {
  let cancelled = false;
  let chunks = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (out) => out.enqueue(encoder.encode("data: 1\n\n")),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const frame of readFrames(body, () => chunks++)) {
    expect(frame.data).toBe("1");
    if (chunks === 2) break;
  }
  expect(cancelled).toBe(true);
});

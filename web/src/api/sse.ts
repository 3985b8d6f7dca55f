/** One server-sent event. */
export interface Frame {
  id: string;
  event: string;
  data: string;
}

const FRAME_CHARS_MAX = 1024 * 1024; // a frame with a preview is a few kilobytes

/**
 * Splits a text/event-stream into frames, however its bytes were cut into chunks: inside a character, a line ending or
 * a frame. An unfinished last frame is dropped, as the format demands.
 */
export class FrameParser {
  private readonly decoder = new TextDecoder();
  private pending = "";
  private lines: string[] = [];
  private lastId = "";

  push(chunk: Uint8Array): Frame[] {
    this.pending += this.decoder.decode(chunk, { stream: true });
    if (this.pending.length > FRAME_CHARS_MAX) throw new Error("a frame is too long");
    const frames: Frame[] = [];
    for (let line = this.nextLine(); line !== null; line = this.nextLine()) {
      if (line !== "") {
        this.lines.push(line);
        continue;
      }
      const frame = this.frame();
      if (frame) frames.push(frame);
    }
    return frames;
  }

  // A carriage return at the very end may be half of a line ending: wait for what follows.
  private nextLine(): string | null {
    const end = this.pending.search(/\r\n|\n|\r(?!$)/);
    if (end < 0) return null;
    const line = this.pending.slice(0, end);
    const width = this.pending.startsWith("\r\n", end) ? 2 : 1;
    this.pending = this.pending.slice(end + width);
    return line;
  }

  private frame(): Frame | null {
    const data: string[] = [];
    let event = "message";
    for (const line of this.lines.splice(0)) {
      const [name, value] = field(line);
      if (name === "data") data.push(value);
      else if (name === "event") event = value;
      else if (name === "id" && !value.includes("\0")) this.lastId = value;
    }
    return data.length === 0 ? null : { id: this.lastId, event, data: data.join("\n") };
  }
}

function field(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
}

/** Reads the frames of an answer as they come, and tells of every chunk. */
export async function* readFrames(body: ReadableStream<Uint8Array>, onChunk?: () => void): AsyncGenerator<Frame> {
  const parser = new FrameParser();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onChunk?.();
      yield* parser.push(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

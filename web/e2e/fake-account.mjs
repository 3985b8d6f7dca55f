import { EventEmitter } from "node:events";
import { randomBytes, randomInt } from "node:crypto";
import { drawPicture } from "./picture.mjs";

const TICK_MS = 300;
const TICKS_QUEUED = 3;
const TICKS_RUNNING = 10;
const SHARD = 3;
const GRANT = 100;
const BOOK = "2026-11-01";

const number = (min, max, value) => ({ min, max, default: value });
const model = (key, name, rest) => ({
  key,
  name,
  pool: "gpu",
  operations: ["text_to_image"],
  size: number(256, 2048, 1024),
  size_step: 8,
  count: number(1, 8, 1),
  negative_prompt: false,
  ...rest,
});

export const models = [
  model("sdxl-1.0", "Stable Diffusion XL 1.0", {
    steps: number(1, 100, 30),
    guidance: number(1, 20, 7),
    schedulers: ["euler", "euler_a", "dpmpp_2m"],
    negative_prompt: true,
    unit_credits: 4,
    unit_millis: 9000,
  }),
  model("flux-schnell", "FLUX.1 [schnell]", {
    steps: number(1, 12, 4),
    guidance: number(0, 0, 0),
    schedulers: ["euler"],
    unit_credits: 2,
    unit_millis: 6000,
  }),
];

export const id = (prefix) =>
  prefix + [...randomBytes(26)].map((b) => "0123456789abcdefghjkmnpqrstvwxyz"[b % 32]).join("");

/** One account of the pretended server: credits, statement, generations and images, all in memory. */
export class FakeAccount {
  constructor(name) {
    this.account = {
      id: id("acc_"),
      ...(name ? { name } : {}),
      plan: "free",
      tier: "free",
      slots: 4,
      credit_line: 0,
      opened_at: now(),
    };
    Object.assign(this, { position: 0, available: 0, reserved: 0, consumed: 0 });
    Object.assign(this, {
      lines: [],
      generations: new Map(),
      images: [],
      outcomes: new Map(),
      changes: new EventEmitter(),
    });
    this.changes.setMaxListeners(0);
    this.move("granted", GRANT, { available: GRANT }, { cause: "plan", grant: id("grt_") });
  }

  at() {
    return `${SHARD}:${this.position}`;
  }

  /** Moves credits between the books and writes the line. */
  move(kind, amount, change, more = {}) {
    this.position++;
    const before = { available_before: this.available, reserved_before: this.reserved };
    const postings = Object.entries(change).map(([book, by]) => {
      this[book] += by;
      return { position: this.at(), event: `account.credits_${kind}.v1`, book, amount: by, at: now() };
    });
    this.lines.unshift({
      position: this.at(),
      event: `account.credits_${kind}.v1`,
      kind,
      amount,
      ...before,
      available_after: this.available,
      reserved_after: this.reserved,
      at: now(),
      postings,
      ...more,
    });
    return postings;
  }

  balance() {
    const { available, reserved, consumed } = this;
    const grant = {
      grant: "grt_1",
      source: "plan",
      priority: 0,
      amount: GRANT,
      available,
      reserved,
      consumed,
      effective_at: now(),
    };
    return {
      at: now(),
      available,
      reserved,
      consumed,
      expired: 0,
      scheduled: 0,
      granted: GRANT,
      credit_line: 0,
      credit_line_used: 0,
      grants: [grant],
    };
  }

  quote({ model: key, width, height, steps, count }) {
    const m = models.find((one) => one.key === key);
    const work = (width * height * steps) / (1024 * 1024 * m.steps.default);
    const each = Math.max(1, Math.ceil(m.unit_credits * work));
    const label = `${m.name}, ${width}×${height}, ${steps} steps`;
    return {
      quote: id("quote_"),
      credits: each * count,
      price_book: BOOK,
      estimate_ms: Math.ceil(m.unit_millis * work) * count,
      breakdown: [{ label, credits_per_image: each, images: count, credits: each * count }],
      expires_at: new Date(Date.now() + 15 * 60_000).toISOString(),
    };
  }

  request({ quote, ...body }) {
    const { credits } = this.quote(body);
    if (credits > this.available) return null;
    const spec = { tags: [], seed: randomInt(2 ** 32), ...body };
    const self = id("gen_");
    const postings = this.move("reserved", credits, { available: -credits, reserved: credits }, { generation: self });
    const path = `/v1/generations/${self}`;
    const generation = {
      id: self,
      status: "queued",
      version: 1,
      attempt: 1,
      request: spec,
      images: [],
      created_at: now(),
      deadline: new Date(Date.now() + 3_600_000).toISOString(),
      queue: { ahead: 0, reason: "waiting_for_worker", estimate_ms_min: 1000, estimate_ms_max: 4000 },
      settlement: {
        quote,
        quoted: credits,
        reserved: credits,
        settled: 0,
        released: 0,
        waived: 0,
        policy: BOOK,
        price_book: BOOK,
        postings,
      },
      links: {
        self: path,
        events: `${path}/events`,
        cancel: `${path}/cancel`,
        images: "/v1/images",
        statement: "/v1/statement",
      },
    };
    this.generations.set(self, generation);
    this.run(generation);
    return generation;
  }

  /** Lets the job wait, run and end. */
  run(generation) {
    let ticks = 0;
    const timer = setInterval(() => {
      if (generation.status === "cancelled") return clearInterval(timer);
      if (++ticks === TICKS_QUEUED) this.turn(generation, "running");
      if (ticks > TICKS_QUEUED) this.progress(generation, (ticks - TICKS_QUEUED) / TICKS_RUNNING);
      if (ticks < TICKS_QUEUED + TICKS_RUNNING) return undefined;
      clearInterval(timer);
      return this.end(generation, "succeeded", generation.settlement.reserved);
    }, TICK_MS);
  }

  turn(generation, status) {
    generation.status = status;
    generation.version++;
    if (status !== "queued") delete generation.queue;
    const frame = {
      id: generation.id,
      status,
      version: generation.version,
      position: this.at(),
      attempt: 1,
      at: now(),
    };
    this.changes.emit(generation.id, "status", frame);
  }

  progress(generation, fraction) {
    const images = generation.request.count;
    const image = Math.min(images - 1, Math.floor(fraction * images));
    const preview = drawPicture(generation.request.prompt + Math.ceil(fraction * 3), 32, 32).toString("base64");
    const frame = { id: generation.id, attempt: 1, stage: "denoising", image, images, fraction };
    this.changes.emit(generation.id, "progress", { ...frame, preview: `data:image/png;base64,${preview}` });
  }

  end(generation, status, charged) {
    const { settlement: s, request } = generation;
    const returned = s.reserved - charged;
    const change = { reserved: -s.reserved, consumed: charged, available: returned };
    const kind = charged > 0 ? "settled" : "released";
    const more = { generation: generation.id, cause: charged > 0 ? BOOK : status, returned };
    s.postings.push(...this.move(kind, charged > 0 ? charged : returned, change, more));
    Object.assign(s, { reserved: 0, settled: charged, released: returned });
    if (status === "succeeded") {
      for (let i = 0; i < request.count; i++)
        generation.images.push(this.image(generation, i, charged / request.count));
    }
    generation.ended_at = now();
    this.turn(generation, status);
    return { id: generation.id, status, settled: charged, released: returned };
  }

  image({ id: generation, request }, index, credits) {
    const self = `img_${generation.slice(4)}_${index}`;
    const image = {
      id: self,
      generation,
      request,
      engine: "sketch",
      width: request.width,
      height: request.height,
      bytes: 812_345,
      content_type: "image/png",
      sha256: "0".repeat(64),
      seed: request.seed + index,
      credits,
      tags: [...request.tags],
      favourite: false,
      version: 1,
      created_at: now(),
    };
    this.images.unshift(image);
    return image;
  }
}

function now() {
  return new Date().toISOString();
}

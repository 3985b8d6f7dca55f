import { createClient, type Client } from "../src/api/client";
import type { Generation, Model, Quote } from "../src/api/schema";

export interface Request {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Headers;
  body: unknown;
}

/** What a pretended server answers: a response, or an error as of a lost connection. */
export type Answer = Response | Error;

/** A fetch that answers with what `handle` says and keeps what was asked. */
export function pretend(handle: (request: Request, count: number) => Answer | Promise<Answer>) {
  const requests: Request[] = [];
  const fake: typeof fetch = async (input, init = {}) => {
    const url = new URL(String(input), "http://test");
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    const headers = new Headers(init.headers);
    const request = { method: init.method ?? "GET", path: url.pathname, query: url.searchParams, headers, body };
    requests.push(request);
    const answer = await handle(request, requests.length);
    if (init.signal?.aborted) throw new DOMException("aborted", "AbortError");
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { fetch: fake, requests };
}

export const lost = () => new TypeError("connection lost");

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers });
}

export function problem(status: number, code: string, more: object = {}): Response {
  return json(
    { type: `/problems/${code}`, title: code, status, code, request_id: "req_1", retryable: false, ...more },
    status,
  );
}

/** A client that does not really wait. */
export function testClient(fake: typeof fetch, onUnauthorized = () => undefined): Client {
  return createClient({ fetch: fake, key: () => "pv_test", sleep: () => Promise.resolve(), onUnauthorized });
}

export function memoryStorage(): Storage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
    clear: () => items.clear(),
    key: (index) => [...items.keys()][index] ?? null,
    get length() {
      return items.size;
    },
  };
}

export const model: Model = {
  key: "sdxl-1.0",
  name: "Stable Diffusion XL 1.0",
  pool: "gpu",
  operations: ["text_to_image"],
  size: { min: 256, max: 2048, default: 1024 },
  size_step: 8,
  steps: { min: 1, max: 100, default: 30 },
  guidance: { min: 1, max: 20, default: 7 },
  schedulers: ["euler", "ddim"],
  negative_prompt: true,
  prompt_weights: true,
  strength: { min: 0.05, max: 1, default: 0.6 },
  loras: { max: 0, weight: { min: 0, max: 0, default: 0 }, keys: [] },
  controls: { max: 0, weight: { min: 0, max: 0, default: 0 }, kinds: [], percent: 0 },
  count: { min: 1, max: 8, default: 1 },
  unit_credits: 4,
  unit_millis: 9000,
};

export function quoteOf(credits: number, name = "q1"): Quote {
  return {
    quote: name,
    credits,
    breakdown: [{ label: "SDXL, 1024×1024, 30 steps", credits_per_image: credits, images: 1, credits }],
    price_book: "2026-11-01",
    estimate_ms: 9000,
    expires_at: new Date(Date.now() + 900_000).toISOString(),
  };
}

export function generationOf(changes: Partial<Generation> = {}): Generation {
  const id = "gen_01k00000000000000000000000";
  return {
    id,
    status: "queued",
    version: 1,
    attempt: 1,
    request: {
      operation: "text_to_image",
      model: model.key,
      prompt: "a lighthouse",
      width: 1024,
      height: 1024,
      steps: 30,
      count: 1,
      seed: 7,
      tags: [],
    },
    settlement: {
      quoted: 4,
      reserved: 4,
      settled: 0,
      released: 0,
      waived: 0,
      policy: "2026-11-01",
      price_book: "2026-11-01",
      postings: [],
    },
    images: [],
    created_at: "2026-11-22T12:00:00Z",
    deadline: "2026-11-22T13:00:00Z",
    links: { self: "", events: "", cancel: "", images: "", statement: "" },
    ...changes,
  };
}

import { ApiError, CODE_NETWORK, CODE_UNREADABLE, isAborted, readProblem, toApiError } from "./problem";
import { createPositionKeeper, type PositionKeeper } from "./position";

const TRIES_MAX = 4; // calls, the first one included
const RETRY_DELAY_MS = 400; // doubled each time
const STALE_TRIES_MAX = 4; // calls, the first one included
const STALE_DELAY_MS = 500;
const STATUS_RETRYABLE = new Set([0, 502, 503, 504]);

export interface ClientConfig {
  fetch: typeof fetch;
  /** The API key to send, or null. */
  key: () => string | null;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Called when the server does not accept the key. */
  onUnauthorized?: () => void;
}

export interface Call {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  query?: Record<string, string | number | boolean | string[] | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Whether repeating the call changes nothing more, as with an idempotency key or a deletion. A GET always is. */
  repeatable?: boolean;
  /** Wait until the answer knows of everything this client has seen. */
  fresh?: boolean;
  /** Leave the key out: the answer is the same for everybody. */
  anonymous?: boolean;
}

/** A thin layer over fetch: key, positions, problems, and retries where they are harmless. */
export interface Client {
  json<T>(path: string, call?: Call): Promise<T>;
  raw(path: string, call?: Call): Promise<Response>;
  sleep: ClientConfig["sleep"];
  positions: PositionKeeper;
}

export function createClient(config: ClientConfig): Client {
  const positions = createPositionKeeper();

  async function once(path: string, call: Call): Promise<Response> {
    const response = await send(config, target(path, call, positions), call);
    if (response.ok) {
      positions.see(response.headers.get("Pingvas-Position"));
      return response;
    }
    if (response.status === 401) config.onUnauthorized?.();
    throw await readProblem(response);
  }

  async function raw(path: string, call: Call = {}): Promise<Response> {
    const repeatable = call.repeatable ?? (call.method ?? "GET") === "GET";
    for (let tries = 1; ; tries++) {
      try {
        return await once(path, call);
      } catch (error) {
        if (!repeatable || tries >= TRIES_MAX || !isPassing(error)) throw error;
        await config.sleep(RETRY_DELAY_MS * 2 ** (tries - 1), call.signal);
      }
    }
  }

  async function json<T>(path: string, call: Call = {}): Promise<T> {
    for (let tries = 1; ; tries++) {
      const response = await raw(path, call);
      const stale = call.fresh === true && response.headers.get("Pingvas-Stale") === "true";
      if (!stale || tries >= STALE_TRIES_MAX) return readJson<T>(response);
      await config.sleep(STALE_DELAY_MS, call.signal);
    }
  }

  return { json, raw, sleep: config.sleep, positions };
}

async function send(config: ClientConfig, url: string, call: Call): Promise<Response> {
  const headers = new Headers(call.headers);
  const key = call.anonymous === true ? null : config.key();
  if (key !== null) headers.set("Authorization", `Bearer ${key}`);
  const init: RequestInit = { method: call.method ?? "GET", headers, cache: "no-store" };
  if (call.signal) init.signal = call.signal;
  if (call.body !== undefined) {
    headers.set("Content-Type", "application/json");
    init.body = JSON.stringify(call.body);
  }
  try {
    return await config.fetch(url, init);
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new ApiError(CODE_NETWORK, 0, null, error);
  }
}

function target(path: string, call: Call, positions: PositionKeeper): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (Array.isArray(value)) value.forEach((item) => query.append(name, item));
    else if (value !== undefined) query.set(name, String(value));
  }
  const newest = positions.newest();
  if (call.fresh === true && newest !== undefined) query.set("min_position", newest);
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

async function readJson<T>(response: Response): Promise<T> {
  if (response.status === 204) return undefined as T;
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new ApiError(CODE_UNREADABLE, response.status, null, error);
  }
}

function isPassing(error: unknown): boolean {
  return !isAborted(error) && STATUS_RETRYABLE.has(toApiError(error).status);
}

/** Waits, and rejects with an AbortError as soon as the signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(new DOMException("The wait was aborted", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

import type { Client } from "./client";
import { isAborted, toApiError } from "./problem";
import type { Generation, ProgressFrame, Status, StatusFrame } from "./schema";
import { readFrames, type Frame } from "./sse";

const SILENCE_MAX_MS = 45_000; // three of the server's heartbeats
const FAILURES_MAX = 4; // in a row, before polling takes over
const BACKOFF_MS = 500; // doubled after each failure in a row
const POLL_MS = 2_000;
const POLL_FIRST_MS = 250; // the answer may lag behind the stream for a moment

export type Update =
  | { kind: "snapshot"; generation: Generation }
  | { kind: "status"; frame: StatusFrame }
  | { kind: "progress"; frame: ProgressFrame };

export interface Watch {
  client: Client;
  id: string;
  signal: AbortSignal;
  /** Whether to hold a connection open. Browsers allow only a few to one server. */
  stream: boolean;
  onUpdate: (update: Update) => void;
}

export function isFinal(status: Status): boolean {
  return status !== "queued" && status !== "running";
}

/** Follows a generation until it has ended, and returns it as it then is. It rejects only when aborted or refused. */
export async function watchGeneration(watch: Watch): Promise<Generation> {
  if (watch.stream) await streamUntilEnd(watch);
  return pollUntilEnd(watch);
}

async function streamUntilEnd(watch: Watch): Promise<void> {
  let lastId = "";
  for (let failures = 0; failures < FAILURES_MAX; failures++) {
    try {
      const ended = await streamOnce(watch, lastId, (id) => {
        lastId = id;
        failures = 0;
      });
      if (ended) return;
    } catch (error) {
      if (watch.signal.aborted) throw error;
      const { status } = toApiError(error);
      if (!isAborted(error) && status >= 400 && status < 500) return; // Polling finds out whether it is final.
    }
    await watch.client.sleep(BACKOFF_MS * 2 ** failures, watch.signal);
  }
}

async function streamOnce(watch: Watch, lastId: string, onFrame: (id: string) => void): Promise<boolean> {
  const silence = new AbortController();
  const signal = AbortSignal.any([watch.signal, silence.signal]);
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  if (lastId !== "") headers["Last-Event-ID"] = lastId;
  let timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
  try {
    const path = `/v1/generations/${encodeURIComponent(watch.id)}/events`;
    const response = await watch.client.raw(path, { headers, signal, repeatable: false });
    if (!response.body) return false;
    // Heartbeats are comments, which the parser drops, but every chunk is a sign of life.
    const onChunk = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
    };
    for await (const frame of readFrames(response.body, onChunk)) {
      onFrame(frame.id);
      const update = toUpdate(frame);
      if (!update) continue;
      if (update.kind === "status") watch.client.positions.see(update.frame.position);
      watch.onUpdate(update);
      if (endsWith(update)) return true;
    }
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function toUpdate(frame: Frame): Update | null {
  switch (frame.event) {
    case "snapshot":
      return { kind: "snapshot", generation: JSON.parse(frame.data) as Generation };
    case "status":
      return { kind: "status", frame: JSON.parse(frame.data) as StatusFrame };
    case "progress":
      return { kind: "progress", frame: JSON.parse(frame.data) as ProgressFrame };
    default:
      return null; // Kinds of frames may be added.
  }
}

function endsWith(update: Update): boolean {
  if (update.kind === "snapshot") return isFinal(update.generation.status);
  return update.kind === "status" && isFinal(update.frame.status);
}

async function pollUntilEnd({ client, id, signal, onUpdate }: Watch): Promise<Generation> {
  for (let wait = POLL_FIRST_MS; ; wait = Math.min(POLL_MS, wait * 2)) {
    try {
      const path = `/v1/generations/${encodeURIComponent(id)}`;
      const generation = await client.json<Generation>(path, { signal, fresh: true });
      onUpdate({ kind: "snapshot", generation });
      if (isFinal(generation.status)) return generation;
    } catch (error) {
      const { status } = toApiError(error);
      if (signal.aborted || (status >= 400 && status < 500 && status !== 429)) throw error;
    }
    await client.sleep(wait, signal);
  }
}

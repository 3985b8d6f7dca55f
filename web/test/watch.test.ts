import { describe, expect, test } from "vitest";
import { watchGeneration, type Update } from "../src/api/watch";
import { applyUpdate, type Job } from "../src/state/jobs";
import { generationOf, json, lost, pretend, problem, testClient, type Answer, type Request } from "./server";

const status = (version: number, name: string) =>
  `id: ${version}\nevent: status\ndata: ${JSON.stringify({ id: "g", status: name, version, position: `3:${version}`, at: "" })}\n\n`;
const snapshot = (version: number) =>
  `id: ${version}\nevent: snapshot\ndata: ${JSON.stringify(generationOf({ version }))}\n\n`;

const isStream = (r: Request) => r.path.endsWith("/events");

/** A server whose stream answers one after another; every question for the generation says that it has ended. */
async function watch(streams: Answer[], stream = true) {
  const ended = generationOf({ status: "succeeded", version: 9 });
  const { fetch, requests } = pretend((r) => (isStream(r) ? (streams.shift() ?? lost()) : json(ended)));
  const updates: Update[] = [];
  const { signal } = new AbortController();
  const result = await watchGeneration({
    client: testClient(fetch),
    id: "gen_1",
    signal,
    stream,
    onUpdate: (update) => updates.push(update),
  });
  return { result, updates, streamed: requests.filter(isStream), asked: requests.filter((r) => !isStream(r)) };
}

describe("watching", () => {
  test("resumes after the last frame it saw when the connection is cut", async () => {
    const { result, updates, streamed, asked } = await watch([
      new Response(snapshot(1) + status(2, "running")),
      lost(),
      new Response(status(3, "succeeded")),
    ]);
    expect(streamed.map((r) => r.headers.get("Last-Event-ID"))).toEqual([null, "2", "2"]);
    expect(updates.map((u) => u.kind)).toEqual(["snapshot", "status", "status", "snapshot"]);
    expect(asked.map((r) => r.query.get("min_position"))).toEqual(["3:3"]);
    expect(result.status).toBe("succeeded");
  });

  test("polls when the stream cannot be had", async () => {
    const { streamed, asked } = await watch([]);
    expect(streamed).toHaveLength(4);
    expect(asked).toHaveLength(1);
  });

  test("polls at once when the stream is refused, or not wanted", async () => {
    expect((await watch([problem(429, "too-many-streams")])).streamed).toHaveLength(1);
    expect((await watch([], false)).streamed).toHaveLength(0);
  });

  test("ends when it is aborted", async () => {
    const { fetch } = pretend(() => json(generationOf()));
    const aborter = new AbortController();
    const client = testClient(fetch);
    client.sleep = () => {
      aborter.abort();
      return Promise.reject(new DOMException("aborted", "AbortError"));
    };
    const watching = watchGeneration({
      client,
      id: "g",
      signal: aborter.signal,
      stream: false,
      onUpdate: () => undefined,
    });
    await expect(watching).rejects.toThrow("aborted");
  });
});

describe("updates", () => {
  const job: Job = {
    generation: generationOf({ status: "running", version: 5, attempt: 2 }),
    progress: null,
    cancellation: null,
    cancelling: false,
  };
  const frame = { id: "g", attempt: 2, stage: "denoising", image: 0, images: 1, fraction: 0.5 };

  test("that are late change nothing", () => {
    expect(applyUpdate(job, { kind: "snapshot", generation: generationOf({ version: 4 }) })).toBe(job);
    expect(
      applyUpdate(job, { kind: "status", frame: { id: "g", status: "queued", version: 5, position: "3:5", at: "" } }),
    ).toBe(job);
    expect(applyUpdate(job, { kind: "progress", frame: { ...frame, attempt: 1 } })).toBe(job);
  });

  test("keep the last preview of the same image and drop progress when the job waits again", () => {
    const seen = applyUpdate(job, { kind: "progress", frame: { ...frame, preview: "data:image/png;base64,x" } });
    const next = applyUpdate(seen, { kind: "progress", frame: { ...frame, fraction: 0.6 } });
    expect(next.progress).toMatchObject({ fraction: 0.6, preview: "data:image/png;base64,x" });
    const again = applyUpdate(next, {
      kind: "status",
      frame: { id: "g", status: "queued", version: 6, attempt: 3, position: "3:6", at: "" },
    });
    expect(again.progress).toBeNull();
    expect(again.generation).toMatchObject({ status: "queued", attempt: 3, version: 6 });
  });
});

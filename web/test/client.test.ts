import { describe, expect, test, vi } from "vitest";
import { createApi } from "../src/api/endpoints";
import { ApiError, CODE_NETWORK, CODE_UNREADABLE, fieldErrors } from "../src/api/problem";
import { generationOf, json, lost, memoryStorage, pretend, problem, testClient, type Answer } from "./server";

const wish = { operation: "text_to_image", model: "sdxl-1.0", prompt: "a lighthouse" };

function apiWith(handle: Parameters<typeof pretend>[0], storage = memoryStorage()) {
  const { fetch, requests } = pretend(handle);
  const keys = () => requests.map((r) => r.headers.get("Idempotency-Key"));
  return { api: createApi(testClient(fetch), storage), requests, keys, storage };
}

async function failure(call: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

describe("purchases", () => {
  test("repeat a lost call with the same key", async () => {
    const { api, keys } = apiWith((_, n) => (n < 3 ? lost() : json(generationOf(), 201)));
    await api.generate(wish);
    expect(keys()).toHaveLength(3);
    expect(keys()[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(keys()).size).toBe(1);
  });

  test("go on with the kept key and quote after a reload when the outcome is not known", async () => {
    const storage = memoryStorage();
    const before = apiWith(() => lost(), storage);
    expect((await failure(before.api.generate({ ...wish, quote: "old" }))).code).toBe(CODE_NETWORK);
    const after = apiWith(() => json(generationOf(), 201), storage);
    await after.api.generate({ ...wish, quote: "new" });
    expect(after.keys()[0]).toBe(before.keys()[0]);
    expect(after.requests[0]?.body).toEqual({ ...wish, quote: "old" });
  });

  test("treat a broken server as an unknown outcome", async () => {
    const { api, keys } = apiWith((_, n) => (n === 1 ? problem(500, "internal") : json(generationOf(), 201)));
    await failure(api.generate(wish));
    await api.generate(wish);
    expect(keys()[1]).toBe(keys()[0]);
  });

  test("use a new key after a success, after a refusal and for another wish", async () => {
    const answers: Answer[] = [
      json(generationOf(), 201),
      problem(429, "concurrency-limit"),
      lost(),
      lost(),
      lost(),
      lost(),
    ];
    const { api, keys } = apiWith(() => answers.shift() ?? json(generationOf(), 201));
    await api.generate(wish);
    await failure(api.generate(wish));
    await failure(api.generate(wish));
    await api.generate({ ...wish, prompt: "a windmill" });
    const [success, refused, unknown] = keys();
    expect(new Set([success, refused, unknown, keys().at(-1)]).size).toBe(4);
  });

  test("do not take a proxy's error page for a refusal", async () => {
    const { api, keys } = apiWith((_, n) =>
      n === 1 ? new Response("<html>", { status: 404 }) : json(generationOf(), 201),
    );
    expect((await failure(api.generate(wish))).code).toBe(CODE_UNREADABLE);
    await api.generate(wish);
    expect(keys()[1]).toBe(keys()[0]);
  });
});

describe("answers", () => {
  test("are repeated only where that is harmless", async () => {
    const { fetch, requests } = pretend(() => lost());
    const client = testClient(fetch);
    await failure(client.json("/v1/x", { method: "POST" }));
    expect(requests).toHaveLength(1);
    await failure(client.json("/v1/x"));
    expect(requests).toHaveLength(5);
  });

  test("tell the newest position, which later questions ask for", async () => {
    const positions = ["3:9", "3:10", "3:8", "nonsense"];
    const { api, requests } = apiWith(() => json({}, 200, { "Pingvas-Position": positions.shift() ?? "3:1" }));
    for (let i = 0; i < 5; i++) await api.balance();
    expect(requests.map((r) => r.query.get("min_position"))).toEqual([null, "3:9", "3:10", "3:10", "3:10"]);
  });

  test("that are stale are asked for again, for a while", async () => {
    const { api, requests } = apiWith((_, n) => json({ n }, 200, n < 3 ? { "Pingvas-Stale": "true" } : {}));
    expect(await api.balance()).toEqual({ n: 3 });
    expect(requests).toHaveLength(3);
  });

  test("become problems with their code and fields", async () => {
    const errors = [
      { pointer: "/width", detail: "must be a multiple of 8" },
      { pointer: "/tags/3", detail: "too long" },
      { pointer: "/tags/4", detail: "too long as well" },
      { pointer: "limit", detail: "too large" },
    ];
    const { api } = apiWith(() => problem(400, "invalid-request", { errors }));
    const error = await failure(api.quote({ operation: "text_to_image", model: "x" }));
    expect(error.code).toBe("invalid-request");
    expect(fieldErrors(error)).toEqual({ width: "must be a multiple of 8", tags: "too long", limit: "too large" });
  });

  test("tell when the key is not accepted, and public questions do not carry it", async () => {
    const rejected = vi.fn<() => undefined>();
    const { fetch, requests } = pretend(() => problem(401, "unauthenticated"));
    const api = createApi(testClient(fetch, rejected), memoryStorage());
    await failure(api.account());
    expect(rejected).toHaveBeenCalledTimes(1);
    await failure(api.models());
    expect(requests.map((r) => r.headers.get("Authorization"))).toEqual(["Bearer pv_test", null]);
  });

  test("to a search carry every filter that is set", async () => {
    const { api, requests } = apiWith(() => json({ data: [], total: 0, has_more: false }));
    await api.search({ words: " 한옥 ", tag: "a b", model: "", favourite: true, board: "", stars: 0 }, "c1");
    expect(Object.fromEntries(requests[0]?.query ?? [])).toEqual({
      q: "한옥",
      tag: "a b",
      favourite: "true",
      cursor: "c1",
      limit: "24",
    });
  });
});

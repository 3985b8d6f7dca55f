import { describe, expect, test, vi } from "vitest";
import { createApi } from "../src/api/endpoints";
import type { BulkRequest, BulkResult, MonthPage } from "../src/api/schema";
import { createBulk } from "../src/state/bulk";
import { createGallery, noFilter } from "../src/state/gallery";
import { createLibrary, fromQuery, toQuery } from "../src/state/library";
import { createStatement } from "../src/state/statement";
import { createUsage } from "../src/state/usage";
import { json, memoryStorage, pretend, problem, testClient, type Request } from "./server";

function apiWith(handle: (request: Request) => Response) {
  const { fetch, requests } = pretend(handle);
  return { api: createApi(testClient(fetch), memoryStorage()), requests };
}

const done = (changed: number, next?: string): BulkResult => ({
  changed,
  unchanged: 0,
  skipped: 0,
  refused: [],
  has_more: next !== undefined,
  ...(next === undefined ? {} : { next_cursor: next }),
});

describe("the gallery", () => {
  test("is asked itself for boards and stars, and counts what matches", async () => {
    const { api, requests } = apiWith((r) =>
      json(r.path.endsWith(":count") ? { images: 7, more: false } : { data: [], has_more: false }),
    );
    const page = await api.search({ ...noFilter, board: "none", stars: 4, tag: "a" });
    expect(page.total).toBe(7);
    const list = requests.find((r) => r.path === "/v1/images");
    expect(Object.fromEntries(list?.query ?? [])).toEqual({ board: "none", rating_min: "4", tag: "a", limit: "24" });
    const count = requests.find((r) => r.path === "/v1/images:count");
    expect(count?.body).toEqual({ filter: { tags: ["a"], board: "none", rating_min: 4 } });
  });

  test("looks for words or on boards, not both", () => {
    const gallery = createGallery(() => Promise.resolve({ data: [], total: 0, has_more: false }));
    const { narrow, clear } = gallery.getState();
    narrow({ words: "fox" });
    narrow({ board: "brd_1" });
    expect(gallery.getState().filter).toEqual({ ...noFilter, board: "brd_1" });
    narrow({ words: "fox" });
    expect(gallery.getState().filter).toEqual({ ...noFilter, words: "fox" });
    clear();
  });
});

function setup(answers: (BulkResult | Error)[]) {
  const sent: BulkRequest[] = [];
  const [onDone, onError] = [vi.fn<() => void>(), vi.fn<() => void>()];
  const bulk = createBulk({
    filter: () => ({ ...noFilter, favourite: true }),
    countImages: () => Promise.resolve({ images: 450, more: false }),
    bulk: (body) => {
      sent.push(body);
      const answer = answers.shift();
      return answer instanceof Error || !answer ? Promise.reject(answer) : Promise.resolve(answer);
    },
    onDone,
    onError,
  });
  return { bulk: bulk.getState, sent, onDone, onError };
}

describe("many images", () => {
  test("are changed page by page until none is left", async () => {
    const { bulk, sent, onDone } = setup([done(200, "c1"), done(200, "c2"), done(50)]);
    bulk().start();
    await bulk().chooseAll();
    expect(bulk().all?.images).toBe(450);
    expect(await bulk().run({ rating: 5 })).toBe(true);
    expect(sent.map((body) => body.cursor)).toEqual([undefined, "c1", "c2"]);
    expect(sent[0]).toEqual({ filter: { favourite: true }, action: { rating: 5 } });
    expect(onDone).toHaveBeenCalledWith(450, 0);
    expect(bulk().choosing).toBe(false);
  });

  test("that are chosen are named, and a failure keeps the choice", async () => {
    const { bulk, sent, onError } = setup([new Error("lost"), done(1)]);
    bulk().start();
    bulk().toggle("img_1");
    bulk().toggle("img_2");
    bulk().toggle("img_1");
    expect(await bulk().run({ delete: true })).toBe(false);
    expect(onError).toHaveBeenCalledTimes(1);
    expect(await bulk().run({ delete: true })).toBe(true);
    const wish = { images: ["img_2"], action: { delete: true } };
    expect(sent).toEqual([wish, wish]);
  });
});

test("a saved search is the filter that it was made of", () => {
  const filters = [
    { ...noFilter, words: "fox", tag: "a", favourite: true },
    { ...noFilter, board: "none", stars: 3, model: "m" },
  ];
  for (const filter of filters) expect(fromQuery(toQuery(filter))).toEqual(filter);
});

test("boards are read again after a change, and a refusal is told", async () => {
  const { api, requests } = apiWith((r) => {
    if (r.method === "POST") return r.path === "/v1/boards" ? json({ id: "brd_1", name: "Snow" }, 201) : json({});
    if (r.method === "DELETE") return problem(404, "not-found");
    return json({ data: r.path === "/v1/boards" ? [{ id: "brd_1", name: "Snow", images: 0 }] : [] });
  });
  const onError = vi.fn<() => void>();
  const library = createLibrary({ ...api, onError });
  expect(await library.getState().createBoard("Snow")).toBe("brd_1");
  expect(library.getState().boards.map((b) => b.name)).toEqual(["Snow"]);
  expect(requests[0]?.headers.get("Idempotency-Key")).toBeTruthy();
  expect(await library.getState().deleteBoard("brd_1")).toBe(false);
  expect(onError).toHaveBeenCalledTimes(1);
});

test("a month comes with its balances, and everything without", async () => {
  const month: MonthPage = {
    month: "2026-11",
    opening: { available: 1, reserved: 0 },
    closing: { available: 2, reserved: 0 },
    totals: [],
    data: [],
    has_more: false,
  };
  const { api, requests } = apiWith((r) => {
    if (r.path === "/v1/statements") return json({ data: [month] });
    return json(r.path === "/v1/statement" ? { data: [], has_more: false } : month);
  });
  const statement = createStatement(api);
  await statement.getState().refresh();
  expect(statement.getState()).toMatchObject({ months: ["2026-11"], summary: null, loaded: true });
  await statement.getState().show("2026-11");
  expect(statement.getState().summary).toMatchObject({ opening: { available: 1 }, closing: { available: 2 } });
  expect(requests.some((r) => r.path === "/v1/statements/2026-11")).toBe(true);
});

test("usage is asked for by what is chosen", async () => {
  const { api, requests } = apiWith(() => json({ from: "", to: "", data: [], total: {} }));
  const usage = createUsage(api.usage);
  await usage.getState().by(["key"]);
  expect(requests[0]?.query.getAll("group_by")).toEqual(["key"]);
  expect(usage.getState().report).not.toBeNull();
});

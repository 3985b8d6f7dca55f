// A pretended server for working on the page: the public API in memory, with the faults that a network has.
// `node e2e/fake.mjs` serves dist until stopped, `node e2e/fake.mjs --run` runs the scripted run against it once.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { FakeAccount, id, models } from "./fake-account.mjs";
import { drawPicture } from "./picture.mjs";

const PORT = Number(process.env.PORT ?? 0);
const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const POLICY = { succeeded: { running: 10_000 }, cancelled: { queued: 0, running: 5_000 }, failed: { running: 0 } };
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

const accounts = new Map(); // by key
const faults = { lostCreate: true, cutStreams: new Set() };

// Pictures come from another origin, as they do from an object store.
const store = createServer((request, response) => {
  const { searchParams } = new URL(request.url, "http://store");
  const picture = drawPicture(searchParams.get("p"), Number(searchParams.get("w")), Number(searchParams.get("h")));
  response.writeHead(200, { "Content-Type": "image/png", "Access-Control-Allow-Origin": "*" }).end(picture);
});
store.listen(PORT === 0 ? 0 : PORT + 1);
await once(store, "listening");
const storeOrigin = `http://localhost:${store.address().port}`;

function shown(image) {
  const address = (w, h) => `${storeOrigin}/?p=${encodeURIComponent(image.request.prompt + image.seed)}&w=${w}&h=${h}`;
  const url_expires_at = new Date(Date.now() + 900_000).toISOString();
  return {
    ...image,
    url: address(image.width / 2, image.height / 2),
    thumbnail_url: address(256, 256),
    url_expires_at,
  };
}

const shownGeneration = (generation) => ({ ...generation, images: generation.images.map(shown) });

function page(items, query) {
  const from = Number(query.get("cursor") ?? 0);
  const to = from + Number(query.get("limit") ?? 50);
  const has_more = to < items.length;
  return { data: items.slice(from, to), has_more, ...(has_more ? { next_cursor: String(to) } : {}) };
}

function problem(status, code, more = {}) {
  return {
    status,
    body: { type: `/problems/${code}`, title: code, status, code, request_id: id("req_"), retryable: false, ...more },
  };
}

const rules = Object.entries(POLICY).flatMap(([terminal, stages]) =>
  Object.entries(stages).map(([stage, share_basis_points]) => ({ terminal, stage, share_basis_points, why: "" })),
);

const routes = [
  ["GET", /^\/v1\/models$/, () => ok({ price_book: "2026-11-01", data: models })],
  ["GET", /^\/v1\/settlement-policy$/, () => ok({ version: "2026-11-01", rules })],
  [
    "GET",
    /^\/v1\/plans$/,
    () =>
      ok({
        data: [
          {
            key: "free",
            name: "Free",
            tier: "free",
            credits: 100,
            monthly_cents: 0,
            annual_discount_percent: 0,
            slots: 4,
            credit_line: 0,
          },
        ],
      }),
  ],
  [
    "POST",
    /^\/v1\/accounts$/,
    ({ body }) => {
      const account = new FakeAccount(body.name);
      const secret = id("pv_");
      accounts.set(secret, account);
      const api_key = {
        id: id("key_"),
        prefix: secret.slice(0, 8),
        name: "first",
        created_at: new Date().toISOString(),
        secret,
      };
      return { status: 201, body: { account: account.account, api_key }, account };
    },
  ],
  ["GET", /^\/v1\/account$/, ({ account }) => ok(account.account)],
  ["GET", /^\/v1\/balance$/, ({ account }) => ok(account.balance())],
  ["GET", /^\/v1\/statement$/, ({ account, query }) => ok(page(account.lines, query))],
  ["POST", /^\/v1\/quotes$/, ({ account, body }) => ok(account.quote(body))],
  [
    "GET",
    /^\/v1\/generations$/,
    ({ account, query }) => {
      const open = [...account.generations.values()].filter((g) => ["queued", "running"].includes(g.status));
      return ok(page(open.map(shownGeneration), query));
    },
  ],
  ["POST", /^\/v1\/generations$/, create],
  [
    "GET",
    /^\/v1\/generations\/(\w+)$/,
    ({ account, match }) => found(account.generations.get(match[1]), shownGeneration),
  ],
  [
    "POST",
    /^\/v1\/generations\/(\w+)\/cancel$/,
    ({ account, match }) => {
      const generation = account.generations.get(match[1]);
      const share = POLICY.cancelled[generation.status];
      if (share === undefined) return problem(409, "already-ended");
      return ok(account.end(generation, "cancelled", Math.floor((generation.settlement.reserved * share) / 10_000)));
    },
  ],
  ["GET", /^\/v1\/search$/, search],
  [
    "GET",
    /^\/v1\/images\/(\w+)$/,
    ({ account, match }) =>
      found(
        account.images.find((i) => i.id === match[1]),
        shown,
      ),
  ],
  [
    "PATCH",
    /^\/v1\/images\/(\w+)$/,
    ({ account, match, body }) => {
      const image = account.images.find((i) => i.id === match[1]);
      Object.assign(image, body, { version: image.version + 1 });
      account.position++;
      return ok({ id: image.id, tags: image.tags, favourite: image.favourite, version: image.version });
    },
  ],
  [
    "DELETE",
    /^\/v1\/images\/(\w+)$/,
    ({ account, match }) => {
      account.images = account.images.filter((i) => i.id !== match[1]);
      account.position++;
      return { status: 204 };
    },
  ],
];

function ok(body) {
  return { status: 200, body };
}

function found(value, show) {
  return value ? ok(show(value)) : problem(404, "not-found");
}

function create({ account, body, request }) {
  const key = request.headers["idempotency-key"];
  if (!key) return problem(400, "invalid-request", { detail: "Idempotency-Key is missing" });
  const kept = account.outcomes.get(key);
  if (kept) return { ...kept, replayed: true };
  const generation = account.request(body);
  const { credits } = account.quote(body);
  const outcome = generation
    ? { status: 201, body: structuredClone(generation) }
    : problem(402, "insufficient-credits", { required: credits, available: account.available });
  account.outcomes.set(key, outcome);
  const lost = faults.lostCreate; // the first answer gets lost on its way, after the purchase was made
  faults.lostCreate = false;
  return lost ? { lost } : outcome;
}

function search({ account, query }) {
  const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const matches = account.images.filter(({ request: { prompt, model }, tags, favourite }) => {
    const text = [prompt, ...tags].join(" ").toLowerCase();
    return (
      words.every((word) => text.includes(word)) &&
      query.getAll("tag").every((tag) => tags.includes(tag)) &&
      (query.get("model") ?? model) === model &&
      (query.get("favourite") !== "true" || favourite)
    );
  });
  return ok({ ...page(matches.map(shown), query), total: matches.length });
}

/** Streams a generation. The first connection of each is cut in the middle, so that resuming is tried too. */
function stream(account, generation, request, response) {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  const cut = !faults.cutStreams.has(generation.id);
  faults.cutStreams.add(generation.id);
  let sent = 0;
  const send = (event, data) => {
    response.write(`id: ${generation.version}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    if (cut && ++sent === 4) response.destroy();
    if (["succeeded", "cancelled"].includes(data.status)) response.end();
  };
  send("snapshot", shownGeneration(generation));
  account.changes.on(generation.id, send);
  response.on("close", () => account.changes.off(generation.id, send));
}

async function serveFile(path, response) {
  const file = join(DIST, normalize(path));
  const body = await readFile(file).catch(() => readFile(join(DIST, "index.html")));
  const csp =
    `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ${storeOrigin}; ` +
    `img-src 'self' data: ${storeOrigin}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;
  response
    .writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "text/html", "Content-Security-Policy": csp })
    .end(body);
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams: query } = new URL(request.url, "http://fake");
  if (!pathname.startsWith("/v1/")) return serveFile(pathname, response);
  const account = accounts.get((request.headers.authorization ?? "").replace("Bearer ", ""));
  const chunks = await readAll(request);
  const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks)) : {};
  const streamed = /^\/v1\/generations\/(\w+)\/events$/.exec(pathname);
  if (streamed && account) return stream(account, account.generations.get(streamed[1]), request, response);
  return answer(handle({ method: request.method, pathname, query, body, account, request }), account, response);
});

async function readAll(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks;
}

function handle(call) {
  const open = /^\/v1\/(models|plans|settlement-policy|accounts)$/.test(call.pathname);
  if (!open && !call.account) return problem(401, "unauthenticated");
  for (const [method, pattern, run] of routes) {
    const match = call.method === method ? pattern.exec(call.pathname) : null;
    if (match) return run({ ...call, match });
  }
  return problem(404, "not-found");
}

function answer(result, account, response) {
  if (result.lost) return response.destroy();
  const type = result.status >= 400 ? "application/problem+json" : "application/json";
  response.setHeader("Content-Type", type);
  const known = result.account ?? account;
  if (known) response.setHeader("Pingvas-Position", known.at());
  if (result.replayed) response.setHeader("Idempotency-Replayed", "true");
  return response.writeHead(result.status).end(result.body === undefined ? undefined : JSON.stringify(result.body));
}

server.listen(PORT);
await once(server, "listening");
const base = `http://localhost:${server.address().port}`;
console.log(`the fake server is at ${base}`);

if (process.argv.includes("--run")) {
  const run = spawn(process.execPath, [fileURLToPath(new URL("run.mjs", import.meta.url))], {
    stdio: "inherit",
    env: { ...process.env, BASE_URL: base },
  });
  const [code] = await once(run, "exit");
  process.exit(code ?? 1);
}

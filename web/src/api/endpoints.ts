import { attempt, type AttemptStorage } from "./attempt";
import type { Call, Client } from "./client";
import type * as api from "./schema";

export const PAGE_IMAGES = 24;
const PAGE_LINES = 50;
const PAGE_OPEN_JOBS = 50;

/** What the gallery is narrowed to. Empty values do not narrow. */
export interface ImageFilter {
  words: string;
  tag: string;
  model: string;
  favourite: boolean;
  /** A board, or `none` for the images that are on no board. The search for words does not know boards and stars. */
  board: string;
  /** The fewest stars. */
  stars: number;
}

/** Whether the gallery itself can answer, and change what it finds. */
export function isGalleryFilter(filter: ImageFilter): boolean {
  return filter.words.trim() === "";
}

/** The calls of the API that the app makes. */
export type Api = ReturnType<typeof createApi>;

export function createApi(client: Client, attempts: AttemptStorage) {
  return { ...purchases(client, attempts), ...credits(client), ...images(client), ...library(client) };
}

function purchases(client: Client, attempts: AttemptStorage) {
  const post =
    <T>(path: string, options: Call = {}) =>
    (key: string, body: unknown) =>
      client.json<T>(path, { ...options, method: "POST", body, headers: { "Idempotency-Key": key }, repeatable: true });
  return {
    openAccount: (body: api.OpenAccount) =>
      attempt(
        attempts,
        { purpose: "open-account", wish: body, body },
        post<api.OpenedAccount>("/v1/accounts", { anonymous: true }),
      ),
    // The quote is how a purchase is priced, not what is bought: with another quote it is still the same purchase.
    generate: (body: api.GenerationRequest) =>
      attempt(
        attempts,
        { purpose: "generate", wish: { ...body, quote: undefined }, body },
        post<api.Generation>("/v1/generations"),
      ),
    quote: (body: api.QuoteRequest, signal?: AbortSignal) =>
      client.json<api.Quote>("/v1/quotes", { method: "POST", body, signal, repeatable: true }),
    generation: (id: string) => client.json<api.Generation>(generationPath(id), { fresh: true }),
    openGenerations: () =>
      client.json<api.GenerationPage>("/v1/generations", { query: { open: true, limit: PAGE_OPEN_JOBS }, fresh: true }),
    // Cancelling a cancelled job changes nothing, so no key is needed to repeat it.
    // At most what the page has said: a worker may have taken the job since.
    cancel: (id: string, chargeAtMost?: number) =>
      client.json<api.Cancellation>(`${generationPath(id)}/cancel`, {
        method: "POST",
        query: { charge_at_most: chargeAtMost },
        repeatable: true,
      }),
  };
}

function credits(client: Client) {
  return {
    account: () => client.json<api.Account>("/v1/account"),
    plans: () => client.json<api.PlanList>("/v1/plans", { anonymous: true }),
    models: () => client.json<api.ModelList>("/v1/models", { anonymous: true }),
    settlementPolicy: () => client.json<api.SettlementPolicy>("/v1/settlement-policy", { anonymous: true }),
    balance: () => client.json<api.Balance>("/v1/balance", { fresh: true }),
    statement: (cursor?: string) =>
      client.json<api.StatementPage>("/v1/statement", { query: { cursor, limit: PAGE_LINES }, fresh: true }),
    months: () => client.json<api.MonthList>("/v1/statements", { fresh: true }),
    monthLines: (month: string, cursor?: string) =>
      client.json<api.MonthPage>(monthPath(month), { query: { cursor, limit: PAGE_LINES }, fresh: true }),
    monthCsv: async (month: string) => (await client.raw(`${monthPath(month)}/csv`, { fresh: true })).blob(),
    usage: (groupBy: UsageGroup[]) =>
      client.json<api.UsageReport>("/v1/usage", { query: { group_by: groupBy }, fresh: true }),
  };
}

function images(client: Client) {
  return {
    image: (id: string) => client.json<api.Image>(imagePath(id), { fresh: true }),
    search: (filter: ImageFilter, cursor?: string, signal?: AbortSignal) =>
      usesGallery(filter)
        ? listImages(client, filter, cursor, signal)
        : client.json<api.SearchPage>("/v1/search", { query: { ...searchQuery(filter), cursor }, signal, fresh: true }),
    updateImage: (id: string, body: api.ImageUpdate) =>
      client.json<api.ImageMarks>(imagePath(id), { method: "PATCH", body, repeatable: true }),
    deleteImage: (id: string) => client.json<void>(imagePath(id), { method: "DELETE", repeatable: true }),
  };
}

function usesGallery(filter: ImageFilter): boolean {
  return isGalleryFilter(filter) && (filter.board !== "" || filter.stars > 0);
}

async function listImages(
  client: Client,
  filter: ImageFilter,
  cursor?: string,
  signal?: AbortSignal,
): Promise<api.SearchPage> {
  const { tags, ...rest } = bodyFilter(filter);
  const query = { ...rest, tag: tags, cursor, limit: PAGE_IMAGES };
  const [page, count] = await Promise.all([
    client.json<api.ImagePage>("/v1/images", { query, signal, fresh: true }),
    countImages(client, filter, signal),
  ]);
  return { ...page, total: count.images };
}

function countImages(client: Client, filter: ImageFilter, signal?: AbortSignal) {
  const body: api.ImageCountRequest = { filter: bodyFilter(filter) };
  return client.json<api.ImageCount>("/v1/images:count", {
    method: "POST",
    body,
    signal,
    fresh: true,
    repeatable: true,
  });
}

/** The filter as the gallery and the changes of many images take it. */
export function bodyFilter(filter: ImageFilter): api.ImageFilter {
  const body: api.ImageFilter = {};
  if (filter.tag !== "") body.tags = [filter.tag];
  if (filter.model !== "") body.model = filter.model;
  if (filter.favourite) body.favourite = true;
  if (filter.board !== "") body.board = filter.board;
  if (filter.stars > 0) body.rating_min = filter.stars;
  return body;
}

export type UsageGroup = "day" | "model" | "tier" | "key";

function library(client: Client) {
  const repeatable = true;
  return {
    boards: () => client.json<api.BoardList>("/v1/boards", { fresh: true }),
    createBoard: (name: string) =>
      client.json<api.NamedBoard>("/v1/boards", {
        method: "POST",
        body: { name },
        headers: { "Idempotency-Key": crypto.randomUUID() },
        repeatable,
      }),
    renameBoard: (id: string, name: string) =>
      client.json<api.NamedBoard>(boardPath(id), { method: "PATCH", body: { name }, repeatable }),
    deleteBoard: (id: string) => client.json<void>(boardPath(id), { method: "DELETE" }),
    savedSearches: () => client.json<api.SavedSearchList>("/v1/saved-searches", { fresh: true }),
    saveSearch: (body: api.SaveSearch) =>
      client.json<api.SavedSearch>("/v1/saved-searches", {
        method: "POST",
        body,
        headers: { "Idempotency-Key": crypto.randomUUID() },
        repeatable,
      }),
    renameSearch: (id: string, name: string) =>
      client.json<api.SavedSearch>(searchPath(id), { method: "PATCH", body: { name }, repeatable }),
    deleteSearch: (id: string) => client.json<void>(searchPath(id), { method: "DELETE" }),
    countImages: (filter: ImageFilter) => countImages(client, filter),
    bulk: (body: api.BulkRequest) =>
      client.json<api.BulkResult>("/v1/images:bulk", {
        method: "POST",
        body,
        headers: { "Idempotency-Key": crypto.randomUUID() },
        fresh: true,
        repeatable,
      }),
  };
}

function searchQuery(filter: ImageFilter) {
  return {
    q: filter.words.trim() || undefined,
    tag: filter.tag === "" ? undefined : [filter.tag],
    model: filter.model || undefined,
    favourite: filter.favourite ? true : undefined,
    limit: PAGE_IMAGES,
  };
}

function imagePath(id: string): string {
  return `/v1/images/${encodeURIComponent(id)}`;
}

function boardPath(id: string): string {
  return `/v1/boards/${encodeURIComponent(id)}`;
}

function searchPath(id: string): string {
  return `/v1/saved-searches/${encodeURIComponent(id)}`;
}

function monthPath(month: string): string {
  return `/v1/statements/${encodeURIComponent(month)}`;
}

function generationPath(id: string): string {
  return `/v1/generations/${encodeURIComponent(id)}`;
}

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
}

/** The calls of the API that the app makes. */
export type Api = ReturnType<typeof createApi>;

export function createApi(client: Client, attempts: AttemptStorage) {
  return { ...purchases(client, attempts), ...credits(client), ...images(client) };
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
  };
}

function images(client: Client) {
  return {
    image: (id: string) => client.json<api.Image>(imagePath(id), { fresh: true }),
    search: (filter: ImageFilter, cursor?: string, signal?: AbortSignal) =>
      client.json<api.SearchPage>("/v1/search", { query: { ...searchQuery(filter), cursor }, signal, fresh: true }),
    updateImage: (id: string, body: api.ImageUpdate) =>
      client.json<api.ImageMarks>(imagePath(id), { method: "PATCH", body, repeatable: true }),
    deleteImage: (id: string) => client.json<void>(imagePath(id), { method: "DELETE", repeatable: true }),
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

function generationPath(id: string): string {
  return `/v1/generations/${encodeURIComponent(id)}`;
}

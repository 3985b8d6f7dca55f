import { ApiError, CODE_UNREADABLE } from "./problem";

const PREFIX = "pingvas.attempt.";

/** The part of Storage that attempts need. */
export type AttemptStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** What is bought: `wish` says whether two attempts are the same purchase, `body` is what is sent for it. */
export interface Purchase<B> {
  purpose: string;
  wish: unknown;
  body: B;
}

/**
 * Runs a purchase with an idempotency key. Key and body are kept, over reloads too, until the outcome is known: a
 * success or a refusal. So a purchase whose answer was lost is sent again as it was and never made twice.
 */
export async function attempt<B, T>(
  storage: AttemptStorage,
  purchase: Purchase<B>,
  run: (key: string, body: B) => Promise<T>,
): Promise<T> {
  const slot = PREFIX + purchase.purpose;
  const wish = JSON.stringify(purchase.wish);
  const kept = readSlot<B>(storage, slot);
  const { key, body } = kept?.wish === wish ? kept : { key: crypto.randomUUID(), body: purchase.body };
  storage.setItem(slot, JSON.stringify({ key, wish, body }));
  try {
    const outcome = await run(key, body);
    storage.removeItem(slot);
    return outcome;
  } catch (error) {
    if (isDecided(error)) storage.removeItem(slot);
    throw error;
  }
}

function readSlot<B>(storage: AttemptStorage, slot: string): { key: string; wish: string; body: B } | null {
  try {
    return JSON.parse(storage.getItem(slot) ?? "null") as { key: string; wish: string; body: B } | null;
  } catch {
    return null;
  }
}

// A refusal in the server's own words. It is kept under the key for ever, so what comes next needs another key.
function isDecided(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && error.code !== CODE_UNREADABLE;
}

import { createStore } from "zustand/vanilla";
import { ApiError, toApiError } from "../api/problem";
import type { Account, OpenedAccount } from "../api/schema";

const KEY_SLOT = "pingvas.key";
const PREFIX_SHOWN = 10; // characters of the key: enough to tell keys apart, too few to use one

export interface Session {
  /** The API key in use, or null. */
  key: string | null;
  account: Account | null;
  /** A secret that was just made and has to be saved by the user before going on. */
  secret: string | null;
  busy: boolean;
  error: ApiError | null;
  /** The account was opened, but the answer with its key got lost. */
  lost: boolean;
  start(): Promise<void>;
  open(name: string): Promise<void>;
  paste(key: string): Promise<void>;
  acknowledge(): void;
  reject(): void;
  forget(): void;
}

export interface SessionConfig {
  storage: Storage;
  openAccount: (body: { name?: string }) => Promise<OpenedAccount>;
  getAccount: () => Promise<Account>;
  /** Called before another key is used, and when none is any more. */
  onChange: () => void;
}

export function createSession({ storage, openAccount, getAccount, onChange }: SessionConfig) {
  return createStore<Session>((set, get) => {
    const fresh = { account: null, secret: null, error: null, lost: false };

    async function enter(key: string): Promise<void> {
      onChange();
      set({ ...fresh, key, busy: true });
      try {
        const account = await getAccount();
        storage.setItem(KEY_SLOT, key);
        set({ account, busy: false });
      } catch (error) {
        set({ busy: false, error: toApiError(error) });
      }
    }

    return {
      ...fresh,
      key: storage.getItem(KEY_SLOT),
      busy: false,
      async start() {
        const { key } = get();
        if (key !== null) await enter(key);
      },
      paste: (key) => enter(key.trim()),
      async open(name) {
        set({ ...fresh, busy: true });
        try {
          const trimmed = name.trim();
          const { account, api_key: made } = await openAccount(trimmed === "" ? {} : { name: trimmed });
          if (made?.secret === undefined) {
            set({ busy: false, lost: true });
            return;
          }
          onChange();
          storage.setItem(KEY_SLOT, made.secret);
          set({ busy: false, account, key: made.secret, secret: made.secret });
        } catch (error) {
          set({ busy: false, error: toApiError(error) });
        }
      },
      acknowledge: () => set({ secret: null }),
      reject() {
        onChange();
        set({ ...fresh, error: new ApiError("unauthenticated", 401, null) });
      },
      forget() {
        storage.removeItem(KEY_SLOT);
        onChange();
        set({ ...fresh, key: null });
      },
    };
  });
}

export function prefixOf(key: string): string {
  return key.slice(0, PREFIX_SHOWN) + "…";
}

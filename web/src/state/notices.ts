import { createStore } from "zustand/vanilla";
import { toApiError, type ApiError } from "../api/problem";
import type { MessageKey, Params } from "../i18n";

const PROBLEMS_MAX = 3;
const INFO_SHOWN_MS = 5_000;

export type Notice = { id: number } & (
  { kind: "info"; key: MessageKey; params: Params } | { kind: "problem"; error: ApiError }
);

export interface Notices {
  list: Notice[];
  say(key: MessageKey, params?: Params): void;
  fail(error: unknown): void;
  dismiss(id: number): void;
}

/** What the app tells without being asked. Information makes way for the next one, problems stay until dismissed. */
export function createNotices() {
  let last = 0;
  return createStore<Notices>((set, get) => ({
    list: [],
    say(key, params = {}) {
      const id = ++last;
      const problems = get().list.filter((notice) => notice.kind === "problem");
      set({ list: [...problems, { id, kind: "info", key, params }] });
      setTimeout(() => get().dismiss(id), INFO_SHOWN_MS);
    },
    fail(error) {
      const notice: Notice = { id: ++last, kind: "problem", error: toApiError(error) };
      set({ list: [...get().list, notice].slice(-PROBLEMS_MAX) });
    },
    dismiss: (id) => set({ list: get().list.filter((notice) => notice.id !== id) }),
  }));
}

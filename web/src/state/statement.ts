import { createStore } from "zustand/vanilla";
import { toApiError, type ApiError } from "../api/problem";
import type { StatementLine, StatementPage } from "../api/schema";

export interface Statement {
  lines: StatementLine[];
  cursor: string | null;
  loaded: boolean;
  loading: boolean;
  error: ApiError | null;
  refresh(): Promise<void>;
  more(): Promise<void>;
  clear(): void;
}

export function createStatement(fetchPage: (cursor?: string) => Promise<StatementPage>) {
  return createStore<Statement>((set, get) => {
    let turn = 0;

    async function load(cursor?: string): Promise<void> {
      const mine = ++turn;
      set({ loading: true, error: null });
      try {
        const page = await fetchPage(cursor);
        if (mine !== turn) return;
        const lines = cursor === undefined ? page.data : [...get().lines, ...page.data];
        set({ lines, cursor: page.has_more ? (page.next_cursor ?? null) : null, loaded: true, loading: false });
      } catch (error) {
        if (mine === turn) set({ loading: false, error: toApiError(error) });
      }
    }

    return {
      lines: [],
      cursor: null,
      loaded: false,
      loading: false,
      error: null,
      refresh: () => load(),
      async more() {
        const { cursor, loading } = get();
        if (cursor !== null && !loading) await load(cursor);
      },
      clear() {
        turn++;
        set({ lines: [], cursor: null, loaded: false, loading: false, error: null });
      },
    };
  });
}

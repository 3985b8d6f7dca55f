import { createStore } from "zustand/vanilla";
import { toApiError, type ApiError } from "../api/problem";
import type { Month, MonthList, MonthPage, StatementLine, StatementPage } from "../api/schema";

export interface Statement {
  lines: StatementLine[];
  cursor: string | null;
  loaded: boolean;
  loading: boolean;
  error: ApiError | null;
  /** The months that have lines, newest first. */
  months: string[];
  /** The month that is shown, or an empty text for everything. */
  month: string;
  /** Balances and totals of the month that is shown. */
  summary: Month | null;
  show(month: string): Promise<void>;
  refresh(): Promise<void>;
  more(): Promise<void>;
  clear(): void;
}

export interface StatementConfig {
  statement: (cursor?: string) => Promise<StatementPage>;
  months: () => Promise<MonthList>;
  monthLines: (month: string, cursor?: string) => Promise<MonthPage>;
}

const empty = { lines: [], cursor: null, loaded: false, loading: false, error: null, month: "", summary: null };

/** Every movement, newest first, or those of one month, oldest first. */
export function createStatement(config: StatementConfig) {
  return createStore<Statement>((set, get) => {
    let turn = 0;

    async function load(cursor?: string): Promise<void> {
      const mine = ++turn;
      set({ loading: true, error: null });
      try {
        const { month } = get();
        const summary = month === "" ? null : await config.monthLines(month, cursor);
        const page = summary ?? (await config.statement(cursor));
        const months = cursor === undefined ? (await config.months()).data.map((m) => m.month) : get().months;
        if (mine !== turn) return;
        set({ months, summary });
        const lines = cursor === undefined ? page.data : [...get().lines, ...page.data];
        set({ lines, cursor: page.has_more ? (page.next_cursor ?? null) : null, loaded: true, loading: false });
      } catch (error) {
        if (mine === turn) set({ loading: false, error: toApiError(error) });
      }
    }

    return {
      ...empty,
      months: [],
      async show(month) {
        set({ ...empty, month });
        await load();
      },
      refresh: () => load(),
      async more() {
        const { cursor, loading } = get();
        if (cursor !== null && !loading) await load(cursor);
      },
      clear() {
        turn++;
        set({ ...empty, months: [] });
      },
    };
  });
}

import { createStore } from "zustand/vanilla";
import type { UsageGroup } from "../api/endpoints";
import { toApiError, type ApiError } from "../api/problem";
import type { UsageReport } from "../api/schema";

export interface Usage {
  groups: UsageGroup[];
  report: UsageReport | null;
  error: ApiError | null;
  by(groups: UsageGroup[]): Promise<void>;
  refresh(): Promise<void>;
  clear(): void;
}

/** What was used in the last 30 days. */
export function createUsage(fetchReport: (groups: UsageGroup[]) => Promise<UsageReport>) {
  return createStore<Usage>((set, get) => {
    let turn = 0;
    return {
      groups: ["day"],
      report: null,
      error: null,
      async by(groups) {
        set({ groups });
        await get().refresh();
      },
      async refresh() {
        const mine = ++turn;
        try {
          const report = await fetchReport(get().groups);
          if (mine === turn) set({ report, error: null });
        } catch (error) {
          if (mine === turn) set({ error: toApiError(error) });
        }
      },
      clear() {
        turn++;
        set({ groups: ["day"], report: null, error: null });
      },
    };
  });
}

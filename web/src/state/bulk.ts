import { createStore } from "zustand/vanilla";
import { bodyFilter, type ImageFilter } from "../api/endpoints";
import type { BulkAction, BulkRequest, BulkResult, ImageCount } from "../api/schema";

/** How many images one call may name. */
export const CHOSEN_MAX = 200;

export interface Bulk {
  /** Whether a click on an image chooses it instead of opening it. */
  choosing: boolean;
  chosen: ReadonlySet<string>;
  /** How many images match the filter, when all of them are chosen. */
  all: ImageCount | null;
  /** How many images a change has come to, while it runs. */
  progress: number | null;
  start(): void;
  stop(): void;
  toggle(id: string): void;
  chooseAll(): Promise<void>;
  run(action: BulkAction): Promise<boolean>;
}

export interface BulkConfig {
  filter: () => ImageFilter;
  countImages: (filter: ImageFilter) => Promise<ImageCount>;
  bulk: (body: BulkRequest) => Promise<BulkResult>;
  onDone: (changed: number, refused: number) => void;
  onError: (error: unknown) => void;
}

const nothing = { chosen: new Set<string>(), all: null, progress: null };

/** Changes many images at once: those that are chosen, or all that match, page by page. */
export function createBulk(config: BulkConfig) {
  return createStore<Bulk>((set, get) => {
    let counted: ImageFilter | null = null;

    async function runAll(pages: (cursor?: string) => BulkRequest): Promise<[changed: number, refused: number]> {
      let [seen, changed, refused] = [0, 0, 0];
      let cursor: string | undefined;
      do {
        const result = await config.bulk(pages(cursor)); // each page begins where the one before has ended
        changed += result.changed;
        refused += result.refused.length;
        seen += result.changed + result.unchanged + result.skipped + result.refused.length;
        set({ progress: seen });
        cursor = result.has_more ? result.next_cursor : undefined;
      } while (cursor !== undefined);
      return [changed, refused];
    }

    return {
      choosing: false,
      ...nothing,
      start: () => set({ choosing: true, ...nothing }),
      stop: () => set({ choosing: false, ...nothing }),
      toggle(id) {
        const chosen = new Set(get().chosen);
        if (!chosen.delete(id) && chosen.size < CHOSEN_MAX) chosen.add(id);
        set({ chosen, all: null });
      },
      async chooseAll() {
        try {
          counted = config.filter();
          set({ all: await config.countImages(counted), chosen: new Set() });
        } catch (error) {
          config.onError(error);
        }
      },
      async run(action) {
        const { all, chosen, progress } = get();
        if (progress !== null) return false;
        const filter = bodyFilter(counted ?? config.filter());
        set({ progress: 0 });
        try {
          const [changed, refused] = await runAll((cursor) => {
            if (!all) return { images: [...chosen], action };
            return cursor === undefined ? { filter, action } : { filter, action, cursor };
          });
          get().stop();
          config.onDone(changed, refused);
          return true;
        } catch (error) {
          set({ progress: null });
          config.onError(error);
          return false;
        }
      },
    };
  });
}

import { createStore } from "zustand/vanilla";
import type { ImageFilter } from "../api/endpoints";
import { bodyFilter } from "../api/endpoints";
import type { Board, BoardList, NamedBoard, SavedQuery, SavedSearch, SavedSearchList, SaveSearch } from "../api/schema";
import { noFilter } from "./gallery";

export interface Library {
  boards: Board[];
  searches: SavedSearch[];
  refresh(): Promise<void>;
  createBoard(name: string): Promise<string | null>;
  renameBoard(id: string, name: string): Promise<boolean>;
  deleteBoard(id: string): Promise<boolean>;
  saveSearch(name: string, filter: ImageFilter): Promise<boolean>;
  renameSearch(id: string, name: string): Promise<boolean>;
  deleteSearch(id: string): Promise<boolean>;
  clear(): void;
}

export interface LibraryConfig {
  boards: () => Promise<BoardList>;
  createBoard: (name: string) => Promise<NamedBoard>;
  renameBoard: (id: string, name: string) => Promise<NamedBoard>;
  deleteBoard: (id: string) => Promise<void>;
  savedSearches: () => Promise<SavedSearchList>;
  saveSearch: (body: SaveSearch) => Promise<SavedSearch>;
  renameSearch: (id: string, name: string) => Promise<SavedSearch>;
  deleteSearch: (id: string) => Promise<void>;
  onError: (error: unknown) => void;
}

/** The boards and the saved searches, read again after every change. */
export function createLibrary(config: LibraryConfig) {
  return createStore<Library>((set, get) => {
    let turn = 0;

    async function changed<T>(change: () => Promise<T>): Promise<T | null> {
      try {
        const result = await change();
        await get().refresh();
        return result;
      } catch (error) {
        config.onError(error);
        return null;
      }
    }
    const done = async (change: () => Promise<unknown>) => (await changed(async () => (await change(), true))) === true;

    return {
      boards: [],
      searches: [],
      async refresh() {
        const mine = ++turn;
        try {
          const [boards, searches] = await Promise.all([config.boards(), config.savedSearches()]);
          if (mine === turn) set({ boards: boards.data, searches: searches.data });
        } catch (error) {
          if (mine === turn) config.onError(error);
        }
      },
      createBoard: async (name) => (await changed(() => config.createBoard(name)))?.id ?? null,
      renameBoard: (id, name) => done(() => config.renameBoard(id, name)),
      deleteBoard: (id) => done(() => config.deleteBoard(id)),
      saveSearch: (name, filter) => done(() => config.saveSearch({ name, query: toQuery(filter) })),
      renameSearch: (id, name) => done(() => config.renameSearch(id, name)),
      deleteSearch: (id) => done(() => config.deleteSearch(id)),
      clear() {
        turn++;
        set({ boards: [], searches: [] });
      },
    };
  });
}

export function toQuery(filter: ImageFilter): SavedQuery {
  const query: SavedQuery = bodyFilter(filter);
  const words = filter.words.trim();
  return words === "" ? query : { ...query, q: words };
}

/** The filter of this app that a saved search stands for. What the app has no control for is left out. */
export function fromQuery(query: SavedQuery): ImageFilter {
  return {
    ...noFilter,
    words: query.q ?? "",
    tag: query.tags?.[0] ?? "",
    model: query.model ?? "",
    favourite: query.favourite === true,
    board: query.board ?? "",
    stars: query.rating_min ?? 0,
  };
}

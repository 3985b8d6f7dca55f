import { createStore } from "zustand/vanilla";
import type { ImageFilter } from "../api/endpoints";
import { isAborted, toApiError, type ApiError } from "../api/problem";
import type { Image, ImageMarks, SearchPage } from "../api/schema";

const TYPING_DELAY_MS = 300;

export const noFilter: ImageFilter = { words: "", tag: "", model: "", favourite: false, board: "", stars: 0 };

export interface Gallery {
  filter: ImageFilter;
  images: Image[];
  total: number | null;
  cursor: string | null;
  loading: boolean;
  error: ApiError | null;
  narrow(change: Partial<ImageFilter>): void;
  refresh(): Promise<void>;
  more(): Promise<void>;
  replace(image: Image): void;
  mark(marks: ImageMarks): void;
  remove(id: string): void;
  clear(): void;
}

type Search = (filter: ImageFilter, cursor?: string, signal?: AbortSignal) => Promise<SearchPage>;

export function createGallery(search: Search) {
  return createStore<Gallery>((set, get) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let running: AbortController | undefined;

    async function load(cursor?: string): Promise<void> {
      clearTimeout(timer);
      running?.abort();
      const { signal } = (running = new AbortController());
      set({ loading: true, error: null });
      try {
        const page = await search(get().filter, cursor, signal);
        if (signal.aborted) return;
        const images = cursor === undefined ? page.data : joined(get().images, page.data);
        set({ images, total: page.total, cursor: page.has_more ? (page.next_cursor ?? null) : null, loading: false });
      } catch (error) {
        if (!signal.aborted && !isAborted(error)) set({ loading: false, error: toApiError(error) });
      }
    }

    return {
      filter: noFilter,
      images: [],
      total: null,
      cursor: null,
      loading: false,
      error: null,
      narrow(change) {
        set({ filter: narrowed(get().filter, change) });
        clearTimeout(timer);
        const typed = "words" in change || "tag" in change;
        timer = setTimeout(() => void load(), typed ? TYPING_DELAY_MS : 0);
      },
      refresh: () => load(),
      async more() {
        const { cursor, loading } = get();
        if (cursor !== null && !loading) await load(cursor);
      },
      replace: (image) => set({ images: get().images.map((i) => (i.id === image.id ? image : i)) }),
      mark({ id, tags, favourite, rating, boards, version }) {
        const marks = { tags, favourite, rating, boards, version };
        set({ images: get().images.map((i) => (i.id === id ? { ...i, ...marks } : i)) });
      },
      remove(id) {
        const { images, total } = get();
        const left = images.filter((i) => i.id !== id);
        set({ images: left, total: total === null ? null : total - (images.length - left.length) });
      },
      clear() {
        clearTimeout(timer);
        running?.abort();
        set({ filter: noFilter, images: [], total: null, cursor: null, loading: false, error: null });
      },
    };
  });
}

// Words are looked for in all images, boards and stars in the gallery: the newer wish ends the older one.
function narrowed(filter: ImageFilter, change: Partial<ImageFilter>): ImageFilter {
  const next = { ...filter, ...change };
  if (change.words !== undefined && change.words.trim() !== "") return { ...next, board: "", stars: 0 };
  if (change.board || change.stars) return { ...next, words: "" };
  return next;
}

// The best matches may shift between two pages: no image is shown twice.
function joined(images: Image[], next: Image[]): Image[] {
  const known = new Set(images.map((i) => i.id));
  return [...images, ...next.filter((i) => !known.has(i.id))];
}

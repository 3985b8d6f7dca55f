import { createStore } from "zustand/vanilla";
import { preferredLanguage, type Language } from "../i18n";

const LANGUAGE_SLOT = "pingvas.language";

export const PAGES = ["create", "gallery", "statement"] as const;
export type Page = (typeof PAGES)[number];

export interface Place {
  page: Page;
  language: Language;
  go(page: Page): void;
  speak(language: Language): void;
}

export function pathOf(page: Page): string {
  return page === "create" ? "/" : `/${page}`;
}

function pageAt(path: string): Page {
  return PAGES.find((page) => pathOf(page) === path) ?? "create";
}

/** Where the user is, kept in the address, and in which language, kept in the browser. */
export function createPlace(storage: Storage) {
  const place = createStore<Place>((set) => ({
    page: pageAt(location.pathname),
    language: preferredLanguage(storage.getItem(LANGUAGE_SLOT), navigator.languages),
    go(page) {
      if (location.pathname !== pathOf(page)) history.pushState(null, "", pathOf(page));
      set({ page });
    },
    speak(language) {
      storage.setItem(LANGUAGE_SLOT, language);
      document.documentElement.lang = language;
      set({ language });
    },
  }));
  document.documentElement.lang = place.getState().language;
  window.addEventListener("popstate", () => place.setState({ page: pageAt(location.pathname) }));
  return place;
}

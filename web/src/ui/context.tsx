import { createContext, useContext, useMemo } from "react";
import { useStore } from "zustand";
import { translate, translateWord, type Language, type MessageKey, type Params } from "../i18n";
import type { App } from "../state/app";

const AppContext = createContext<App | null>(null);

export const AppProvider = AppContext.Provider;

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error("there is no AppProvider above this component");
  return app;
}

/** The words and formats of the language in use. */
export interface Words {
  (key: MessageKey, params?: Params): string;
  language: Language;
  word(prefix: string, word: string): string;
  number(value: number): string;
  signed(value: number): string;
  moment(iso: string): string;
  clock(iso: string): string;
}

export function useT(): Words {
  const language = useStore(useApp().place, (place) => place.language);
  return useMemo(() => wordsOf(language), [language]);
}

function wordsOf(language: Language): Words {
  const number = new Intl.NumberFormat(language);
  const signed = new Intl.NumberFormat(language, { signDisplay: "exceptZero" });
  const moment = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat(language, { timeStyle: "short" });
  return Object.assign((key: MessageKey, params?: Params) => translate(language, key, params), {
    language,
    word: (prefix: string, word: string) => translateWord(language, prefix, word),
    number: (value: number) => number.format(value),
    signed: (value: number) => signed.format(value),
    moment: (iso: string) => moment.format(new Date(iso)),
    clock: (iso: string) => clock.format(new Date(iso)),
  });
}

import { en } from "./en";
import { ko } from "./ko";

export const LANGUAGES = ["en", "ko"] as const;
export type Language = (typeof LANGUAGES)[number];
export type MessageKey = keyof typeof en;
export type Params = Record<string, string | number>;

const messages: Record<Language, Record<MessageKey, string>> = { en, ko };

/** Puts the parameters into the message; a message with a `|` has a form for one and one for any other {n}. */
export function translate(language: Language, key: MessageKey, params: Params = {}): string {
  const [one = "", other] = messages[language][key].split("|");
  const form = other === undefined || params.n === 1 ? one : other;
  return form.replaceAll(/\{(\w+)\}/g, (whole, name: string) => show(language, params[name]) ?? whole);
}

function show(language: Language, value: string | number | undefined): string | undefined {
  return typeof value === "number" ? new Intl.NumberFormat(language).format(value) : value;
}

/** A word that the API may add to, such as a status: translated if we know it, else as it is. */
export function translateWord(language: Language, prefix: string, word: string): string {
  const key = `${prefix}.${word}`;
  return isKey(key) ? translate(language, key) : word.replaceAll("_", " ");
}

function isKey(key: string): key is MessageKey {
  return key in en;
}

export function preferredLanguage(kept: string | null, browser: readonly string[]): Language {
  const wanted = [kept ?? "", ...browser].map((tag) => tag.slice(0, 2).toLowerCase());
  return wanted.map((tag) => LANGUAGES.find((l) => l === tag)).find((l) => l !== undefined) ?? "en";
}

import { describe, expect, test } from "vitest";
import { preferredLanguage, translate, translateWord, type MessageKey } from "../src/i18n";
import { en } from "../src/i18n/en";
import { ko } from "../src/i18n/ko";
import { formatBytes, shortened } from "../src/i18n/text";

const keys = Object.keys(en) as MessageKey[];
const params = (message: string) => [...new Set(message.match(/\{\w+\}/g))].toSorted();

describe("every message", () => {
  test("is there in both languages", () => {
    expect(Object.keys(ko).toSorted()).toEqual(keys.toSorted());
  });

  test.each(keys)("%s says the same in both", (key) => {
    expect(ko[key].trim()).not.toBe("");
    expect(params(ko[key])).toEqual(params(en[key]));
    expect(en[key].split("|").length).toBeLessThanOrEqual(2);
    expect(ko[key]).not.toContain("|");
  });

  test("in Korean is Korean", () => {
    const symbols = keys.filter((key) => !/\p{Script=Hangul}/u.test(ko[key]));
    expect(symbols).toEqual(["jobs.said", "statement.change"]);
  });
});

test("numbers choose the form and are written as the language does", () => {
  expect(translate("en", "credits", { n: 1 })).toBe("1 credit");
  expect(translate("en", "credits", { n: 12_345 })).toBe("12,345 credits");
  expect(translate("ko", "credits", { n: 1 })).toBe("1크레딧");
});

test("words that the API adds later are shown as they are", () => {
  expect(translateWord("ko", "status", "running")).toBe("진행 중");
  expect(translateWord("ko", "status", "on_hold")).toBe("on hold");
});

test("the language is the kept one, else the browser's, else English", () => {
  expect(preferredLanguage("ko", ["en-GB"])).toBe("ko");
  expect(preferredLanguage(null, ["fr", "ko-KR", "en"])).toBe("ko");
  expect(preferredLanguage("xx", ["fr"])).toBe("en");
});

test("texts are shortened by characters, not by halves of them", () => {
  expect(shortened("🌊".repeat(5), 3)).toBe("🌊🌊…");
  expect(shortened("short")).toBe("short");
  expect(formatBytes(1_234_567, "en")).toBe("1.2 MB");
});

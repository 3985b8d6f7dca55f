import { describe, expect, test } from "vitest";
import { cancelCost, spendable } from "../src/state/credits";
import { checkSettings, defaultSettings, fromSpec, splitTags, withModel, type Settings } from "../src/state/settings";
import { generationOf, model } from "./server";

const good: Settings = { ...defaultSettings(model), prompt: "a lighthouse" };
const plain = { ...model, key: "plain", negative_prompt: false, guidance: { min: 0, max: 0, default: 0 } };

const rule = (stage: string, share_basis_points: number) => ({
  terminal: "cancelled",
  stage,
  share_basis_points,
  why: "",
});

describe("settings", () => {
  test("that are right become a request with every priced field", () => {
    const checked = checkSettings({ ...good, seed: "42", tags: "a,  b c , a", negative_prompt: " fog " }, model);
    expect(checked.problems).toEqual({});
    expect(checked.request).toEqual({
      operation: "text_to_image",
      model: model.key,
      prompt: "a lighthouse",
      negative_prompt: "fog",
      width: 1024,
      height: 1024,
      steps: 30,
      count: 1,
      guidance: 7,
      scheduler: "euler",
      seed: 42,
      tags: ["a", "b c"],
    });
  });

  test("leave out what is empty and what the model does not take", () => {
    const { request } = checkSettings({ ...good, negative_prompt: "fog", guidance: "nonsense" }, plain);
    expect(request).not.toBeNull();
    expect(Object.keys(request ?? {})).not.toEqual(expect.arrayContaining(["negative_prompt"]));
    expect(request).not.toHaveProperty("guidance");
    expect(request).not.toHaveProperty("seed");
  });

  test.each<[Partial<Settings>, keyof Settings, string]>([
    [{ prompt: "  " }, "prompt", "check.required"],
    [{ prompt: "가".repeat(4001) }, "prompt", "check.long"],
    [{ width: "1001" }, "width", "check.step"],
    [{ width: "4096" }, "width", "check.range"],
    [{ height: "12.5" }, "height", "check.whole"],
    [{ steps: "0" }, "steps", "check.range"],
    [{ count: "" }, "count", "check.whole"],
    [{ guidance: "" }, "guidance", "check.number"],
    [{ guidance: "21" }, "guidance", "check.range"],
    [{ seed: "4294967296" }, "seed", "check.range"],
    [{ seed: "-1" }, "seed", "check.whole"],
    [{ tags: "x".repeat(65) }, "tags", "check.long"],
    [{ tags: Array.from({ length: 33 }, (_, i) => `t${i}`).join() }, "tags", "check.tags"],
  ])("%j are refused at the field", (change, field, key) => {
    const checked = checkSettings({ ...good, ...change }, model);
    expect(checked.request).toBeNull();
    expect(Object.keys(checked.problems)).toEqual([field]);
    expect(checked.problems[field]).toMatchObject({ key });
  });

  test("can be priced before there is a prompt, but not with a wrong size", () => {
    expect(checkSettings({ ...good, prompt: "" }, model).terms).toMatchObject({ width: 1024, count: 1 });
    expect(checkSettings({ ...good, width: "7" }, model).terms).toBeNull();
  });

  test("keep what was written when the model changes", () => {
    expect(withModel({ ...good, seed: "5", steps: "99" }, plain)).toMatchObject({
      prompt: "a lighthouse",
      seed: "5",
      steps: "30",
    });
  });

  test("come back from an image", () => {
    const { request } = generationOf();
    const settings = fromSpec({ ...request, tags: ["a", "b"] }, 8, model);
    expect(settings).toMatchObject({ prompt: "a lighthouse", seed: "8", tags: "a, b", count: "1", guidance: "7" });
    expect(splitTags(settings.tags)).toEqual(["a", "b"]);
  });
});

describe("credits", () => {
  const grant = {
    grant: "g",
    source: "plan",
    priority: 0,
    amount: 50,
    available: 50,
    reserved: 0,
    consumed: 0,
    effective_at: "",
  };
  const balance = {
    at: "",
    available: 100,
    reserved: 0,
    consumed: 0,
    expired: 0,
    scheduled: 0,
    granted: 100,
    credit_line: 10,
    credit_line_used: 4,
  };

  test("count only where they may be spent, with what is left of the credit line", () => {
    const grants = [grant, { ...grant, models: ["other"] }, { ...grant, operations: ["text_to_image"], models: [] }];
    expect(spendable({ ...balance, grants }, model.key, "text_to_image")).toBe(106);
    expect(spendable({ ...balance, grants }, "other", "upscale")).toBe(106);
  });

  test("that a cancellation costs come from the policy, rounded in the customer's favour", () => {
    const policy = { version: "1", rules: [rule("queued", 0), rule("running", 5000)] };
    expect(cancelCost(policy, "queued", 5)).toBe(0);
    expect(cancelCost(policy, "running", 5)).toBe(2);
    expect(cancelCost(policy, "paused", 5)).toBeNull();
    expect(cancelCost(null, "running", 5)).toBeNull();
  });
});

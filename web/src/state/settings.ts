import type { GenerationRequest, GenerationSpec, Model, QuoteRequest } from "../api/schema";
import type { MessageKey, Params } from "../i18n";

export const OPERATION = "text_to_image";
export const PROMPT_CHARS_MAX = 4000;
const TAGS_MAX = 32;
const TAG_CHARS_MAX = 64;
const SEED_MAX = 4_294_967_295;

/** What the form holds: text as typed. */
export interface Settings {
  prompt: string;
  negative_prompt: string;
  model: string;
  width: string;
  height: string;
  steps: string;
  count: string;
  guidance: string;
  scheduler: string;
  seed: string;
  tags: string;
}

export type Field = keyof Settings;

/** Why a field is not accepted: one of our messages, or the server's own words. */
export type FieldProblem = { key: MessageKey; params?: Params } | { text: string };
export type FieldProblems = Partial<Record<Field, FieldProblem>>;

export interface Checked {
  problems: FieldProblems;
  /** What a price depends on; null while those fields are not right. */
  terms: QuoteRequest | null;
  /** The whole request without its quote; null while any field is not right. */
  request: GenerationRequest | null;
}

export function defaultSettings(model: Model): Settings {
  return {
    prompt: "",
    negative_prompt: "",
    seed: "",
    tags: "",
    count: String(model.count.default),
    ...ofModel(model),
    width: String(model.size.default),
    height: String(model.size.default),
  };
}

/** Keeps what the user wrote and takes the new model's defaults for what depends on the model. */
export function withModel(settings: Settings, model: Model): Settings {
  return { ...settings, ...ofModel(model) };
}

function ofModel(model: Model) {
  return {
    model: model.key,
    steps: String(model.steps.default),
    guidance: String(model.guidance.default),
    scheduler: model.schedulers[0] ?? "",
  };
}

/** Refills the form from what an image was made with, its own seed included. */
export function fromSpec(spec: GenerationSpec, seed: number, model: Model): Settings {
  return {
    prompt: spec.prompt,
    negative_prompt: spec.negative_prompt ?? "",
    model: spec.model,
    width: String(spec.width),
    height: String(spec.height),
    steps: String(spec.steps),
    count: "1",
    guidance: String(spec.guidance ?? model.guidance.default),
    scheduler: spec.scheduler ?? model.schedulers[0] ?? "",
    seed: String(seed),
    tags: spec.tags.join(", "),
  };
}

export function takesGuidance(model: Model): boolean {
  return model.guidance.max > 0;
}

export function splitTags(text: string): string[] {
  return [...new Set(text.split(",").map((tag) => tag.trim().replaceAll(/\s+/g, " ")))].filter((tag) => tag !== "");
}

export function checkSettings(settings: Settings, model: Model): Checked {
  const problems: FieldProblems = {};
  const whole = (field: Field, min: number, max: number) =>
    wholeNumber(settings[field], min, max, (p) => (problems[field] = p));
  const edge = (field: "width" | "height") => {
    const value = whole(field, model.size.min, model.size.max);
    if (value % model.size_step !== 0) problems[field] ??= { key: "check.step", params: { step: model.size_step } };
    return value;
  };
  const terms: QuoteRequest = {
    operation: OPERATION,
    model: model.key,
    width: edge("width"),
    height: edge("height"),
    steps: whole("steps", model.steps.min, model.steps.max),
    count: whole("count", model.count.min, model.count.max),
  };
  const priced = Object.keys(problems).length === 0;
  const request: GenerationRequest = { ...terms, operation: OPERATION, prompt: settings.prompt.trim() };
  if (request.prompt === "") problems.prompt = { key: "check.required" };
  limitText(settings, "prompt", problems);
  if (settings.seed.trim() !== "") request.seed = whole("seed", 0, SEED_MAX);
  addModelParameters(settings, model, request, problems);
  addTags(settings, request, problems);
  const valid = Object.keys(problems).length === 0;
  return { problems, terms: priced ? terms : null, request: valid ? request : null };
}

function addModelParameters(settings: Settings, model: Model, request: GenerationRequest, problems: FieldProblems) {
  if (model.negative_prompt && settings.negative_prompt.trim() !== "") {
    limitText(settings, "negative_prompt", problems);
    request.negative_prompt = settings.negative_prompt.trim();
  }
  if (model.schedulers.length > 0) request.scheduler = settings.scheduler;
  if (!takesGuidance(model)) return;
  const { min, max } = model.guidance;
  const value = Number(settings.guidance.trim().replace(",", ".") || Number.NaN);
  if (Number.isNaN(value)) problems.guidance = { key: "check.number" };
  else if (value < min || value > max) problems.guidance = { key: "check.range", params: { min, max } };
  else request.guidance = value;
}

function addTags(settings: Settings, request: GenerationRequest, problems: FieldProblems) {
  const tags = splitTags(settings.tags);
  if (tags.length > TAGS_MAX) problems.tags = { key: "check.tags", params: { max: TAGS_MAX } };
  else if (tags.some((tag) => [...tag].length > TAG_CHARS_MAX)) {
    problems.tags = { key: "check.long", params: { max: TAG_CHARS_MAX } };
  } else if (tags.length > 0) request.tags = tags;
}

function limitText(settings: Settings, field: "prompt" | "negative_prompt", problems: FieldProblems) {
  if ([...settings[field].trim()].length > PROMPT_CHARS_MAX) {
    problems[field] = { key: "check.long", params: { max: PROMPT_CHARS_MAX } };
  }
}

function wholeNumber(text: string, min: number, max: number, fail: (problem: FieldProblem) => void): number {
  const value = /^\d{1,10}$/.test(text.trim()) ? Number(text.trim()) : Number.NaN;
  if (Number.isNaN(value)) fail({ key: "check.whole" });
  else if (value < min || value > max) fail({ key: "check.range", params: { min: String(min), max: String(max) } });
  return value;
}

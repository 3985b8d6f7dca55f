import { createStore } from "zustand/vanilla";
import { ApiError, fieldErrors, isAborted, toApiError } from "../api/problem";
import type { Generation, GenerationRequest, GenerationSpec, Model, Quote, QuoteRequest } from "../api/schema";
import type { MessageKey } from "../i18n";
import {
  checkSettings,
  defaultSettings,
  fromSpec,
  withModel,
  type Checked,
  type Field,
  type FieldProblem,
  type FieldProblems,
  type Settings,
} from "./settings";

const QUOTE_DELAY_MS = 350; // after the last change
const QUOTE_AGE_MIN_MS = 30_000; // also where this machine's clock is wrong
const QUOTE_AGE_MAX_MS = 10 * 60_000; // timers cannot be trusted for longer when a machine sleeps
const REQUOTE_CODES = new Set(["quote-expired", "quote-mismatch"]);

export interface Form {
  settings: Settings | null;
  problems: FieldProblems;
  quote: Quote | null;
  quoting: boolean;
  quoteError: ApiError | null;
  /** The quote ran out while sending: the new price has to be agreed to. */
  renewed: boolean;
  busy: boolean;
  error: ApiError | null;
  /** Counts the submits that were refused for a field, so that the page can move the focus to the first bad field. */
  refusals: number;
  /** Counts the jobs that were sent, so that the page can show where they went. */
  created: number;
  begin(): void;
  set(field: Field, value: string): void;
  reuse(spec: GenerationSpec, seed: number): void;
  submit(): Promise<void>;
  clear(): void;
}

export interface FormConfig {
  models: () => Model[];
  /** The credits that may pay for a model, or null while they are not known. */
  spendable: (model: string) => number | null;
  quote: (terms: QuoteRequest, signal: AbortSignal) => Promise<Quote>;
  generate: (request: GenerationRequest) => Promise<Generation>;
  onCreated: (generation: Generation) => void;
  say: (key: MessageKey) => void;
}

const empty = {
  settings: null,
  problems: {},
  quote: null,
  quoting: false,
  quoteError: null,
  renewed: false,
  busy: false,
  error: null,
};

export function createForm(config: FormConfig) {
  return createStore<Form>((set, get) => {
    const quoter = createQuoter(config.quote, set);

    function change(settings: Settings, problems: FieldProblems) {
      set({ settings, problems, error: null, renewed: false });
      quoter.ask(check(settings)?.terms ?? null, QUOTE_DELAY_MS);
    }

    function check(settings: Settings | null): Checked | null {
      const model = config.models().find((m) => m.key === settings?.model);
      return settings && model ? checkSettings(settings, model) : null;
    }

    function affordable(quote: Quote, { model }: GenerationRequest): boolean {
      const have = config.spendable(model);
      return have === null || quote.credits <= have;
    }

    async function send(request: GenerationRequest, quote: Quote): Promise<void> {
      set({ busy: true, error: null, renewed: false });
      try {
        config.onCreated(await config.generate({ ...request, quote: quote.quote }));
        set({ created: get().created + 1 });
        config.say("form.queued");
      } catch (error) {
        await refused(toApiError(error));
      } finally {
        set({ busy: false });
      }
    }

    async function refused(error: ApiError): Promise<void> {
      if (!REQUOTE_CODES.has(error.code)) {
        const problems = serverProblems(error);
        const refusals = get().refusals + (Object.keys(problems).length > 0 ? 1 : 0);
        set({ error, problems, refusals });
        return;
      }
      await quoter.askNow(check(get().settings)?.terms ?? null);
      if (get().quote) set({ renewed: true });
    }

    return {
      ...empty,
      refusals: 0,
      created: 0,
      begin() {
        const model = config.models()[0];
        if (model && get().settings === null) change(defaultSettings(model), {});
      },
      set(field, value) {
        const { settings, problems } = get();
        if (!settings) return;
        const model = field === "model" ? config.models().find((m) => m.key === value) : undefined;
        const { [field]: _, ...others } = problems;
        change(model ? withModel(settings, model) : { ...settings, [field]: value }, model ? {} : others);
      },
      reuse(spec, seed) {
        const model = config.models().find((m) => m.key === spec.model) ?? config.models()[0];
        if (model) change({ ...fromSpec(spec, seed, model), model: model.key }, {});
      },
      async submit() {
        const { settings, busy, quote, quoting, refusals } = get();
        const checked = check(settings);
        if (!checked || busy) return;
        if (!checked.request) set({ problems: checked.problems, refusals: refusals + 1 });
        else if (quote && !quoting && affordable(quote, checked.request)) await send(checked.request, quote);
      },
      clear() {
        quoter.ask(null, 0);
        set(empty);
      },
    };
  });
}

function serverProblems(error: ApiError): FieldProblems {
  return Object.fromEntries(
    Object.entries(fieldErrors(error)).map(([field, text]): [string, FieldProblem] => [field, { text }]),
  );
}

type QuoteState = Pick<Form, "quote" | "quoting" | "quoteError" | "problems">;

/** Keeps one quote for the newest terms: older questions are dropped, and a quote is renewed before it runs out. */
function createQuoter(fetchQuote: FormConfig["quote"], set: (state: Partial<QuoteState>) => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: AbortController | undefined;

  function ask(terms: QuoteRequest | null, delay: number) {
    clearTimeout(timer);
    running?.abort();
    set({ quote: null, quoteError: null, quoting: terms !== null });
    if (terms) timer = setTimeout(() => void askNow(terms), delay);
  }

  async function askNow(terms: QuoteRequest | null): Promise<void> {
    clearTimeout(timer);
    running?.abort();
    if (!terms) return;
    const mine = (running = new AbortController());
    set({ quoting: true });
    try {
      const quote = await fetchQuote(terms, mine.signal);
      if (mine.signal.aborted) return;
      set({ quote, quoting: false, quoteError: null });
      timer = setTimeout(() => void askNow(terms), renewIn(quote));
    } catch (error) {
      if (mine.signal.aborted || isAborted(error)) return;
      const failed = toApiError(error);
      set({ quote: null, quoting: false, quoteError: failed, problems: serverProblems(failed) });
    }
  }

  return { ask, askNow };
}

function renewIn(quote: Quote): number {
  const left = Date.parse(quote.expires_at) - Date.now();
  return Math.min(Math.max(left * 0.9, QUOTE_AGE_MIN_MS), QUOTE_AGE_MAX_MS);
}

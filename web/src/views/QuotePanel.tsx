import { useStore } from "zustand";
import type { Model, Quote } from "../api/schema";
import { spendable } from "../state/credits";
import { OPERATION } from "../state/settings";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { ProblemNote } from "../ui/ProblemNote";

const MS_PER_SECOND = 1000;

/** The price as it is now, whether it can be paid, and the button that agrees to it. */
export function QuotePanel({ model, invalid }: { model: Model; invalid: boolean }) {
  const t = useT();
  const { form, credits } = useApp();
  const { quote, quoting, quoteError, renewed, busy } = useStore(form);
  const balance = useStore(credits, (c) => c.balance);
  const have = spendable(balance, model.key, OPERATION);
  const short = quote !== null && have !== null && quote.credits > have;
  const ready = quote !== null && !quoting && !busy && !short;
  return (
    <section aria-labelledby="quote-title" className="flex flex-col gap-3 rounded-lg bg-sunken p-3">
      <h2 id="quote-title" className="sr-only">
        {t("quote.title")}
      </h2>
      {quoteError && <ProblemNote error={quoteError} />}
      {quote ? (
        <Price quote={quote} have={have} short={short} />
      ) : (
        !quoteError && <p className="text-sm text-muted">{t(quoting ? "quote.loading" : "quote.waiting")}</p>
      )}
      <div id="quote-says" role="status" className="text-sm empty:hidden">
        {short && quote && <p className="text-danger">{t("quote.short", { need: quote.credits, have: have ?? 0 })}</p>}
        {renewed && quote && <p className="font-medium text-gold">{t("quote.renewed", { n: quote.credits })}</p>}
        {invalid && <p className="text-danger">{t("check.form")}</p>}
      </div>
      <Button look="primary" type="submit" inert={!ready} aria-describedby="quote-says" className="w-full">
        {busy ? t("form.busy") : quote ? t("form.submit.cost", { n: quote.credits }) : t("form.submit")}
      </Button>
    </section>
  );
}

function Price({ quote, have, short }: { quote: Quote; have: number | null; short: boolean }) {
  const t = useT();
  return (
    <div className="flex flex-col gap-2 text-sm" data-testid="quote">
      <p className="flex items-baseline justify-between gap-3">
        <span className="text-muted">{t("quote.title")}</span>
        <span className="text-xl font-semibold tabular-nums">{t("credits", { n: quote.credits })}</span>
      </p>
      <ul className="flex flex-col gap-1 border-t border-line pt-2">
        {quote.breakdown.map((line) => (
          <li key={line.label} className="flex flex-wrap justify-between gap-x-3">
            <span lang="en" className="min-w-0 break-words">
              {line.label}
            </span>
            <span className="text-muted tabular-nums">
              {t("quote.images", { n: line.images })} · {t("quote.each", { n: line.credits_per_image })}
            </span>
          </li>
        ))}
      </ul>
      <p className="text-xs text-muted">
        {t("quote.binds", { time: t.clock(quote.expires_at) })}
        {" · "}
        {t("quote.estimate", { seconds: Math.max(1, Math.round(quote.estimate_ms / MS_PER_SECOND)) })}
        {have !== null && !short && <> · {t("quote.after", { n: have - quote.credits })}</>}
      </p>
    </div>
  );
}

import { useState, type ReactNode } from "react";
import { useStore } from "zustand";
import { LANGUAGES, type Language } from "../i18n";
import { PAGES, pathOf } from "../state/place";
import { prefixOf } from "../state/session";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { Dialog } from "../ui/Dialog";
import { Logo } from "../ui/icons";

export function Header() {
  const t = useT();
  const account = useStore(useApp().session, (s) => s.account);
  return (
    <header className="border-b border-line bg-surface">
      <div className="mx-auto flex w-full max-w-7xl flex-wrap items-center gap-x-2 gap-y-2 px-4 sm:gap-x-4 py-2.5 sm:px-6">
        <div className="flex items-center gap-2">
          <Logo />
          <span className="text-lg font-semibold tracking-tight">pingvas</span>
        </div>
        {account && <Navigation />}
        <div className={`ml-auto flex items-center gap-1 sm:gap-2 ${account ? "lg:order-4 lg:ml-0" : ""}`}>
          <LanguageSwitch />
          {account && <ForgetKey />}
        </div>
        {account && (
          <section aria-label={t("account.label")} className="order-2 w-full lg:order-3 lg:ml-auto lg:w-auto">
            <BalanceLine planKey={account.plan} />
          </section>
        )}
      </div>
    </header>
  );
}

function Navigation() {
  const t = useT();
  const { place } = useApp();
  const page = useStore(place, (p) => p.page);
  return (
    <nav aria-label={t("nav.label")} className="order-3 -mx-1 flex w-full gap-1 lg:order-2 lg:mx-0 lg:w-auto">
      {PAGES.map((target) => (
        <a
          key={target}
          href={pathOf(target)}
          aria-current={target === page ? "page" : undefined}
          className={
            "grow rounded-lg px-3 py-2 text-center text-sm font-medium text-muted hover:bg-sunken hover:text-ink " +
            "aria-[current=page]:bg-accent-soft aria-[current=page]:text-accent-strong lg:grow-0"
          }
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return; // a new tab or window
            event.preventDefault();
            place.getState().go(target);
          }}
        >
          {t(`nav.${target}`)}
        </a>
      ))}
    </nav>
  );
}

function BalanceLine({ planKey }: { planKey: string }) {
  const t = useT();
  const { credits, catalogue } = useApp();
  const balance = useStore(credits, (c) => c.balance);
  const plan = useStore(catalogue, (c) => c.plans.find((p) => p.key === planKey)?.name) ?? planKey;
  return (
    <dl className="flex flex-wrap items-center gap-x-4 gap-y-1 text-sm" aria-live="polite" data-testid="balance">
      <Figure label={t("account.available")} strong>
        {balance ? t.number(balance.available) : "–"}
      </Figure>
      <Figure label={t("account.reserved")}>{balance ? t.number(balance.reserved) : "–"}</Figure>
      <div>
        <dt className="sr-only">{t("account.label")}</dt>
        <dd className="rounded-full bg-sunken px-3 py-1 text-xs font-medium">{t("account.plan", { plan })}</dd>
      </div>
    </dl>
  );
}

function Figure({ label, strong = false, children }: { label: string; strong?: boolean; children: ReactNode }) {
  return (
    <div className="flex items-baseline gap-1.5">
      <dt className="text-muted">{label}</dt>
      <dd className={`tabular-nums ${strong ? "text-base font-semibold" : "font-medium"}`}>{children}</dd>
    </div>
  );
}

const languageNames: Record<Language, string> = { en: "EN", ko: "한국어" };

function LanguageSwitch() {
  const t = useT();
  const { place } = useApp();
  return (
    <div role="group" aria-label={t("app.language")} className="flex rounded-lg border border-line p-0.5">
      {LANGUAGES.map((language) => (
        <button
          key={language}
          type="button"
          lang={language}
          aria-pressed={t.language === language}
          className="min-h-8 rounded-md px-2.5 text-xs font-medium text-muted hover:text-ink aria-pressed:bg-sunken aria-pressed:text-ink"
          onClick={() => place.getState().speak(language)}
        >
          {languageNames[language]}
        </button>
      ))}
    </div>
  );
}

function ForgetKey() {
  const t = useT();
  const { session } = useApp();
  const [asking, setAsking] = useState(false);
  const prefix = prefixOf(useStore(session, (s) => s.key) ?? "");
  return (
    <>
      <Button
        look="quiet"
        className="-mr-1.5 min-h-9 px-1.5 text-xs sm:mr-0 sm:px-2.5 sm:text-sm"
        onClick={() => setAsking(true)}
      >
        {t("account.forget")}
      </Button>
      {asking && (
        <Dialog title={t("account.forget.title")} onClose={() => setAsking(false)}>
          <p>{t("account.forget.text", { prefix })}</p>
          <div className="mt-5 flex flex-wrap justify-end gap-2">
            <Button onClick={() => setAsking(false)}>{t("account.forget.keep")}</Button>
            <Button look="danger" onClick={() => session.getState().forget()}>
              {t("account.forget")}
            </Button>
          </div>
        </Dialog>
      )}
    </>
  );
}

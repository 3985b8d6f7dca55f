import { useEffect, useRef } from "react";
import { useStore } from "zustand";
import type { Page } from "../state/place";
import { useApp, useT } from "../ui/context";
import { Notices } from "../ui/Notices";
import { CreatePage } from "./CreatePage";
import { DetailDialog } from "./DetailDialog";
import { GalleryPage } from "./GalleryPage";
import { Header } from "./Header";
import { SecretDialog } from "./SecretDialog";
import { StatementPage } from "./StatementPage";
import { Welcome } from "./Welcome";

const pages: Record<Page, () => JSX.Element> = {
  create: CreatePage,
  gallery: GalleryPage,
  statement: StatementPage,
};

/** The frame of every page: header, main part, dialogs and notices. */
export function Shell() {
  const t = useT();
  const { session } = useApp();
  const account = useStore(session, (s) => s.account);
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#main"
        className="absolute -top-20 left-2 z-10 rounded-lg bg-accent px-4 py-2 text-on-accent focus:top-2"
      >
        {t("app.skip")}
      </a>
      <Header />
      {account ? <Inside key={account.id} /> : <Welcome />}
      <Notices />
    </div>
  );
}

function Inside() {
  const { place, credits, jobs, session } = useApp();
  const page = useStore(place, (p) => p.page);
  const secret = useStore(session, (s) => s.secret);
  useEffect(() => {
    void credits.getState().refresh();
    void jobs.getState().load();
  }, [credits, jobs]);
  const Current = pages[page];
  return (
    <main id="main" tabIndex={-1} className="mx-auto w-full max-w-7xl grow px-4 py-5 outline-none sm:px-6 sm:py-8">
      <PageFocus page={page} />
      <Current />
      <DetailDialog />
      {secret !== null && <SecretDialog secret={secret} />}
    </main>
  );
}

/** Names the page in the window's title, and moves the focus to its heading when the user has gone there. */
function PageFocus({ page }: { page: Page }) {
  const t = useT();
  const shown = useRef(page);
  useEffect(() => {
    document.title = `${t(`nav.${page}`)} · pingvas`;
    if (shown.current === page) return;
    shown.current = page;
    document.querySelector<HTMLElement>("main h1")?.focus();
    window.scrollTo(0, 0);
  }, [page, t]);
  return null;
}

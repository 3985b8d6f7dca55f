import { createClient, sleep, type ClientConfig } from "../api/client";
import { createApi } from "../api/endpoints";
import type { Generation } from "../api/schema";
import { translateWord } from "../i18n";
import { shortened } from "../i18n/text";
import { createCatalogue, createCredits, spendable } from "./credits";
import { createDetail } from "./detail";
import { createForm } from "./form";
import { createGallery } from "./gallery";
import { createJobs } from "./jobs";
import { createNotices } from "./notices";
import { createPlace } from "./place";
import { createSession } from "./session";
import { OPERATION } from "./settings";
import { createStatement } from "./statement";

export interface AppConfig {
  fetch: typeof fetch;
  storage: Storage;
  sleep?: ClientConfig["sleep"];
}

export type App = ReturnType<typeof createApp>;

/** Makes the stores and ties them together. The page begins with `session.start`. */
export function createApp(config: AppConfig) {
  const client = createClient({
    fetch: config.fetch,
    sleep: config.sleep ?? sleep,
    key: () => session.getState().key,
    onUnauthorized: () => session.getState().reject(),
  });
  const api = createApi(client, config.storage);
  const notices = createNotices();
  const { say, fail } = notices.getState();
  const place = createPlace(config.storage);
  const catalogue = createCatalogue(api);
  const credits = createCredits(api.balance, fail);
  const gallery = createGallery(api.search);
  const statement = createStatement(api.statement);

  /** Brings up to date what a movement of credits has changed. */
  function moved() {
    void credits.getState().refresh();
    if (statement.getState().loaded) void statement.getState().refresh();
  }

  const jobs = createJobs({
    client,
    openGenerations: api.openGenerations,
    cancel: api.cancel,
    onEnded: (generation) => {
      moved();
      if (generation.images.length > 0) void gallery.getState().refresh();
      if (generation.status === "cancelled") return; // How that was settled has been said.
      const { language } = place.getState();
      const status = translateWord(language, "status", generation.status);
      say("jobs.said", { prompt: shortened(generation.request.prompt), status });
    },
    onCancelled: ({ settled, released }) => {
      say("jobs.cancelled", { settled, released });
      moved();
    },
    onError: fail,
  });
  const form = createForm({
    models: () => catalogue.getState().models,
    spendable: (model) => spendable(credits.getState().balance, model, OPERATION),
    quote: api.quote,
    generate: api.generate,
    onCreated: (generation: Generation) => {
      jobs.getState().add(generation);
      moved();
    },
    say,
  });
  const detail = createDetail({
    ...api,
    onImage: (image) => gallery.getState().replace(image),
    onMarks: (marks) => gallery.getState().mark(marks),
    onRemoved: (id) => {
      gallery.getState().remove(id);
      say("image.deleted");
    },
    onError: fail,
  });
  const session = createSession({
    storage: config.storage,
    openAccount: api.openAccount,
    getAccount: api.account,
    onChange: () => {
      client.positions.forget();
      [jobs, credits, gallery, statement, form].forEach((store) => store.getState().clear());
      detail.getState().close();
    },
  });
  return { session, notices, place, catalogue, credits, gallery, statement, jobs, form, detail };
}

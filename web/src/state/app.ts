import { createClient, sleep, type ClientConfig } from "../api/client";
import { createApi, type Api } from "../api/endpoints";
import type { Generation } from "../api/schema";
import { translateWord } from "../i18n";
import { shortened } from "../i18n/text";
import { createBulk } from "./bulk";
import { createCatalogue, createCredits, spendable } from "./credits";
import { createDetail } from "./detail";
import { createForm } from "./form";
import { createGallery } from "./gallery";
import { createJobs } from "./jobs";
import { createLibrary } from "./library";
import { createNotices } from "./notices";
import { createPlace } from "./place";
import { createSession } from "./session";
import { OPERATION } from "./settings";
import { createStatement } from "./statement";
import { createUsage } from "./usage";

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
  const statement = createStatement(api);
  const order = createOrder(api, gallery, notices);
  const { library, usage, bulk } = order;

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
  const detail = createView(api, gallery, order.library, notices);
  const session = createSession({
    storage: config.storage,
    openAccount: api.openAccount,
    getAccount: api.account,
    onChange: () => {
      client.positions.forget();
      [jobs, credits, gallery, statement, usage, library, form].forEach((store) => store.getState().clear());
      detail.getState().close();
      bulk.getState().stop();
    },
  });
  return { ...order, api, session, notices, place, catalogue, credits, gallery, statement, jobs, form, detail };
}

/** Boards, saved searches, and changes of many images, after which the gallery is read again. */
function createOrder(api: Api, gallery: ReturnType<typeof createGallery>, notices: ReturnType<typeof createNotices>) {
  const { say, fail } = notices.getState();
  const library = createLibrary({ ...api, onError: fail });
  const bulk = createBulk({
    ...api,
    filter: () => gallery.getState().filter,
    onDone: (changed, refused) => {
      say(refused > 0 ? "bulk.done.refused" : "bulk.done", { n: changed, refused });
      void gallery.getState().refresh();
      void library.getState().refresh();
    },
    onError: fail,
  });
  return { library, usage: createUsage(api.usage), bulk };
}

/** The image or generation that is looked at; what is done to it shows in the gallery. */
function createView(
  api: Api,
  gallery: ReturnType<typeof createGallery>,
  library: ReturnType<typeof createLibrary>,
  notices: ReturnType<typeof createNotices>,
) {
  const { say, fail } = notices.getState();
  return createDetail({
    ...api,
    onImage: (image) => gallery.getState().replace(image),
    onMarks: (marks) => {
      gallery.getState().mark(marks);
      void library.getState().refresh();
    },
    onRemoved: (id) => {
      gallery.getState().remove(id);
      say("image.deleted");
    },
    onError: fail,
  });
}

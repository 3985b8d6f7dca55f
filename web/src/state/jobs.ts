import { createStore } from "zustand/vanilla";
import type { Client } from "../api/client";
import type { Cancellation, Generation, GenerationPage, ProgressFrame } from "../api/schema";
import { isFinal, watchGeneration, type Update } from "../api/watch";

// Browsers hold six connections to one server: more than this many open streams would starve everything else.
const STREAMS_MAX = 3;
const ENDED_SHOWN_MAX = 8;

export interface Job {
  generation: Generation;
  progress: ProgressFrame | null;
  /** How its cancellation was settled, once it was cancelled here. */
  cancellation: Cancellation | null;
  cancelling: boolean;
}

export interface Jobs {
  /** Newest first: all that are open, and the last ones that ended while this page was open. */
  list: Job[];
  load(): Promise<void>;
  add(generation: Generation): void;
  /** Cancels if it costs no more than this. Without it, whatever it costs. */
  cancel(id: string, chargeAtMost?: number): Promise<void>;
  dismiss(id: string): void;
  clear(): void;
}

export interface JobsConfig {
  client: Client;
  openGenerations: () => Promise<GenerationPage>;
  cancel: (id: string, chargeAtMost?: number) => Promise<Cancellation>;
  /** Called when a job has ended, whatever ended it. */
  onEnded: (generation: Generation) => void;
  onCancelled: (cancellation: Cancellation) => void;
  onError: (error: unknown) => void;
}

export function createJobs(config: JobsConfig) {
  return createStore<Jobs>((set, get) => {
    let watching = new AbortController();
    let streams = 0;

    function change(id: string, changed: (job: Job) => Job) {
      set({ list: get().list.map((job) => (job.generation.id === id ? changed(job) : job)) });
    }

    async function watch(id: string): Promise<void> {
      const { signal } = watching;
      const stream = streams < STREAMS_MAX;
      if (stream) streams++;
      try {
        const onUpdate = (update: Update) => {
          if (!signal.aborted) change(id, (job) => applyUpdate(job, update));
        };
        const ended = await watchGeneration({ client: config.client, id, signal, stream, onUpdate });
        if (!signal.aborted) config.onEnded(ended);
      } catch (error) {
        if (!signal.aborted) config.onError(error);
      } finally {
        if (stream) streams--;
      }
    }

    return {
      list: [],
      async load() {
        try {
          const page = await config.openGenerations();
          page.data.toReversed().forEach((generation) => get().add(generation));
        } catch (error) {
          config.onError(error);
        }
      },
      add(generation) {
        if (get().list.some((job) => job.generation.id === generation.id)) return;
        set({
          list: trimEnded([{ generation, progress: null, cancellation: null, cancelling: false }, ...get().list]),
        });
        void watch(generation.id);
      },
      async cancel(id, chargeAtMost) {
        change(id, (job) => ({ ...job, cancelling: true }));
        try {
          const cancellation = await config.cancel(id, chargeAtMost);
          change(id, (job) => ({ ...job, cancellation }));
          config.onCancelled(cancellation);
        } catch (error) {
          change(id, (job) => ({ ...job, cancelling: false }));
          config.onError(error);
        }
      },
      dismiss: (id) => set({ list: get().list.filter((job) => job.generation.id !== id) }),
      clear() {
        watching.abort();
        watching = new AbortController();
        set({ list: [] });
      },
    };
  });
}

/** Takes an update into a job. Late and repeated updates change nothing. */
export function applyUpdate(job: Job, update: Update): Job {
  const { generation } = job;
  switch (update.kind) {
    case "snapshot":
      return update.generation.version < generation.version ? job : { ...job, generation: update.generation };
    case "status": {
      const { version, status, attempt, cause } = update.frame;
      if (version <= generation.version) return job;
      const { queue: _, cause: __, ...rest } = generation;
      const changed = { ...rest, version, status, attempt: attempt ?? generation.attempt, ...(cause ? { cause } : {}) };
      return { ...job, generation: changed, progress: status === "running" ? job.progress : null };
    }
    case "progress":
      return isFinal(generation.status) || update.frame.attempt < generation.attempt
        ? job
        : withProgress(job, update.frame);
  }
}

// A frame without a preview keeps the last one of the same image.
function withProgress(job: Job, frame: ProgressFrame): Job {
  const last = job.progress;
  const kept = last?.image === frame.image && last.attempt === frame.attempt ? last.preview : undefined;
  const preview = frame.preview ?? kept;
  const generation: Generation = { ...job.generation, status: "running", attempt: frame.attempt };
  return { ...job, generation, progress: { ...frame, ...(preview === undefined ? {} : { preview }) } };
}

function trimEnded(list: Job[]): Job[] {
  let ended = 0;
  return list.filter((job) => !isFinal(job.generation.status) || ++ended <= ENDED_SHOWN_MAX);
}

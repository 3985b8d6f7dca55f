import { useId } from "react";
import { useStore } from "zustand";
import { isFinal } from "../api/watch";
import { shortened } from "../i18n/text";
import { cancelCost } from "../state/credits";
import type { Generation } from "../api/schema";
import type { Job } from "../state/jobs";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { StoredImage } from "../ui/StoredImage";

const MS_PER_SECOND = 1000;

export function JobCard({ job }: { job: Job }) {
  const t = useT();
  const { generation } = job;
  const { request, status } = generation;
  return (
    <article
      aria-label={shortened(request.prompt)}
      className="flex flex-wrap gap-4 rounded-2xl border border-line bg-surface p-4 sm:flex-nowrap"
      data-testid="job"
      data-status={status}
    >
      <Pictures job={job} />
      <div className="flex min-w-0 grow basis-48 flex-col gap-2">
        <div className="flex items-start justify-between gap-3">
          <p className="line-clamp-2 min-w-0 font-medium break-words">{request.prompt}</p>
          <StatusBadge status={status} />
        </div>
        <p className="text-xs text-muted">
          {request.model} · {request.width}×{request.height} · {t("quote.images", { n: request.count })}
        </p>
        {isFinal(status) ? <Ended job={job} /> : <Running job={job} />}
      </div>
    </article>
  );
}

function StatusBadge({ status }: { status: string }) {
  const t = useT();
  const look =
    status === "succeeded"
      ? "text-good"
      : ["failed", "blocked", "expired"].includes(status)
        ? "text-danger"
        : "text-muted";
  return (
    <span className={`shrink-0 rounded-full border border-current px-2.5 py-0.5 text-xs font-medium ${look}`}>
      {t.word("status", status)}
    </span>
  );
}

function Pictures({ job: { generation, progress } }: { job: Job }) {
  const t = useT();
  const { detail } = useApp();
  const name = shortened(generation.request.prompt);
  const size = generation.images.length > 1 ? "size-16" : "size-24";
  const frame = `${size} shrink-0 overflow-hidden rounded-lg bg-sunken object-cover`;
  if (generation.images.length > 0) {
    return (
      <div className="flex max-w-72 shrink-0 flex-wrap content-start gap-2 sm:max-w-36">
        {generation.images.map((image) => (
          <button
            key={image.id}
            type="button"
            aria-label={t("gallery.open", { prompt: name })}
            className="rounded-lg"
            onClick={() => detail.getState().showImage(image)}
          >
            <StoredImage image={image} variant="thumbnail" alt="" className={frame} />
          </button>
        ))}
      </div>
    );
  }
  if (progress?.preview)
    return <img src={progress.preview} alt={t("jobs.preview", { prompt: name })} className={frame} />;
  return <div aria-hidden="true" className={frame} />;
}

function Running({ job }: { job: Job }) {
  const t = useT();
  const { jobs } = useApp();
  const costId = useId();
  const { generation, progress, cancelling } = job;
  const cost = useCancelCost(generation);
  const fraction = progress?.fraction ?? 0;
  return (
    <>
      <progress
        className="h-2 w-full"
        max={100}
        value={generation.status === "queued" ? 0 : Math.round(fraction * 100)}
        aria-label={t("jobs.progress", { prompt: shortened(generation.request.prompt) })}
      />
      <p className="text-xs text-muted">
        <Where job={job} />
      </p>
      <div className="mt-auto flex flex-wrap items-center gap-x-3 gap-y-2">
        <Button
          className="min-h-9"
          inert={cancelling}
          aria-describedby={costId}
          onClick={() => void jobs.getState().cancel(generation.id, cost ?? undefined)}
        >
          {t("jobs.cancel")}
        </Button>
        <p id={costId} className="min-w-0 grow basis-40 text-xs text-muted">
          <CancelCost job={job} />
        </p>
      </div>
    </>
  );
}

/** Where the job is: its place in the queue, or the image that is being made. */
function Where({ job: { generation, progress } }: { job: Job }) {
  const t = useT();
  const parts: string[] = [];
  const { queue } = generation;
  if (generation.status === "queued" && queue) {
    parts.push(
      queue.ahead === 0 ? t("jobs.next") : t("jobs.ahead", { n: queue.ahead }),
      t.word("reason", queue.reason),
    );
    const { estimate_ms_min: min, estimate_ms_max: max } = queue;
    if (min !== undefined && max !== undefined) {
      parts.push(t("jobs.wait", { min: Math.floor(min / MS_PER_SECOND), max: Math.ceil(max / MS_PER_SECOND) }));
    }
  }
  if (progress) {
    parts.push(`${Math.round(progress.fraction * 100)} %`);
    if (progress.images > 1)
      parts.push(t("jobs.image", { image: Math.min(progress.image + 1, progress.images), images: progress.images }));
  }
  if (generation.attempt > 1) parts.push(t("jobs.attempt", { n: generation.attempt }));
  return <>{parts.join(" · ")}</>;
}

const heldFor = ({ settlement }: Generation) => settlement.reserved || settlement.quoted;

function useCancelCost(generation: Generation) {
  const policy = useStore(useApp().catalogue, (c) => c.policy);
  return cancelCost(policy, generation.status, heldFor(generation));
}

function CancelCost({ job: { generation } }: { job: Job }) {
  const t = useT();
  const cost = useCancelCost(generation);
  const reserved = heldFor(generation);
  if (cost === null) return null;
  return <>{cost === 0 ? t("jobs.cancel.free", { n: reserved }) : t("jobs.cancel.cost", { cost, reserved })}</>;
}

function Ended({ job: { generation, cancellation } }: { job: Job }) {
  const t = useT();
  const { jobs, detail } = useApp();
  const settled = cancellation?.settled ?? generation.settlement.settled;
  return (
    <>
      <p className="text-xs text-muted">
        {cancellation
          ? t("jobs.cancelled", { settled: cancellation.settled, released: cancellation.released })
          : t("jobs.charged", { n: settled })}
        {generation.cause && <> · {t("generation.cause", { cause: t.word("cause", generation.cause) })}</>}
      </p>
      <div className="mt-auto flex flex-wrap gap-2">
        <Button className="min-h-9" onClick={() => detail.getState().showGeneration(generation.id)}>
          {t("settlement.title")}
        </Button>
        <Button look="quiet" className="min-h-9" onClick={() => jobs.getState().dismiss(generation.id)}>
          {t("jobs.dismiss")}
        </Button>
      </div>
    </>
  );
}

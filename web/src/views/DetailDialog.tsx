import { useStore } from "zustand";
import type { Generation } from "../api/schema";
import { shortened } from "../i18n/text";
import { useApp, useT } from "../ui/context";
import { Dialog } from "../ui/Dialog";
import { ProblemNote } from "../ui/ProblemNote";
import { Stars } from "../ui/Stars";
import { StoredImage } from "../ui/StoredImage";
import { BoardPicker } from "./Boards";
import { ImageActions } from "./ImageActions";
import { ImageFacts, SpecFacts } from "./ImageFacts";
import { SettlementView } from "./SettlementView";
import { TagEditor } from "./TagEditor";

/** One image with everything known about it, or one generation, over whatever page is open. */
export function DetailDialog() {
  const t = useT();
  const { detail } = useApp();
  const { image, generation, generationId, error, close } = useStore(detail);
  if (generationId === null) return null;
  return (
    <Dialog key={image?.id ?? generationId} wide title={t(image ? "image.title" : "generation.title")} onClose={close}>
      <div className={image ? "grid gap-6 md:grid-cols-[minmax(0,1fr)_minmax(0,24rem)]" : ""}>
        {image && (
          <div className="flex flex-col gap-4">
            <StoredImage
              image={image}
              variant="original"
              alt={image.request.prompt}
              className="h-auto max-h-[65dvh] w-full rounded-xl bg-sunken object-contain"
            />
            <Stars rating={image.rating} onGive={(rating) => void detail.getState().update({ rating })} />
            <ImageActions image={image} />
          </div>
        )}
        <div className="flex min-w-0 flex-col gap-6">
          {image && <ImageFacts image={image} />}
          {image && <TagEditor image={image} />}
          {image && <BoardPicker image={image} />}
          {!image && generation && <GenerationView generation={generation} />}
          {error && <ProblemNote error={error} />}
          {generation && <SettlementView settlement={generation.settlement} />}
          {!generation && !error && <p className="text-muted">{t("app.loading")}</p>}
        </div>
      </div>
    </Dialog>
  );
}

function GenerationView({ generation }: { generation: Generation }) {
  const t = useT();
  const { detail } = useApp();
  return (
    <>
      <p className="font-medium">
        {t.word("status", generation.status)}
        {generation.cause && (
          <span className="text-muted"> · {t("generation.cause", { cause: t.word("cause", generation.cause) })}</span>
        )}
      </p>
      {generation.images.length > 0 && (
        <ul aria-label={t("generation.images")} className="flex flex-wrap gap-3">
          {generation.images.map((image) => (
            <li key={image.id}>
              <button
                type="button"
                aria-label={t("gallery.open", { prompt: shortened(image.request.prompt) })}
                className="block overflow-hidden rounded-lg"
                onClick={() => detail.getState().showImage(image)}
              >
                <StoredImage image={image} variant="thumbnail" alt="" className="size-32 bg-sunken object-cover" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <SpecFacts spec={generation.request} seed={generation.request.seed} createdAt={generation.created_at} />
    </>
  );
}

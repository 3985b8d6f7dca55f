import type { ReactNode } from "react";
import type { GenerationSpec, Image } from "../api/schema";
import { formatBytes } from "../i18n/text";
import { useT } from "../ui/context";

export function ImageFacts({ image }: { image: Image }) {
  const t = useT();
  return (
    <SpecFacts spec={image.request} seed={image.seed} createdAt={image.created_at}>
      <Fact label={t("image.credits")}>{image.credits === undefined ? "–" : t.number(image.credits)}</Fact>
      {image.engine && <Fact label={t("image.engine")}>{image.engine}</Fact>}
      <Fact label={t("image.file")}>
        {image.content_type.replace("image/", "").toUpperCase()}, {formatBytes(image.bytes, t.language)}
      </Fact>
    </SpecFacts>
  );
}

interface SpecFactsProps {
  spec: GenerationSpec;
  seed: number;
  createdAt: string;
  children?: ReactNode;
}

/** Every parameter that an image was made with. */
export function SpecFacts({ spec, seed, createdAt, children }: SpecFactsProps) {
  const t = useT();
  return (
    <dl className="grid grid-cols-2 gap-x-4 gap-y-3 text-sm">
      <Fact label={t("image.prompt")} wide>
        {spec.prompt}
      </Fact>
      {spec.negative_prompt && (
        <Fact label={t("image.negative")} wide>
          {spec.negative_prompt}
        </Fact>
      )}
      <Fact label={t("image.model")}>{spec.model}</Fact>
      <Fact label={t("image.size")}>{`${spec.width}×${spec.height}`}</Fact>
      <Fact label={t("image.steps")}>{t.number(spec.steps)}</Fact>
      {spec.guidance !== undefined && <Fact label={t("image.guidance")}>{t.number(spec.guidance)}</Fact>}
      {spec.scheduler && <Fact label={t("image.scheduler")}>{spec.scheduler}</Fact>}
      <Fact label={t("image.seed")}>{seed}</Fact>
      {children}
      <Fact label={t("image.created")}>{t.moment(createdAt)}</Fact>
    </dl>
  );
}

function Fact({ label, wide = false, children }: { label: string; wide?: boolean; children: ReactNode }) {
  return (
    <div className={`min-w-0 ${wide ? "col-span-2" : ""}`}>
      <dt className="text-xs text-muted">{label}</dt>
      <dd className="break-words whitespace-pre-wrap">{children}</dd>
    </div>
  );
}
